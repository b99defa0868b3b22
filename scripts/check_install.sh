#!/usr/bin/env bash
# What a user installs: wheel and source archive in a fresh environment, with the newest or the oldest dependencies that
# pyproject.toml allows, and the quick tests against the installed package.
#
#     scripts/check_install.sh PYTHON newest|oldest [FOLDER]      # takes minutes and 7 GB
#
# PYTHON: an interpreter, such as python3.10. FOLDER: where all of it goes (a temporary one, removed, unless given).
set -euo pipefail
python=$1 which=$2 folder=${3:-}
case $which in
    newest) resolution=highest ;;
    oldest) resolution=lowest-direct ;;
    *) echo "$0: newest or oldest, not $which" >&2; exit 2 ;;
esac
if [ -z "$folder" ]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi
mkdir -p "$folder"
here=$(cd "$(dirname "$0")/.." && pwd)

"$python" -m venv "$folder/tools"
"$folder/tools/bin/pip" install --quiet --disable-pip-version-check build uv
"$folder/tools/bin/python" -m build --outdir "$folder/dist" "$here" > "$folder/build.log"
uv=$folder/tools/bin/uv

rm -rf "$folder/tree"
mkdir "$folder/tree"
tar -xzf "$folder"/dist/compoclip-*.tar.gz -C "$folder/tree" --strip-components 1
"$uv" venv --quiet --clear --python "$python" "$folder/env"
wheel=$(echo "$folder"/dist/compoclip-*.whl)
"$uv" pip install --quiet --python "$folder/env/bin/python" --resolution "$resolution" "compoclip[dev] @ file://$wheel"
"$uv" pip list --quiet --python "$folder/env/bin/python" | grep -E "^(torch|transformers|open-clip-torch|numpy|spacy|compoclip) "

cd "$folder/tree"  # its src is on no path: what is tested is what is installed
export PYTHONDONTWRITEBYTECODE='' OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1
"$folder/env/bin/python" -m pytest -q -n "${JOBS:-2}" --dist loadfile -m 'not slow'
"$uv" pip install --quiet --python "$folder/env/bin/python" --no-deps --reinstall "$folder"/dist/compoclip-*.tar.gz
"$folder/env/bin/compoclip" env
"$folder/env/bin/compoclip" ls methods
echo "wheel and source archive: installed with the $which dependencies, and the quick tests pass"

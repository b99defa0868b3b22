"""`convert`: a checkpoint in, a folder out, compared with what it was made from before it is put in place."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from compoclip.errors import InputError, RunError
from compoclip.export.card import run_of, write_card
from compoclip.export.fingerprint import fingerprint
from compoclip.export.formats import FORMATS
from compoclip.export.source import open_source
from compoclip.io import write_json
from compoclip.models import load

__all__ = ["convert"]

REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
RECORD = "conversion.json"  # a folder with it was written here, and may be replaced


def convert(
    checkpoint: str,
    to: str,
    out: str | Path,
    activation: str | None = None,
    base: str | None = None,
    lora_alpha: float | None = None,
    rank: int | None = None,
    licence: str | None = None,
    push_to_hub: str | None = None,
) -> dict[str, Any]:
    """Write `checkpoint` as `to` (a name of `FORMATS`) at `out`; returns what was found and measured.

    The folder contains `conversion.json` (origin, fingerprint, equality) and a model card. It appears whole, and only
    where the export gives the source's features to 1e-4. `base` is needed for an adapter, and gives a file's
    activation.
    Raises InputError for what cannot be converted, RunError where the export came out another model.

    lora_alpha, rank: of a LoRA checkpoint that does not tell them. licence: what the card says. push_to_hub:
    `OWNER/NAME`.

    >>> convert("runs/fsc", "hf", "fsc-hf")["equality"]["image"] < 1e-4  # doctest: +SKIP
    """
    if to not in FORMATS:
        raise InputError(f"--to {to}: choose {', '.join(FORMATS)}")
    form = FORMATS[to]
    if rank is not None and ("rank" not in form.takes or rank < 1):
        raise InputError("--rank is the rank of an adapter, at least 1; use it with --to adapter")
    if "base" in form.takes and base is None:
        raise InputError(f"--to {to} needs --base with the model that was fine-tuned")
    if push_to_hub is not None and not REPOSITORY.fullmatch(push_to_hub):
        raise InputError(f"--push-to-hub {push_to_hub}: write OWNER/NAME")
    out = Path(os.path.abspath(out))
    if out.exists() and not (out.is_dir() and ((out / RECORD).is_file() or not any(out.iterdir()))):
        raise InputError(f"{out}: something is here that convert did not write; choose another name")
    model, found = open_source(checkpoint, activation, base, lora_alpha)
    if not hasattr(model, "clip") or model.info.get("model_type"):
        raise InputError(f"{checkpoint}: only CLIP's own towers can be exported")
    out.parent.mkdir(parents=True, exist_ok=True)
    room = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        folder = room / "out"
        folder.mkdir()
        given = {"base": load(base) if base and "base" in form.takes else None, "rank": rank}
        equality = form.write(model, folder, **{name: given[name] for name in form.takes})
        if rank is None:
            equality.check(f"{checkpoint} as {to}")
        facts = {
            "name": out.name,
            **found.as_dict(),
            "to": to,
            "fingerprint": fingerprint(model),
            "equality": equality.as_dict(),
        }
        write_json(folder / RECORD, facts)
        run = run_of(Path(checkpoint)) if Path(checkpoint).exists() else {}
        blend = model.info.get("blend") or model.config.get("blend")
        write_card(folder, form, {**facts, "run": run, "blend": blend}, licence, base or model.info.get("base"))
        _place(folder, out)
    except OSError as error:
        raise RunError(f"{out}: cannot be written ({error}); free space there or choose another place") from error
    finally:
        shutil.rmtree(room, ignore_errors=True)
    if push_to_hub is not None:
        facts["hub"] = push(out, push_to_hub)
    return facts


def _place(folder: Path, out: Path) -> None:
    """Rename into place; an export that was there is replaced."""
    if out.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", dir=out.parent))
        os.replace(out, old / "old")
        try:
            os.replace(folder, out)
        except OSError:
            os.replace(old / "old", out)
            raise
        finally:
            shutil.rmtree(old, ignore_errors=True)
    else:
        os.replace(folder, out)
    os.chmod(out, 0o755)


def push(folder: Path, repo: str) -> str:
    """Upload a folder to the hub, into a repository that is made private where it is new; returns its address."""
    from huggingface_hub import HfApi

    api = HfApi()
    try:
        api.create_repo(repo, exist_ok=True, private=True)
        return str(api.upload_folder(repo_id=repo, folder_path=str(folder)))
    except Exception as error:  # the client raises what its transport raises
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunError(f"{folder} is written, but the hub did not take it as {repo} ({why})") from None

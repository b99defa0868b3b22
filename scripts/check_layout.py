"""The rules of the house that no linter knows: who may import whom, how long a file may be, names that occur once.

Run:  python scripts/check_layout.py        (part of `make lint`; exit status 1 and a line for each fault)

- A package imports at module level only from those above it in `LAYERS`; so there are no circles between packages.
- Modules of the whole project form no circle of imports at module level.
- A file has at most 350 lines, unless its first docstring gives a reason in a line that begins with "Long because".
- A file's name occurs once in a package of the first level, a class's name once in the project.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_LINES = 350
# each may import those on lines before it, and its own
LAYERS = """
errors malloc terminal environment
io locks progress decode listing rendezvous
language losses recipes distributed
config data
negatives
models evaluation
export training
report blending encoding
stages
reproduce comparing demo
serve
cli
"""


def module_name(path: Path, source: Path) -> str:
    parts = path.relative_to(source.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, name: str) -> Iterator[str]:
    """Modules that are imported when this one is; those inside functions and `if TYPE_CHECKING` are not."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*package[: len(package) - node.level + 1], *([node.module] if node.module else [])])
            base = base if node.level else node.module or ""
            yield from (f"{base}.{alias.name}" for alias in node.names)


def graph(source: Path) -> dict[str, set[str]]:
    """Each module of a package, and the modules of it that it imports."""
    names = {module_name(path, source): path for path in sorted(source.rglob("*.py"))}
    found: dict[str, set[str]] = {}
    for name, path in names.items():
        wanted = set()
        for target in imports(path, name):
            while target and target not in names:
                target = target.rpartition(".")[0]
            if target and target != name:
                wanted.add(target)
        found[name] = wanted
    return found


def upward(edges: dict[str, set[str]], layers: str = LAYERS) -> list[str]:
    """Imports from a package that stands on a later line, and packages that stand on none."""
    level = {name: number for number, line in enumerate(layers.split("\n")) for name in line.split()}
    faults = []
    for name, targets in edges.items():
        own = name.split(".")[1] if "." in name else ""
        if own in ("", "__main__"):
            continue
        if own not in level:
            faults.append(f"{name}: {own} stands in no layer of scripts/check_layout.py")
            continue
        for target in sorted(targets):
            other = target.split(".")[1] if "." in target else ""
            if other and other != own and level.get(other, 99) > level[own]:
                faults.append(f"{name} imports {target}, which stands above it")
    return faults


def circles(edges: dict[str, set[str]]) -> list[str]:
    """Modules that import one another, once around (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    faults: list[str] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in sorted(edges[name]):
            if target not in index:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], index[target])
        if low[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                faults.append(f"these import one another: {', '.join(sorted(group))}")

    for name in edges:
        if name not in index:
            visit(name)
    return faults


def too_long(files: list[Path], most: int = MOST_LINES) -> list[str]:
    faults = []
    for path in files:
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > most and "Long because" not in (ast.get_docstring(ast.parse(text)) or ""):
            faults.append(
                f"{path}: {text.count(chr(10))} lines, over {most}; split it, or say 'Long because ...' at its top"
            )
    return faults


def twice(source: Path) -> list[str]:
    """Names of files that occur twice in one package of the first level."""
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in sorted(source.rglob("*.py")):
        inside = path.relative_to(source)
        if path.name != "__init__.py" and len(inside.parts) > 1:
            places[inside.parts[0], path.name].append(str(inside))
    return [f"one name for two files: {', '.join(found)}" for found in places.values() if len(found) > 1]


def one_class_a_name(source: Path) -> list[str]:
    """Names of classes that occur twice in the project."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(source.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{path.relative_to(source)}:{node.lineno}")
    return [f"one name for two classes: {name} in {', '.join(at)}" for name, at in places.items() if len(at) > 1]


def main() -> int:
    source = ROOT / "src" / "compoclip"
    edges = graph(source)
    files = [
        path for folder in ("src", "benchmarks", "scripts", "tests") for path in sorted((ROOT / folder).rglob("*.py"))
    ]
    faults = upward(edges) + circles(edges) + too_long(files) + twice(source) + one_class_a_name(source)
    print(*faults, sep="\n", end="\n" if faults else "")
    print(f"layout: {len(edges)} modules, {len(files)} files, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

"""The commands that README and docs show: which there are, and which of them say that they need more than a CPU.

In a block, a comment says it (`# needs a GPU`, `# takes minutes`): on the command's own line, or alone on a line for
all below it. In a sentence, the words behind the command say it: `compoclip data get coco` (needs the network).
What has an ellipsis, a choice (`a|b`) or a word in capitals stands for many commands and is a form.
"""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.S | re.M)
INDENTED = re.compile(r"(?:^    .*\n)+", re.M)
INLINE = re.compile(r"`((?:compoclip|python|torchrun) [^`]+)`((?: \(|, which )(?:needs|takes)[^`]{,20})?")
MARK = re.compile(r"\b(?:needs|takes) (?:a |an |the )?(?:GPUs?|network|server|data|minutes|hours)\b")
OURS = ("compoclip", "python", "torchrun")
GIVEN = ("DATA", "CAPTIONS")  # words in capitals that stand for something which every reader has


@dataclass(frozen=True)
class Command:
    page: str
    text: str
    marked: bool
    bare: bool = False  # a name in a sentence, which says nothing of how the command is called

    @property
    def form(self) -> bool:
        holes = [word for word in self.words if re.fullmatch(r"[A-Z][A-Z|]*", word) and word not in GIVEN]
        return bool(self.bare or holes or re.search(r"…|\.\.\. |\||\[", self.text))

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)


def shown(page: Path, root: Path = ROOT) -> list[Command]:
    """Every command of a page that runs this program, a script or a benchmark of ours, in the order of the page."""
    text, name = page.read_text(encoding="utf-8"), str(page.relative_to(root))
    rest = FENCED.sub("", text)
    blocks = [block for language, block in FENCED.findall(text) if language in ("", "bash", "console")]
    blocks += [re.sub(r"^    ", "", block, flags=re.M) for block in INDENTED.findall(rest)]
    found = [Command(name, *command) for block in blocks for command in _lines(block)]
    for command, behind in INLINE.findall(rest):
        bare = len(command.split()) < (4 if command.split()[1] in ("data", "negatives") else 3)
        found.append(Command(name, command.replace(r"\|", "|"), bool(MARK.search(behind)), bare))
    return [command for command in found if command.text.split()[0] in OURS]


def _lines(block: str) -> Iterator[tuple[str, bool]]:
    """(command, whether it is marked) of a block; where some lines begin with `$`, the others are output."""
    lines = block.replace("\\\n", " ").splitlines()
    if any(line.startswith("$ ") for line in lines):
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    below = False
    for line in lines:
        command, _, comment = line.partition(" #") if not line.startswith("#") else ("", "", line)
        below = below or (not command and bool(MARK.search(comment)))
        command = " ".join(command.removesuffix("&").split())
        if command:
            yield command, below or bool(MARK.search(comment))


def snippets(page: Path) -> list[str]:
    """The Python blocks of a page."""
    return [block for language, block in FENCED.findall(page.read_text(encoding="utf-8")) if language == "python"]


def check_docstring(function: Any) -> None:
    """A public function's docstring speaks of its parameters and errors, and its example is a call that fits it."""
    function = inspect.unwrap(function)
    doc, signature = inspect.getdoc(function) or "", inspect.signature(function)
    untold = [parameter for parameter in signature.parameters if not re.search(rf"\b{parameter}\b", doc, re.I)]
    assert not untold, "parameters that the docstring does not speak of"
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    raised = {
        ast.unparse(n.exc.func) for n in ast.walk(tree) if isinstance(n, ast.Raise) and isinstance(n.exc, ast.Call)
    }
    assert all(fault in doc for fault in raised), raised
    examples = re.findall(r"^(?:>>> |Example: )(.*)$", doc, re.M)
    assert examples, "no example"
    calls = [call for line in examples for call in ast.walk(ast.parse(line)) if isinstance(call, ast.Call)]
    own = [call for call in calls if ast.unparse(call.func).split(".")[-1] == function.__name__]
    assert own, f"no example calls {function.__name__}"
    for call in own:  # a wrong name or number of arguments raises TypeError; **facts stands for what is not shown
        bind = signature.bind_partial if any(k.arg is None for k in call.keywords) else signature.bind
        bind(*call.args, **{keyword.arg: keyword.value for keyword in call.keywords if keyword.arg})

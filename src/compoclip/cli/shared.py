"""What the commands share: the groups and the way a result is printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table


def group(help: str) -> typer.Typer:
    """A command that has commands."""
    return typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=help)


def tell(values: dict[str, Any]) -> None:
    """A result as YAML, which people and programs both read."""
    import yaml

    print(yaml.safe_dump(json.loads(json.dumps(values, default=str)), sort_keys=False, allow_unicode=True), end="")


def tell_part(part: str | Table) -> None:
    """A part of what a command ends with: a sentence, a command to copy, or a table."""
    from compoclip.progress import output, show

    if isinstance(part, str):
        show(output(), part)
    else:
        output().print(part)

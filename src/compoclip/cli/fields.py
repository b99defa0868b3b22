"""Options made from the fields of a settings model: its descriptions, defaults and choices are the command's help."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from compoclip.config.settings import SettingError
from compoclip.errors import InputError

M = TypeVar("M", bound=BaseModel)


def flags_of(model: type[BaseModel], *without: str, prefix: str = "") -> dict[str, str]:
    """A flag for each field but some: `per_caption` is `--per-caption`; a switch that is on has a `--no-...` too."""
    names = [name for name in model.model_fields if name not in without]
    flags = {name: f"{prefix}{name}".replace("_", "-") for name in names}
    on = {name for name in names if model.model_fields[name].default is True}
    return {name: f"--{flag}/--no-{flag}" if name in on else f"--{flag}" for name, flag in flags.items()}


def options_of(
    model: type[BaseModel],
    flags: Mapping[str, str],
    words: Collection[str] = (),
    prefix: str = "",
    usual: str = "default {}",
    defaults: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one option for each of some fields; it receives them as `**fields`, None where not given.

    flags: field -> its flag; words: fields that take a word as well as a number; prefix: of the names in `fields`;
    usual: how the help tells a default; defaults: those of this command, in place of the model's. What a field may be
    is checked by the model, so that files and flags are refused alike (`settings_of`). Options stand after the
    command's arguments and what it requires, and before its own.

    >>> @options_of(TrainConfig, {"lora_rank": "--lora"})
    ... def command(name: str, resume: bool = False, **fields): ...
    """
    made = []
    for name, flag in flags.items():
        info = model.model_fields[name]
        default = (defaults or {}).get(name, None if info.is_required() else info.default)
        made.append(_option(prefix + name, info, flag, name in words, _told_default(default, usual)))

    def wrap(command: Callable[..., None]) -> Callable[..., None]:
        def called(**values: Any) -> None:
            command(**values)

        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        own = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        first = [p for p in own if _is_argument(p) or p.default is p.empty]
        rest = [p for p in own if p not in first]
        called.__name__, called.__doc__ = command.__name__, command.__doc__
        ordered = [*first, *made, *rest]
        called.__signature__ = signature.replace(parameters=ordered)  # type: ignore[attr-defined]
        called.__annotations__ = {p.name: p.annotation for p in ordered}
        return called

    return wrap


def _is_argument(parameter: inspect.Parameter) -> bool:
    return any(isinstance(x, typer.models.ArgumentInfo) for x in getattr(parameter.annotation, "__metadata__", ()))


def settings_of(model: type[M], flags: Mapping[str, str], given: Mapping[str, Any]) -> M:
    """The settings of what was given (None where it was not). Raises InputError that names flags, not fields."""
    try:
        return model(**{name: value for name, value in given.items() if value is not None})
    except SettingError as error:
        raise InputError(error.told(lambda name: flags.get(name, name).partition("/")[0])) from None


def _option(name: str, info: FieldInfo, flag: str, word: bool, default: str) -> inspect.Parameter:
    kinds = _kinds(info.annotation)
    told = f"{info.description or name.replace('_', ' ')}{default}"
    told = told[0].upper() + told[1:]
    choices = [value for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)]
    if kinds == [bool]:
        annotation: Any = Annotated[bool | None, typer.Option(flag, help=told)]
    elif kinds == [tuple[Path, ...]]:
        annotation = Annotated[list[Path] | None, typer.Option(flag, help=told)]
    elif choices and not word:
        annotation = Annotated[str | None, typer.Option(flag, help=told, metavar="|".join(choices))]
    else:
        plain = str if word else next((kind for kind in (int, float, Path) if kinds == [kind]), str)
        annotation = Annotated[Union[plain, None], typer.Option(flag, help=told)]  # noqa: UP007
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _kinds(annotation: Any) -> list[Any]:
    """The types a field may have, without None."""
    if get_origin(annotation) in (Union, types.UnionType):
        return [kind for kind in get_args(annotation) if kind is not type(None)]
    return [annotation]


def _told_default(default: Any, usual: str) -> str:
    if isinstance(default, bool) or default in (None, "", (), {}):
        return "."
    told = ",".join(default) if isinstance(default, tuple) else default
    return f" ({usual.format(told)})."

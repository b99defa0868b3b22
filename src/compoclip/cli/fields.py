"""Options made from the fields of a settings model: its descriptions, defaults and choices are the command's help."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo


def options_of(
    model: type[BaseModel], flags: Mapping[str, str], words: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one option for each of some fields; it receives them as `**fields`, None where not given.

    flags: field -> its flag; words: fields that take a word as well as a number. What a field may be is checked by the
    model, so that files and flags are refused alike. Options stand after the command's arguments and before its own.

    >>> @options_of(TrainConfig, {"lora_rank": "--lora"})
    ... def command(name: str, resume: bool = False, **fields): ...
    """
    made = [_option(name, model.model_fields[name], flag, name in words) for name, flag in flags.items()]

    def wrap(command: Callable[..., None]) -> Callable[..., None]:
        def called(**values: Any) -> None:
            command(**values)

        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        own = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        first = [p for p in own if _is_argument(p)]
        rest = [p for p in own if not _is_argument(p)]
        called.__name__, called.__doc__ = command.__name__, command.__doc__
        ordered = [*first, *made, *rest]
        called.__signature__ = signature.replace(parameters=ordered)  # type: ignore[attr-defined]
        called.__annotations__ = {p.name: p.annotation for p in ordered}
        return called

    return wrap


def _is_argument(parameter: inspect.Parameter) -> bool:
    return any(isinstance(x, typer.models.ArgumentInfo) for x in getattr(parameter.annotation, "__metadata__", ()))


def _option(name: str, info: FieldInfo, flag: str, word: bool) -> inspect.Parameter:
    kinds = _kinds(info.annotation)
    told = f"{info.description or name.replace('_', ' ')}{_default(info)}"
    told = told[0].upper() + told[1:]
    choices = [value for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)]
    if kinds == [bool]:
        annotation: Any = Annotated[bool | None, typer.Option(flag, help=told)]
    elif choices:
        annotation = Annotated[str | None, typer.Option(flag, help=told, metavar="|".join(choices))]
    else:
        plain = str if word else next((kind for kind in (int, float) if kinds == [kind]), str)
        annotation = Annotated[Union[plain, None], typer.Option(flag, help=told)]  # noqa: UP007
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _kinds(annotation: Any) -> list[Any]:
    """The types a field may have, without None."""
    if get_origin(annotation) in (Union, types.UnionType):
        return [kind for kind in get_args(annotation) if kind is not type(None)]
    return [annotation]


def _default(info: FieldInfo) -> str:
    if info.is_required() or isinstance(info.default, bool) or info.default in (None, "", ()):
        return "."
    return f" ({info.default}, or the recipe's)."

"""The public surface as text: every public module's `__all__`, with signatures.

Run:  python scripts/public_surface.py      (rewrites tests/public_surface.txt, which a test compares with the code)

A line is `module.name`, and the signature of what can be called, the methods of a class or the type of a value. What a
model of settings takes is its fields. Written alike by every Python version: annotations are as the source has them.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from compoclip.losses import TERMS

TEXT = Path(__file__).parents[1] / "tests" / "public_surface.txt"
# what CONTRACT and documentation name; each says in `__all__` what of it is meant for others
PUBLIC = """
compoclip blending config config.build config.evaluate config.llm config.settings config.train decode encoding errors
data.loader data.sources data.sources.base data.sources.opening data.world
evaluation evaluation.aggregate evaluation.benchmark evaluation.encoders evaluation.evaluate evaluation.questions
evaluation.results evaluation.scoring evaluation.task
export export.convert export.formats
losses losses.features losses.masks losses.objective
models models.load models.model models.save
negatives negatives.build negatives.engine negatives.kinds negatives.store negatives.types
report report.explain report.explain_figure reproduce serve serve.app serve.limits
training training.loop
"""
PUBLIC += " ".join(f"losses.{term}" for term in sorted(TERMS))  # a module each


def annotation(value: Any) -> str:
    """An annotation as the source spells it, whether kept as text, as a forward reference or as an object."""
    text = getattr(value, "__forward_arg__", value)
    return text if isinstance(text, str) else inspect.formatannotation(text)


def signature(call: Any, method: bool = False) -> str:
    found = inspect.signature(call)
    parameters = []
    for number, parameter in enumerate(found.parameters.values()):
        if method and number == 0 and parameter.name in ("self", "cls"):
            continue
        plain = parameter.replace(annotation=inspect.Parameter.empty, default=inspect.Parameter.empty)
        text = str(plain)
        if parameter.annotation is not inspect.Parameter.empty:
            text += f": {annotation(parameter.annotation)}"
        if parameter.default is not inspect.Parameter.empty:
            text += f" = {re.sub(r' at 0x[0-9a-f]+', '', repr(parameter.default))}"
        parameters.append(("*, " if _first_keyword(found, parameter.name) else "") + text)
    back = "" if found.return_annotation is inspect.Signature.empty else f" -> {annotation(found.return_annotation)}"
    return f"({', '.join(parameters)}){back}"


def _first_keyword(found: inspect.Signature, name: str) -> bool:
    kinds = [p.kind for p in found.parameters.values()]
    keywords = [p.name for p in found.parameters.values() if p.kind is inspect.Parameter.KEYWORD_ONLY]
    return inspect.Parameter.VAR_POSITIONAL not in kinds and keywords[:1] == [name]


def described(path: str, value: Any) -> Iterator[str]:
    """The lines of one public name."""
    if inspect.isclass(value):
        fields = getattr(value, "model_fields", None)
        if fields is not None:
            yield path
            yield from (f"{path}.{name}: {annotation(value.__annotations__[name])}" for name in fields)
        elif issubclass(value, BaseException):
            yield f"{path}({', '.join(base.__name__ for base in value.__bases__)})"
        elif dataclasses.is_dataclass(value) or "__init__" in vars(value) or hasattr(value, "_fields"):
            yield path + re.sub(r" -> .*$", "", signature(value))
        else:
            yield path
        for name, member in sorted(vars(value).items()):
            if name.startswith("_") or fields is not None or name in getattr(value, "_fields", ()):
                continue
            if isinstance(member, (property, staticmethod, classmethod)) or inspect.isfunction(member):
                call = getattr(member, "fget", None) or getattr(member, "__func__", member)
                shown = signature(call, method=not isinstance(member, staticmethod))
                yield f"{path}.{name}{shown[2:] if isinstance(member, property) else shown}"
    elif callable(value) and hasattr(value, "__name__"):
        yield path + signature(value)
    elif inspect.ismodule(value):
        yield f"{path}: module"
    else:
        yield f"{path}: {type(value).__name__}"


def surface() -> str:
    lines: list[str] = []
    homes = [name if name == "compoclip" else f"compoclip.{name}" for name in PUBLIC.split()]
    for name in homes:
        module = importlib.import_module(name)
        for public in sorted(module.__all__):
            value, path = getattr(module, public), f"{module.__name__}.{public}"
            home = getattr(value, "__module__", "")
            lines += [f"{path} = {home}.{public}"] if home != name and home in homes else described(path, value)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TEXT.write_text(surface(), encoding="utf-8")
    print(f"{TEXT}: written; look at `git diff` and tell users of names that changed (CONTRIBUTING, deprecation)")

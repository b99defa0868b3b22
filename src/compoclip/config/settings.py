"""What all settings have in common: frozen, no unknown names, and one line that names the value that does not fit."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import UnionType
from typing import Any, Union, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from compoclip.errors import InputError

__all__ = ["SettingError", "Settings"]


class SettingError(InputError):
    """A value that does not fit. `field` is the setting's name, "" where several do not fit together.

    Names of settings stand in backticks in `reason`, so that the command line can put its flags in their place.
    """

    def __init__(self, field: str, reason: str) -> None:
        self.field, self.reason = field, reason
        super().__init__(self.told(lambda name: name))

    def told(self, name_of: Callable[[str], str]) -> str:
        """The message, with every setting under the name that `name_of` gives it."""
        reason = re.sub(r"`(\w+)`", lambda found: name_of(found[1]), self.reason)
        return f"{name_of(self.field)}: {reason}" if self.field else reason


class Settings(BaseModel):
    """Settings of one kind of work. Raises SettingError (an InputError) for a value that does not fit.

    A field's description is its help on the command line, where its default and its choices stand beside it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            first = error.errors()[0]
            loc = [str(part) for part in first["loc"]]
            info = type(self).model_fields.get(loc[0]) if loc else None
            if info is not None and get_origin(info.annotation) in (Union, UnionType):
                loc = loc[:1]  # what follows is the kind of value that was tried, and no name
            told = str(first.get("ctx", {}).get("error", "")) or first["msg"]
            if isinstance(first["input"], (int, float, str)):
                told += f" (given {first['input']!r})"
            field = ".".join(loc)
            raise SettingError(field, told) from None

"""The tensors of a TorchScript archive (OpenAI's own files are such), read without running the program in it.

An archive is a zip: `data.pkl` names objects and tensors, `data/N` contains their bytes, `code/` the program. Only the
first two are read, by an unpickler that knows the few names such a pickle may contain and makes empty
boxes of everything else.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from compoclip.errors import InputError

STORAGES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class Box:
    """Stands for an object of the program: what it contains, and none of what it does."""

    def __init__(self) -> None:
        self.held: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.held = state if isinstance(state, dict) else {}


def is_torchscript(path: Path) -> bool:
    """Whether a file is a zip with a `code/` folder beside its pickle."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    return any("/code/" in name for name in names) and any(name.endswith("/data.pkl") for name in names)


def read_torchscript(path: Path) -> dict[str, Tensor]:
    """The archive's parameters and buffers by the names a state dict gives them. Raises InputError for anything odd."""
    try:
        with zipfile.ZipFile(path) as archive:
            root = next(n for n in archive.namelist() if n.endswith("/data.pkl")).removesuffix("data.pkl")
            state = dict(_tensors(_Unpickler(archive, root).load(), "", ()))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:  # zipfile, pickle and torch raise many kinds over broken bytes
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: a TorchScript archive that cannot be read ({why})") from None
    if not state:
        raise InputError(f"{path}: no weights in this TorchScript archive")
    return state


def _tensors(value: Any, name: str, above: tuple[int, ...]) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, Box):
        if id(value) in above:
            raise InputError(f"its module {name!r} contains itself")
        for key, inner in value.held.items():
            if isinstance(inner, (Box, Tensor)):
                yield from _tensors(inner, f"{name}.{key}" if name else str(key), (*above, id(value)))


class _Unpickler(pickle.Unpickler):
    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(io.BytesIO(archive.read(f"{root}data.pkl")))
        self.archive, self.root = archive, root
        self.read: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("__torch__"):
            return Box
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        known: dict[tuple[str, str], Callable[..., Any]] = {
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch._utils", "_rebuild_parameter"): lambda data, *_: data,
            ("collections", "OrderedDict"): dict,
        }
        if (module, name) in known:
            return known[module, name]
        if module == "torch.jit._pickle":
            return lambda value, *_: value  # lists of numbers, and type tags
        raise InputError(f"the archive asks for {module}.{name}, which no weights need; refused, and nothing was run")

    def persistent_load(self, identity: Any) -> Tensor:
        _, dtype, key, _, count = identity
        if key not in self.read:
            data = bytearray(self.archive.read(f"{self.root}data/{key}"))
            self.read[key] = torch.frombuffer(data, dtype=dtype) if data else torch.zeros(0, dtype=dtype)
        if self.read[key].numel() != count:
            raise InputError(f"tensor {key} has {self.read[key].numel()} numbers and should have {count}: cut short")
        return self.read[key]


def _tensor(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Tensor:
    reach = offset + sum((n - 1) * step for n, step in zip(size, stride)) + 1 if all(size) else 0
    if min((offset, *size, *stride), default=0) < 0 or reach > storage.numel():
        raise InputError("a tensor reaches beyond its storage")
    if math.prod(size) > storage.numel():
        raise InputError("a tensor states more numbers than its storage has")
    return storage.as_strided(tuple(size), tuple(stride), offset).clone()

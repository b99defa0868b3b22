"""Weights from a file: a state dict by itself or inside a checkpoint, and what is wrong where it does not fit.

No code in a file is run: safetensors, or pickle through `torch.load(weights_only=True)`.
"""

from __future__ import annotations

import argparse
import pickle
import textwrap
import warnings
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path, PosixPath, PurePosixPath
from typing import Any

import torch
from open_clip.convert import convert_state_dict
from open_clip.factory import load_checkpoint
from open_clip.model import convert_to_custom_text_state_dict, resize_pos_embed
from torch import Tensor

from compoclip.errors import InputError
from compoclip.models.layouts import as_floats, recognised, tidy
from compoclip.models.torchscript import is_torchscript, read_torchscript

NESTED = ("state_dict", "model_state_dict", "model", "module", "student")  # where training scripts keep them
PREFIXES = ("module.", "_orig_mod.")  # DistributedDataParallel and torch.compile
# numbers beside the weights: of torch's AveragedModel, and of OpenAI's archives, where the shapes tell the same
COUNTS = ("n_averaged", "input_resolution", "context_length", "vocab_size")


class Setting:
    """Stands for a number of numpy's beside the weights: it is read as nothing, and none of numpy is called."""

    def __init__(self, *_: Any) -> None: ...

    def __setstate__(self, _: Any) -> None: ...


# what contains settings and runs nothing; training scripts leave such beside their weights
_HARMLESS: list[Any] = [argparse.Namespace, OrderedDict, defaultdict, set, PosixPath, PurePosixPath]
_HARMLESS += [(Setting, f"numpy.{name}") for name in ("dtype", "ndarray")]
_HARMLESS += [
    (Setting, f"numpy.{package}.multiarray.{name}")
    for package in ("core", "_core")  # before and since numpy 2
    for name in ("scalar", "_reconstruct")
]


def first_line(error: BaseException) -> str:
    """One line that says what an exception of some library is about."""
    if isinstance(error, pickle.UnpicklingError):
        return "the file contains more than weights, and its code is not run; save its state dict alone, as safetensors"
    return textwrap.shorten((str(error).strip() or type(error).__name__).splitlines()[0], 300, placeholder=" …")


def read_tensors(path: str | Path) -> Any:
    """What a weights file contains, tensors and plain values alone; no code in it is run.

    Raises InputError for a file that is absent, cut short, no weights file, or wants to run code.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(str(path))
        _check_archive(path)
        if is_torchscript(path):
            return read_torchscript(path)
        with warnings.catch_warnings(), torch.serialization.safe_globals(_HARMLESS):
            warnings.simplefilter("ignore")  # what matters is raised
            found = torch.load(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except Exception as error:  # torch, zipfile, pickle and safetensors raise many kinds
        raise InputError(f"{path}: cannot load it ({first_line(error)})") from error
    _check_content(found, path)
    return found


def _check_archive(path: Path) -> None:
    """Refuse a zip with a member that unpacks to more than the file: torch packs nothing, so it is a bomb or broken."""
    if not zipfile.is_zipfile(path):
        return
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        large = next((member for member in archive.infolist() if member.file_size > size), None)
    if large is not None:
        raise InputError(f"{path}: its part {large.filename!r} says it is larger than the file; no weights file is so")


def _check_content(found: Any, path: Path) -> None:
    """Refuse dicts and lists that hold themselves, and tensors stretched over fewer numbers than they state."""
    todo: list[tuple[str, Any, tuple[int, ...]]] = [("", found, ())]
    seen: set[int] = set()
    while todo:
        name, value, above = todo.pop()
        if isinstance(value, Tensor):
            check_plain(name, value, path)
        if not isinstance(value, (dict, list, tuple)):
            continue
        if id(value) in above:
            raise InputError(f"{path}: {name!r} contains itself; no weights file is so")
        if id(value) not in seen:  # what several hold is looked at once
            seen.add(id(value))
            items = value.items() if isinstance(value, dict) else enumerate(value)
            todo += [(str(key), inner, (*above, id(value))) for key, inner in items]


def check_plain(name: str, tensor: Tensor, path: str | Path) -> None:
    """Refuse what is no ordinary array in memory: sparse, quantised, without storage, or stretched."""
    if tensor.layout != torch.strided or tensor.is_meta or tensor.is_quantized or tensor.is_nested:
        raise InputError(f"{path}: {name} is no plain tensor (sparse, quantised or empty); save it dense")
    held = tensor.untyped_storage().nbytes() // tensor.element_size()
    if tensor.numel() > held:
        raise InputError(f"{path}: {name} states {tensor.numel()} numbers and contains {held}; save it whole")


def _state_dict(found: Any, path: str | Path) -> dict[str, Tensor]:
    while isinstance(found, dict) and (inner := next((k for k in NESTED if isinstance(found.get(k), dict)), None)):
        found = found[inner]
    state = {k: v for k, v in found.items() if isinstance(v, Tensor)} if isinstance(found, dict) else {}
    if not state:
        raise InputError(
            f"{path}: no weights in it; it must contain a state dict, by itself or under {', '.join(NESTED)}"
        )
    counts = [name for name in state if name.rpartition(".")[2] in COUNTS and state[name].numel() == 1]
    state = {name: value for name, value in state.items() if name not in counts}
    for prefix in PREFIXES * 2:  # either may be the outer one
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return _one_model(state, path)


def _one_model(state: dict[str, Tensor], path: str | Path) -> dict[str, Tensor]:
    """Weights without the name that a training module gave its model (`model.`, `clip.`), told by the logit scale.

    Raises InputError where there are several models, or weights beside the one.
    """
    ends = [name for name in state if name == "logit_scale" or name.endswith(".logit_scale")]
    prefixes = [name.removesuffix("logit_scale") for name in ends]
    if len(prefixes) > 1:
        raise InputError(f"{path}: models under {', '.join(map(repr, prefixes))}; save the one that is meant by itself")
    if not prefixes or not prefixes[0]:
        return state
    beside = [name for name in state if not name.startswith(prefixes[0])]
    if beside:
        raise InputError(
            f"{path}: {len(beside)} weights beside those under {prefixes[0]!r}, the first {beside[0]}; save the "
            "model's state dict by itself"
        )
    return {name.removeprefix(prefixes[0]): value for name, value in state.items()}


def load_weights(clip: Any, path: str | Path, architecture: str) -> dict[str, str]:
    """Put a file's weights into an open_clip model, in any of the layouts that open_clip itself converts.

    Returns what was changed on the way, for the model's `info`: a grid of image positions that was resized.
    Raises InputError that names the first weight that is absent, unknown, or of another shape; a table of text
    positions of another length among them, whose resizing would move every word.
    """
    if Path(path).suffix in (".npz", ".npy"):  # big_vision's arrays
        load_checkpoint(clip, str(path))
        return {}
    found = read_tensors(path)
    state = tidy(found, str(path)).state if recognised(found) else as_floats(_state_dict(found, path), str(path))
    own = clip.state_dict()
    try:
        state = convert_state_dict(clip, state)
        if "positional_embedding" in state and not hasattr(clip, "positional_embedding"):
            state = convert_to_custom_text_state_dict(state)
        for name in ("logit_scale", "logit_bias"):
            if name in state and name in own and state[name].numel() == 1:
                state[name] = state[name].reshape(own[name].shape)
        if "logit_bias" in own and "logit_bias" not in state and "logit_scale" in state:
            state["logit_bias"] = torch.zeros_like(own["logit_bias"])
        if "text.transformer.embeddings.position_ids" not in own:
            state.pop("text.transformer.embeddings.position_ids", None)
        changed = _resized(clip, state, path)
    except InputError:
        raise
    except Exception as error:  # conversions index what they expect to be there
        refuse(own, state, path, architecture)
        raise InputError(f"{path}: open_clip cannot convert it ({first_line(error)})") from error
    refuse(own, state, path, architecture)
    clip.load_state_dict(state)
    return changed


def _resized(clip: Any, state: dict[str, Tensor], path: str | Path) -> dict[str, str]:
    """Resize the grid of image positions in `state` to the model's, as open_clip does, and tell of it."""
    own = clip.state_dict()
    for name in ("positional_embedding", "text.positional_embedding"):
        if name in state and name in own and len(state[name]) != len(own[name]):
            raise InputError(
                f"{path}: {len(state[name])} text positions, and {len(own[name])} in the architecture; name the one "
                f"with context_length {len(state[name])} that the file was trained as"
            )
    name = "visual.positional_embedding"
    before = state[name].shape if name in state else None
    resize_pos_embed(state, clip)
    if before is None or state[name].shape == before:
        return {}
    told = f"{before[0]} to {state[name].shape[0]} positions, interpolated"
    return {"resized_image_grid": told}


def refuse(own: dict[str, Tensor], state: dict[str, Tensor], path: str | Path, architecture: str) -> None:
    """Raise InputError for the first weight that does not fit."""
    other = [name for name in own if name in state and own[name].shape != state[name].shape]
    if other:
        have, need = tuple(state[other[0]].shape), tuple(own[other[0]].shape)
        raise InputError(
            f"{path}: {other[0]} is {have} in the file and {need} in {architecture} ({len(other)} weights differ so); "
            "name the architecture that the file was trained as"
        )
    kinds = [n for n in own if n in state and own[n].is_floating_point() != state[n].is_floating_point()]
    if kinds:
        raise InputError(
            f"{path}: {kinds[0]} is of {state[kinds[0]].dtype} in the file and of {own[kinds[0]].dtype} in "
            f"{architecture} ({len(kinds)} weights differ so); save it in float32"
        )
    absent = [name for name in own if name not in state]
    if absent:
        raise InputError(
            f"{path}: {len(absent)} of {architecture}'s {len(own)} weights are not in the file, the first {absent[0]}; "
            f"it has {next(iter(state))}"
        )
    unknown = [name for name in state if name not in own]
    if unknown:
        raise InputError(f"{path}: {len(unknown)} weights are none of {architecture}'s, the first {unknown[0]}")

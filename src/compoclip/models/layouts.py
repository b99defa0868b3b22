"""Published layouts of CLIP weights brought to open_clip's names; the facts are in `layouts.yaml`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from compoclip.errors import InputError
from compoclip.models.lora_merge import Merged, has_factors, merge_factors


@lru_cache(maxsize=1)
def table() -> dict[str, Any]:
    """`layouts.yaml`."""
    found: dict[str, Any] = yaml.safe_load((resources.files("compoclip.models") / "layouts.yaml").read_text("utf-8"))
    return found


@dataclass
class ImportedState:
    """A state dict in open_clip's names, and how it was found in its file."""

    state: dict[str, Tensor]
    family: str = "open_clip"
    wrapper: str = ""
    prefix: str = ""
    beside: list[str] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    lora: Merged | None = None


def tidy(found: Any, where: str, lora_alpha: float | None = None) -> ImportedState:
    """What a file contains -> `ImportedState`. Every tensor is placed, or left out for a reason that is told.

    Raises InputError for a file without CLIP weights, with two models, with weights that are no numbers, and for keys
    that no rule places, naming the first.
    """
    state, wrapper, beside = _unwrap(found, where)
    facts = table()
    prefix, family = _anchor(state, facts, where)
    kept, dropped = _select(state, prefix, facts, where)
    merged = None
    if has_factors(kept, facts["lora"]):
        alpha = facts["lora_alpha"] if lora_alpha is None else lora_alpha
        kept = {k.removeprefix("base_model.model.").replace(".base_layer.", "."): v for k, v in kept.items()}
        kept, merged = merge_factors(kept, facts["lora"], alpha, where)
    if family == "huggingface":
        kept = from_huggingface(kept, where)
    kept = as_floats(kept, where)
    if "logit_scale" in kept:
        kept["logit_scale"] = kept["logit_scale"].reshape(())
    return ImportedState(kept, family, wrapper, prefix, beside, dropped, merged)


def recognised(found: Any) -> bool:
    """Whether a file's content contains a CLIP with towers of open_clip's, OpenAI's or Hugging Face's own names."""
    anchors = tuple(anchor for anchors in table()["families"].values() for anchor in anchors)
    while isinstance(found, dict):
        if any(isinstance(value, Tensor) and str(key).endswith(anchors) for key, value in found.items()):
            return True
        found = next((found[k] for k in table()["wrappers"] if isinstance(found.get(k), dict)), None)
    return False


def _unwrap(found: Any, where: str) -> tuple[dict[str, Tensor], str, list[str]]:
    """The innermost dict of tensors, the path of keys to it, and what lies beside it."""
    facts, path, beside = table(), [], []
    while isinstance(found, dict):
        inner = next((k for k in facts["wrappers"] if isinstance(found.get(k), dict)), None)
        if inner is None or any(isinstance(v, Tensor) and "." in str(k) for k, v in found.items()):
            break
        for key in found:
            if key != inner and key not in facts["beside"] and isinstance(found[key], (dict, Tensor)):
                raise InputError(f"{where}: {key!r} beside {inner!r} is not known; save the state dict alone")
        beside += [str(key) for key in found if key != inner]
        path.append(inner)
        found = found[inner]
    if not isinstance(found, dict):
        raise InputError(f"{where}: no weights in it; it must contain a state dict")
    state = {str(k): v for k, v in found.items() if isinstance(v, Tensor)}
    if not state:
        raise InputError(f"{where}: no weights in it; a state dict may lie under {', '.join(facts['wrappers'])}")
    return state, ".".join(path), beside + [str(k) for k, v in found.items() if not isinstance(v, Tensor)]


def _anchor(state: dict[str, Tensor], facts: dict[str, Any], where: str) -> tuple[str, str]:
    """(prefix, family) by the key that every model of a family has."""
    places = [
        (key[: -len(anchor)], family)
        for family, anchors in facts["families"].items()
        for anchor in anchors
        for key in _plain(state)
        if key == anchor or key.endswith(f".{anchor}")
    ]
    own = [p for p in places if not any(mark in f".{p[0]}" for mark in (f".{m}" for m in facts["second_models"]))]
    if len(own) > 1:
        names = " and ".join(repr(prefix) for prefix, _ in own[:2])
        raise InputError(f"{where}: two models in it, under {names}; save the one that is meant by itself")
    if not own:
        first = next(iter(state))
        raise InputError(
            f"{where}: none of its {len(state)} weights is a CLIP vision transformer's patch layer (the first is "
            f"{first}); for another architecture give NAME:FILE with open_clip's name"
        )
    return own[0]


def _plain(state: dict[str, Tensor]) -> list[str]:
    """Keys, as they are where peft has wrapped a layer."""
    return [key.replace(".base_layer.", ".") for key in state]


def _select(
    state: dict[str, Tensor], prefix: str, facts: dict[str, Any], where: str
) -> tuple[dict[str, Tensor], dict[str, int]]:
    """Weights of the chosen model with the prefix taken off; the rest counted by reason."""
    kept = {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
    dropped: Counter[str] = Counter()
    for key, value in state.items():
        inside = key.startswith(prefix)
        name = key[len(prefix) :] if inside else _beside(key, prefix)
        second = any(f".{name}".find(f".{mark}") >= 0 for mark in facts["second_models"])
        reason = "a second model, such as a teacher" if second else _reason(name, facts["dropped"])
        if reason is None and not inside and name in kept and torch.equal(kept[name], value):
            reason = "the same weight under a second name"
        if reason is not None:
            dropped[reason] += 1
            if inside:
                del kept[name]
        elif not inside:
            raise InputError(f"{where}: {key} is none of the towers' weights (they lie under {prefix!r})")
    return kept, dict(dropped)


def _beside(key: str, prefix: str) -> str:
    """A key outside `prefix` without what both begin with: `module.head.weight` by `module.clip.` is `head.weight`."""
    parts = prefix.split(".")
    outer = [".".join(parts[:n]) + "." for n in range(len(parts) - 1, 0, -1)]
    return next((key[len(part) :] for part in outer if key.startswith(part)), key)


def _reason(name: str, patterns: dict[str, str]) -> str | None:
    return next((why for pattern, why in patterns.items() if fnmatch(name, pattern)), None)


def as_floats(state: dict[str, Tensor], where: str) -> dict[str, Tensor]:
    """Floating weights in float32. Raises InputError for the first with a value that is no number."""
    state = {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    for key, value in state.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise InputError(
                f"{where}: {key} contains values that are no numbers (NaN or infinite): a broken run's file"
            )
    return state


def _block_names(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """(Hugging Face's, open_clip's) name of every part of a block that is the same tensor in both."""
    return [
        (f"{theirs}.{end}", f"{ours}.{end}")
        for theirs, ours in facts["huggingface_block"].items()
        for end in ("weight", "bias")
    ]


def from_huggingface(state: dict[str, Tensor], where: str) -> dict[str, Tensor]:
    """A CLIPModel's weights in open_clip's names: projections transposed, query, key and value packed in that order.

    Raises InputError for a key that CLIPModel does not have.
    """
    facts, left, out = table(), dict(state), {}
    for theirs, rule in facts["huggingface"].items():
        if theirs in left:
            value = left.pop(theirs)
            out[rule["to"]] = value.T.contiguous() if rule.get("t") else value
    for theirs, ours in facts["huggingface_towers"].items():
        for layer in sorted({k[len(theirs) + 1 :].split(".")[0] for k in left if k.startswith(f"{theirs}.")}):
            source, target = f"{theirs}.{layer}", f"{ours}.{layer}"
            for end, packed in (("weight", "in_proj_weight"), ("bias", "in_proj_bias")):
                names = [f"{source}.self_attn.{part}_proj.{end}" for part in "qkv"]
                absent = [name for name in names if name not in left]
                if absent:
                    raise InputError(f"{where}: {absent[0]} is not in the file")
                out[f"{target}.attn.{packed}"] = torch.cat([left.pop(name) for name in names])
            for their_end, our_end in _block_names(facts):
                if f"{source}.{their_end}" in left:
                    out[f"{target}.{our_end}"] = left.pop(f"{source}.{their_end}")
    if left:
        raise InputError(f"{where}: {len(left)} weights are none of a CLIPModel's, the first {next(iter(left))}")
    return out


def to_huggingface(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The other way. Raises InputError for a key that has no place in a CLIPModel."""
    facts, left, out = table(), dict(state), {}
    for theirs, rule in facts["huggingface"].items():
        if rule["to"] in left:
            value = left.pop(rule["to"])
            out[theirs] = value.T.contiguous() if rule.get("t") else value
    for theirs, ours in facts["huggingface_towers"].items():
        for layer in sorted({k[len(ours) + 1 :].split(".")[0] for k in left if k.startswith(f"{ours}.")}):
            source, target = f"{ours}.{layer}", f"{theirs}.{layer}"
            for end, packed in (("weight", "in_proj_weight"), ("bias", "in_proj_bias")):
                for part, value in zip("qkv", left.pop(f"{source}.attn.{packed}").chunk(3)):
                    out[f"{target}.self_attn.{part}_proj.{end}"] = value.contiguous()
            for their_end, our_end in _block_names(facts):
                if f"{source}.{our_end}" in left:
                    out[f"{target}.{their_end}"] = left.pop(f"{source}.{our_end}")
    if left:
        raise InputError(f"{len(left)} weights have no place in a Hugging Face CLIPModel, the first {next(iter(left))}")
    return out


def published(path: Path) -> dict[str, str] | None:
    """The released checkpoint that a file's name is like, if there is one."""
    name = path.name.lower()
    return next((row for row in table()["published"] if fnmatch(name, row["files"].lower())), None)

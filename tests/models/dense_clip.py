"""CLIP's two towers written out once more in plain float64 matrices, as an independent reference."""

from __future__ import annotations

import numpy as np

Arrays = dict[str, np.ndarray]


def make_arrays(seed: int = 0, context: int = 77, vocabulary: int = 49408) -> Arrays:
    """Random weights of a small ViT CLIP in OpenAI's names: image 32, patch 8, 2 blocks of 128; text 2 blocks of 64."""
    rng = np.random.default_rng(seed)
    out: Arrays = {
        "visual.class_embedding": rng.normal(0, 0.2, 128),
        "visual.positional_embedding": rng.normal(0, 0.2, (17, 128)),
        "visual.conv1.weight": rng.normal(0, 0.1, (128, 3, 8, 8)),
        "visual.proj": rng.normal(0, 0.1, (128, 32)),
        "positional_embedding": rng.normal(0, 0.2, (context, 64)),
        "token_embedding.weight": rng.normal(0, 0.2, (vocabulary, 64)),
        "text_projection": rng.normal(0, 0.1, (64, 32)),
        "logit_scale": np.array(4.6),
    }
    norms = {"visual.ln_pre": 128, "visual.ln_post": 128, "ln_final": 64}
    for tower, width in (("visual.transformer", 128), ("transformer", 64)):
        for i in range(2):
            block = f"{tower}.resblocks.{i}"
            norms |= {f"{block}.ln_1": width, f"{block}.ln_2": width}
            shapes = {
                "attn.in_proj_weight": (3 * width, width), "attn.in_proj_bias": (3 * width,),
                "attn.out_proj.weight": (width, width), "attn.out_proj.bias": (width,),
                "mlp.c_fc.weight": (4 * width, width), "mlp.c_fc.bias": (4 * width,),
                "mlp.c_proj.weight": (width, 4 * width), "mlp.c_proj.bias": (width,),
            }  # fmt: skip
            out |= {f"{block}.{name}": rng.normal(0, 0.08, shape) for name, shape in shapes.items()}
    for name, width in norms.items():
        out[f"{name}.weight"], out[f"{name}.bias"] = 1 + rng.normal(0, 0.1, width), rng.normal(0, 0.1, width)
    return {name: value.astype(np.float32) for name, value in out.items()}


def image_features(w: Arrays, pixels: np.ndarray, quick: bool) -> np.ndarray:
    """Pixels (N, 3, 32, 32) -> rows of length 1."""
    w = {k: v.astype(np.float64) for k, v in w.items()}
    patches = pixels.astype(np.float64).reshape(len(pixels), 3, 4, 8, 4, 8).transpose(0, 2, 4, 1, 3, 5)
    x = patches.reshape(len(pixels), 16, 192) @ w["visual.conv1.weight"].reshape(128, 192).T
    first = np.broadcast_to(w["visual.class_embedding"], (len(pixels), 1, 128))
    x = np.concatenate([first, x], 1) + w["visual.positional_embedding"]
    x = _blocks(w, "visual.transformer", _norm(w, "visual.ln_pre", x), None, quick)
    return _unit(_norm(w, "visual.ln_post", x[:, 0]) @ w["visual.proj"])


def text_features(w: Arrays, ids: np.ndarray, quick: bool) -> np.ndarray:
    """Ids (N, T), the end token being the largest -> rows of length 1."""
    w = {k: v.astype(np.float64) for k, v in w.items()}
    length = ids.shape[1]
    x = w["token_embedding.weight"][ids] + w["positional_embedding"][:length]
    mask = np.triu(np.full((length, length), -np.inf), 1)
    x = _norm(w, "ln_final", _blocks(w, "transformer", x, mask, quick))
    return _unit(x[np.arange(len(ids)), ids.argmax(1)] @ w["text_projection"])


def _blocks(w: Arrays, tower: str, x: np.ndarray, mask: np.ndarray | None, quick: bool) -> np.ndarray:
    for i in range(2):
        b = f"{tower}.resblocks.{i}"
        x = x + _attention(w, b, _norm(w, f"{b}.ln_1", x), mask)
        h = _norm(w, f"{b}.ln_2", x) @ w[f"{b}.mlp.c_fc.weight"].T + w[f"{b}.mlp.c_fc.bias"]
        h = h / (1 + np.exp(-1.702 * h)) if quick else h * (1 + _erf(h / np.sqrt(2))) / 2
        x = x + h @ w[f"{b}.mlp.c_proj.weight"].T + w[f"{b}.mlp.c_proj.bias"]
    return x


def _attention(w: Arrays, b: str, x: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    n, t, width = x.shape
    packed = x @ w[f"{b}.attn.in_proj_weight"].T + w[f"{b}.attn.in_proj_bias"]
    q, k, v = (packed[..., j * width : (j + 1) * width].reshape(n, t, -1, 64).transpose(0, 2, 1, 3) for j in range(3))
    scores = q @ k.transpose(0, 1, 3, 2) / 8.0
    scores = scores if mask is None else scores + mask
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    mixed = (weights / weights.sum(-1, keepdims=True)) @ v
    out = mixed.transpose(0, 2, 1, 3).reshape(n, t, width)
    return out @ w[f"{b}.attn.out_proj.weight"].T + w[f"{b}.attn.out_proj.bias"]


def _norm(w: Arrays, name: str, x: np.ndarray) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def _erf(x: np.ndarray) -> np.ndarray:
    import math

    return np.vectorize(math.erf)(x)

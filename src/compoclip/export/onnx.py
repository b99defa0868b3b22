"""A model as two ONNX graphs, pixels to features and token ids to features, of any batch size."""

from __future__ import annotations

import contextlib
import io
import logging
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compoclip.errors import InputError
from compoclip.export.equality import CAPTIONS, Equality, compare, sample_pixels
from compoclip.io import write_json
from compoclip.models import Model
from compoclip.models.save import save_tokenizer

OPSET = 18
INPUTS = {"image": ("pixel_values", "image_embeds"), "text": ("input_ids", "text_embeds")}


class _Tower(nn.Module):
    def __init__(self, model: Model, kind: str) -> None:
        super().__init__()
        self.clip, self.model, self.kind = model.clip, model, kind

    def forward(self, batch: Tensor) -> Tensor:
        if self.kind == "image":
            return F.normalize(self.model.image_features(batch).pooled, dim=-1)
        return F.normalize(self.model.text_features(batch, cut=False).pooled, dim=-1)


def write(model: Model, folder: Path) -> Equality:
    """Write `image.onnx`, `text.onnx`, the tokenizer and `preprocess.json`; returns the comparison by onnxruntime."""
    _need()
    with _quiet():
        for kind, example in (("image", sample_pixels(model)[:2]), ("text", model.tokenize(CAPTIONS[:2]))):
            entry, leaving = INPUTS[kind]
            torch.onnx.export(
                _Tower(model, kind).eval(),
                (example,),
                folder / f"{kind}.onnx",
                dynamo=True,
                opset_version=OPSET,
                input_names=[entry],
                output_names=[leaving],
                dynamic_shapes={"batch": {0: torch.export.Dim("batch", min=1)}},
                verbose=False,
            )
    write_json(folder / "preprocess.json", _preprocess(model))
    from compoclip.export.huggingface import tokenizer

    if model.config["model_cfg"]["text_cfg"].get("hf_model_name") is None:
        save_tokenizer(tokenizer(model), folder)
    return check(model, folder)


def _preprocess(model: Model) -> dict[str, Any]:
    cfg = model.config["model_cfg"]
    return {
        **{k: v for k, v in model.config["preprocess_cfg"].items() if not callable(v)},
        "image_size": cfg["vision_cfg"]["image_size"],
        "context_length": cfg["text_cfg"].get("context_length", 77),
        "logit_scale": model.scale,
        "activation": model.info["activation"],
        "normalised": True,
    }


def check(model: Model, folder: Path) -> Equality:
    """Run both graphs by onnxruntime alone on batches of other sizes than the traced one."""
    onnxruntime = _need()
    sessions = {
        kind: onnxruntime.InferenceSession(str(folder / f"{kind}.onnx"), providers=["CPUExecutionProvider"])
        for kind in INPUTS
    }

    def run(kind: str, batch: Tensor) -> Tensor:
        return torch.from_numpy(sessions[kind].run(None, {INPUTS[kind][0]: batch.numpy()})[0])

    keys = len(model.clip.state_dict())
    return compare(model, lambda batch: run("image", batch), lambda ids: run("text", ids), keys)


def _need() -> Any:
    try:
        import onnx  # noqa: F401
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError(f"--to onnx needs {error.name}: pip install 'compoclip[onnx]'") from None
    return onnxruntime


@contextlib.contextmanager
def _quiet() -> Any:
    """The exporter prints its steps and warns of its own internals; what fails is raised."""
    import warnings

    before = logging.root.manager.disable
    fast = torch.backends.mha.get_fastpath_enabled()
    logging.disable(logging.WARNING)
    torch.backends.mha.set_fastpath_enabled(False)  # a fused kernel that ONNX has no operator for
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
        torch.backends.mha.set_fastpath_enabled(fast)

"""The formats of `convert`: who writes each, and what its reader is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from compoclip.export import adapter, huggingface, onnx, open_clip_folder
from compoclip.export.equality import Equality

__all__ = ["FORMATS", "Format"]


@dataclass(frozen=True)
class Format:
    """One format.

    write: `write(model, folder)` fills an empty folder, loads it again with the library that it is meant for, and
    returns the comparison. description: what is written, for `compoclip ls exports`. library, use: the model card's
    `library_name`, and the call that loads FOLDER. task: the card's `pipeline_tag`, where the hub can run the folder.
    takes: which of `base` (the model that was fine-tuned) and `rank` are arguments of `write` too.
    """

    write: Callable[..., Equality]
    description: str
    library: str
    use: str
    task: str = ""
    takes: frozenset[str] = frozenset()


FORMATS: dict[str, Format] = {
    "open_clip": Format(
        open_clip_folder.write,
        "open_clip's configuration, safetensors and the tokenizer",
        "open_clip",
        'open_clip.create_model_and_transforms("local-dir:FOLDER")',
        "zero-shot-image-classification",
    ),
    "hf": Format(
        huggingface.write,
        "a CLIPModel of transformers with tokenizer and image processor",
        "transformers",
        "transformers.CLIPModel.from_pretrained(FOLDER)",
        "zero-shot-image-classification",
    ),
    "onnx": Format(
        onnx.write,
        "two graphs, images and texts to features, of any batch size",
        "onnx",
        'onnxruntime.InferenceSession("image.onnx"), ("text.onnx")',
    ),
    "adapter": Format(
        adapter.write,
        "the change from a base model as LoRA in peft's format",
        "peft",
        "peft.PeftModel.from_pretrained(base as a CLIPModel, FOLDER)",
        takes=frozenset({"base", "rank"}),
    ),
}

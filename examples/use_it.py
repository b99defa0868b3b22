"""The result of a run in other programs: plain open_clip reads it as it is, transformers after one conversion.

    python examples/use_it.py runs/fsc out

Neither needs compoclip to load the model; the features are the same to 1e-4, which `convert` checks before it writes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import open_clip
import torch
from PIL import Image
from transformers import AutoModel, AutoProcessor

import compoclip
from compoclip.export import convert


def main(model: str, out: Path) -> dict[str, float]:
    folder = Path(model) / "export"
    if not folder.is_dir():  # a name such as tiny or ViT-B-32:openai
        convert(model, "open_clip", out / "open_clip")
        folder = out / "open_clip"
    convert(model, "hf", out / "hf")

    image = Image.new("RGB", (64, 64), "white")
    captions = ["a red square left of a blue circle", "a blue square left of a red circle"]
    ours = compoclip.load(model).score(image, captions)

    clip, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    clip.eval()
    with torch.no_grad():
        pixels = clip.encode_image(preprocess(image)[None], normalize=True)
        texts = clip.encode_text(tokenizer(captions), normalize=True)
    plain = (texts @ pixels.T)[:, 0]

    tower, processor = AutoModel.from_pretrained(out / "hf").eval(), AutoProcessor.from_pretrained(out / "hf")
    with torch.no_grad():
        found = tower(**processor(text=captions, images=image, return_tensors="pt", padding=True))
    hugging = (found.text_embeds @ found.image_embeds.T)[:, 0]

    print(f"compoclip {ours.tolist()}, open_clip {plain.tolist()}, transformers {hugging.tolist()}")
    return {"open_clip": float((plain - ours).abs().max()), "transformers": float((hugging - ours).abs().max())}


if __name__ == "__main__":
    print(main(sys.argv[1], Path(sys.argv[2])))

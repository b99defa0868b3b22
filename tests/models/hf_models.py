"""Tiny Hugging Face checkpoints with fresh weights, tokenizer and image processor, made without the hub."""

from __future__ import annotations

from pathlib import Path

import torch

from .clips import WORDS

TOWER = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
PICTURE = {"image_size": 32, "patch_size": 8}


def write_tokenizer(folder: Path, kind: str) -> int:
    """A tokenizer of whole words; CLIP's has a start and an end token, SigLIP's an end token that also pads."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["<start>", "[UNK]"] if kind == "clip" else ["[UNK]"]
    words = [*special, *WORDS, "<end>"]  # the end token has the highest id: CLIP pools at it
    ids = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    begin = "<start> " if kind == "clip" else ""
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin}$A <end>", special_tokens=[(t, ids[t]) for t in ("<start>", "<end>") if t in ids]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<end>", eos_token="<end>", unk_token="[UNK]"
    ).save_pretrained(folder)
    return len(words)


def write_checkpoint(folder: Path, kind: str, length: int = 12, safe: bool = True) -> Path:
    """A `clip`, `siglip` or `siglip2` checkpoint whose texts are at most `length` tokens."""
    import transformers as t

    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    size = write_tokenizer(folder, kind)
    text = {**TOWER, "vocab_size": size, "max_position_embeddings": length, "eos_token_id": size - 1}
    text |= {"bos_token_id": 0, "pad_token_id": size - 1}
    if kind == "clip":
        config = t.CLIPConfig(text_config=text, vision_config={**TOWER, **PICTURE}, projection_dim=12)
        model, processor = t.CLIPModel(config), t.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32)
    elif kind == "siglip":
        config = t.SiglipConfig(text_config={**text, "projection_size": 16}, vision_config={**TOWER, **PICTURE})
        model, processor = t.SiglipModel(config), t.SiglipImageProcessor(size={"height": 32, "width": 32})
    else:
        vision = {**TOWER, "patch_size": 8, "num_patches": 16}
        config = t.Siglip2Config(text_config={**text, "projection_size": 16}, vision_config=vision)
        model, processor = t.Siglip2Model(config), t.Siglip2ImageProcessor(patch_size=8, max_num_patches=16)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    processor.save_pretrained(folder)
    model.save_pretrained(folder)
    if not safe:
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return folder

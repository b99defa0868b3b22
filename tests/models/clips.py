"""Small models of every kind of tower open_clip builds: made of a configuration, so no network and no waiting."""

from __future__ import annotations

import json
from pathlib import Path

import open_clip
import torch

from compoclip.models import Model, load

COLOURS, SHAPES = ["red", "blue", "green", "big", "small"], ["square", "circle", "cat", "dog"]
WORDS = [*COLOURS, *SHAPES, "a", "the", "two", "and", "is", "left", "right", "of", "above", "below", "!", ","]
VIT = {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8}
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
NONCAUSAL_TEXT = {**TEXT, "context_length": 16, "no_causal_mask": True, "pool_type": "last", "proj_bias": True}


def _timm(name: str, pool: str = "avg", proj: str = "linear") -> dict:
    return {"timm_model_name": name, "timm_model_pretrained": False, "timm_pool": pool, "timm_proj": proj}


CONFIGS: dict[str, dict] = {
    "vit": {"vision_cfg": VIT},
    "vit-quick": {"vision_cfg": VIT, "quick_gelu": True},
    "vit-avg": {"vision_cfg": {**VIT, "pool_type": "avg", "final_ln_after_pool": True}},
    "vit-attention-pool": {"vision_cfg": {**VIT, "attentional_pool": True, "attn_pooler_heads": 2}},
    "custom": {"vision_cfg": VIT, "custom_text": True},
    "resnet": {"vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None}},
    "timm-vit": {"vision_cfg": {**_timm("test_vit", "token"), "image_size": 160}, "custom_text": True},
    "timm-vit-mean": {"vision_cfg": {**_timm("test_vit", "avg", "mlp"), "image_size": 160}},
    "timm-vit-classifier": {"vision_cfg": {**_timm("test_vit", "avg", ""), "image_size": 160}},
    "timm-vit-map": {"vision_cfg": {**_timm("vit_tiny_patch16_224", "map", "none"), "image_size": 224}},
    "timm-convnext": {"vision_cfg": {**_timm("test_convnext"), "image_size": 160}},
    "timm-convnext-classifier": {"vision_cfg": {**_timm("test_convnext", "avg", ""), "image_size": 160}},
    "timm-resnet": {"vision_cfg": {**_timm("test_resnet"), "image_size": 160}},
    "noncausal": {"vision_cfg": VIT, "text_cfg": NONCAUSAL_TEXT, "custom_text": True, "init_logit_bias": -10},
    "eos": {"vision_cfg": VIT, "text_cfg": {**TEXT, "pool_type": "eos", "eos_id": 49407}, "custom_text": True},
    "mobileclip": {"vision_cfg": VIT, "text_cfg": {**TEXT, "no_causal_mask": True}, "custom_text": True},
    "coca": {
        "vision_cfg": {**VIT, "attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True},
        "text_cfg": {**TEXT, "context_length": 76, "embed_cls": True, "output_tokens": True},
        "multimodal_cfg": {"context_length": 76, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
        "custom_text": True,
    },
    "hf-mean": {"vision_cfg": VIT, "text_cfg": {"hf_pooler_type": "mean_pooler", "hf_proj_type": "mlp"}},
    "hf-cls": {"vision_cfg": VIT, "text_cfg": {"hf_pooler_type": "cls_pooler", "hf_proj_type": "linear"}},
}


def register(folder: Path) -> None:
    """Write the configurations and make them known to open_clip."""
    bert = write_bert(folder / "bert")
    for name, config in CONFIGS.items():
        full = {"embed_dim": 24, "text_cfg": TEXT, **config}
        if name.startswith("hf"):
            names = {"hf_model_name": str(bert), "hf_tokenizer_name": str(bert), "context_length": 20}
            full["text_cfg"] = {**full["text_cfg"], **names}
        if name == "timm-vit-map":
            full["embed_dim"] = 192
        (folder / f"t-{name}.json").write_text(json.dumps(full))
    open_clip.add_model_config(folder)


def write_bert(folder: Path) -> Path:
    """A two-layer BERT's configuration and a tokenizer with whole words."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocabulary = {word: i for i, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertConfig(vocab_size=len(vocabulary), max_position_embeddings=40, **sizes).save_pretrained(folder)
    return folder


@torch.no_grad()
def make(name: str, seed: int = 0) -> Model:
    """A model whose every weight is off its initial value, so that a forgotten bias or gain shows."""
    torch.manual_seed(seed)
    model = load(f"t-{name}:random")
    for parameter in model.clip.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    for key, buffer in model.clip.named_buffers():
        if key.endswith(("running_mean", "running_var")):
            buffer.add_(0.1 * torch.rand_like(buffer))
    return model


def pixels(model: Model, count: int = 3, seed: int = 1) -> torch.Tensor:
    size = model.clip.visual.image_size
    height, width = size if isinstance(size, (tuple, list)) else (size, size)
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(seed))


def captions(count: int = 6, seed: int = 0, longest: int = 12) -> list[str]:
    """Captions of 1 to `longest` words."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, longest + 1, (count,), generator=generator).tolist()
    picks = [torch.randint(len(WORDS), (n,), generator=generator).tolist() for n in lengths]
    return [" ".join(WORDS[i] for i in row) for row in picks]

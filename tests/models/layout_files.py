"""Checkpoints written as the published repositories' scripts write them: their key names, factors and what lies beside.

Each writer takes dense arrays in OpenAI's names and returns the path and the dense arrays that the file means, so with
LoRA the sum W + alpha / r B A worked out here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from .dense_clip import Arrays


def _tensors(arrays: Arrays, prefix: str = "") -> dict[str, torch.Tensor]:
    return {prefix + name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}


def _optimizer() -> dict:
    moments = {0: {"step": torch.tensor(5.0), "exp_avg": torch.zeros(3), "exp_avg_sq": torch.zeros(3)}}
    return {"state": moments, "param_groups": [{"lr": 5e-6, "betas": (0.9, 0.98), "params": [0]}]}


def _open_clip_train(arrays: Arrays, prefix: str = "module.") -> dict:
    """What open_clip's training script saves after an epoch; NegCLIP, DeGLA, FSC-CLIP and CE-CLIP are built on it."""
    return {
        "epoch": 5,
        "name": "run",
        "state_dict": _tensors(arrays, prefix),
        "optimizer": _optimizer(),
        "scaler": {"scale": 65536.0, "growth_factor": 2.0, "_growth_tracker": 3},
    }


def openai(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    extra = {
        "input_resolution": torch.tensor(32),
        "context_length": torch.tensor(77),
        "vocab_size": torch.tensor(49408),
    }
    torch.save({**_tensors(arrays), **extra}, folder / "openai.pt")
    return folder / "openai.pt", arrays


def openai_torchscript(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    class Leaf(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    root = Leaf()
    for name, tensor in _tensors(arrays).items():
        *parents, last = name.split(".")
        place: torch.nn.Module = root
        for part in parents:
            if part not in place._modules:
                place.add_module(part, Leaf())
            place = place._modules[part]  # type: ignore[assignment]
        place.register_parameter(last, torch.nn.Parameter(tensor.half()))
    torch.jit.script(root).save(str(folder / "ViT-B-32.pt"))
    return folder / "ViT-B-32.pt", {k: v.astype(np.float16).astype(np.float32) for k, v in arrays.items()}


def open_clip_plain(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    save_file(_tensors(arrays), folder / "open_clip_model.safetensors")
    return folder / "open_clip_model.safetensors", arrays


def open_clip_custom_text(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    text = ("transformer.", "positional_embedding", "token_embedding", "ln_final", "text_projection")
    renamed = {f"text.{k}" if k.startswith(text) else k: v for k, v in arrays.items()}
    mask = {"text.attn_mask": torch.zeros(77, 77)}
    torch.save({**_tensors(renamed), **mask}, folder / "custom.pt")
    return folder / "custom.pt", arrays


def training_run(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    import argparse

    content = {**_open_clip_train(arrays), "args": argparse.Namespace(lr=5e-6, name="run")}
    torch.save(content, folder / "epoch_5.pt")
    return folder / "epoch_5.pt", arrays


def fsc_clip(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    torch.save(_open_clip_train(arrays, ""), folder / "coco_fsc-clip-ViT-B-32.pt")
    return folder / "coco_fsc-clip-ViT-B-32.pt", arrays


def degla(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    """Its script saves the student alone; a run that kept its teacher has it beside, which is the harder case."""
    content = _open_clip_train(arrays)
    content["state_dict"] |= {f"module.teacher.{k}": v + 1 for k, v in _tensors(arrays).items() if "ln" in k}
    torch.save(content, folder / "DeGLA.pt")
    return folder / "DeGLA.pt", arrays


def negclip(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    torch.save(_open_clip_train(arrays), folder / "negclip.pth")
    return folder / "negclip.pth", arrays


def ce_clip(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    torch.save(_open_clip_train(arrays), folder / "CE_CLIP.pt")
    return folder / "CE_CLIP.pt", arrays


def clove(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    short = {**arrays, "positional_embedding": arrays["positional_embedding"][:64]}
    torch.save(_open_clip_train(short), folder / "clove_without_patching.pt")
    return folder / "clove_without_patching.pt", short


def trohn(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    content = {"epoch": 3, "model_state_dict": _tensors(arrays), "optimizer_state_dict": _optimizer(), "loss": 0.5}
    torch.save(content, folder / "best.pt")
    return folder / "best.pt", arrays


def clove_patched(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    """What its script writes after patching (WiSE-FT): a state dict alone, of the length that CLIP was cut to."""
    short = {**arrays, "positional_embedding": arrays["positional_embedding"][:64]}
    torch.save(_tensors(short), folder / "clove.pt")
    return folder / "clove.pt", short


def con_clip(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    import argparse

    settings = argparse.Namespace(device=torch.device("cpu"), lr=1e-6, out=Path("runs"))
    torch.save({"model": _tensors(arrays), "optimizer": _optimizer(), "args": settings}, folder / "conclip_b32.pt")
    return folder / "conclip_b32.pt", arrays


def negbench(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    torch.save(_tensors(arrays, "module."), folder / "conclip_b32_openclip_version.pt")
    return folder / "conclip_b32_openclip_version.pt", arrays


def _pipeline(arrays: Arrays, prefix: str) -> dict[str, torch.Tensor]:
    """CS-CLIP's pipeline: CLIP as `model`, and a head."""
    head = {"head.weight": torch.zeros(4, 4), "head.bias": torch.zeros(4)}
    return _tensors(arrays, f"{prefix}model.") | {f"{prefix}{k}": v for k, v in head.items()}


def cs_clip(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    torch.save(_pipeline(arrays, ""), folder / "checkpoint_step_15000.pt")
    return folder / "checkpoint_step_15000.pt", arrays


def cs_clip_wrapped(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    """With all that its `save_checkpoint` puts beside, the pipeline and the model in it still wrapped."""
    state = _tensors(arrays, "module.model.module.") | {"module.head.weight": torch.zeros(4, 4)}
    beside = {"optimizer_state_dict": _optimizer(), "scheduler_state_dict": {"last_epoch": 3}, "metric": 0.5, "step": 3}
    torch.save({"model_state_dict": state, "config": {"lr": 1e-6}, **beside}, folder / "cs_clip.pt")
    return folder / "cs_clip.pt", arrays


def cs_clip_best(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    torch.save({"best_model_state_dict": _pipeline(arrays, "_orig_mod."), "epoch": 1}, folder / "best_checkpoint.pt")
    return folder / "best_checkpoint.pt", arrays


def clic(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    import argparse

    content = {**_open_clip_train(arrays, "module.model."), "args": argparse.Namespace(lr=1e-6)}
    torch.save(content, folder / "checkpoint.pt")
    return folder / "checkpoint.pt", arrays


def macco(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    """CLIP as `CLIP` of a wrapper, whose scale is registered there once more, all of it in DistributedDataParallel."""
    state = _tensors(arrays, "module.CLIP.") | {"module.logit_scale": torch.from_numpy(np.array(arrays["logit_scale"]))}
    state |= {f"module.prediction_{kind}.self_attn_blocks.0.weight": torch.zeros(4, 4) for kind in ("text", "image")}
    state |= {"module.text_mask_token": torch.zeros(64), "module.img_mask_token": torch.zeros(128)}
    torch.save({"epoch": 5, "name": "run", "state_dict": state, "optimizer": _optimizer()}, folder / "macco.pt")
    return folder / "macco.pt", arrays


def compiled(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    torch.save({"state_dict": _tensors(arrays, "_orig_mod.module.")}, folder / "compiled.pt")
    return folder / "compiled.pt", arrays


def huggingface_names(arrays: Arrays) -> Arrays:
    """A CLIPModel's state dict, written out name by name."""
    a, out = arrays, {"logit_scale": arrays["logit_scale"]}
    out["text_model.embeddings.token_embedding.weight"] = a["token_embedding.weight"]
    out["text_model.embeddings.position_embedding.weight"] = a["positional_embedding"]
    out["vision_model.embeddings.class_embedding"] = a["visual.class_embedding"]
    out["vision_model.embeddings.patch_embedding.weight"] = a["visual.conv1.weight"]
    out["vision_model.embeddings.position_embedding.weight"] = a["visual.positional_embedding"]
    out["text_projection.weight"] = a["text_projection"].T.copy()
    out["visual_projection.weight"] = a["visual.proj"].T.copy()
    for end in ("weight", "bias"):
        out[f"text_model.final_layer_norm.{end}"] = a[f"ln_final.{end}"]
        out[f"vision_model.pre_layrnorm.{end}"] = a[f"visual.ln_pre.{end}"]
        out[f"vision_model.post_layernorm.{end}"] = a[f"visual.ln_post.{end}"]
    for theirs, ours, width in (("text_model", "transformer", 64), ("vision_model", "visual.transformer", 128)):
        for i in range(2):
            to, source = f"{theirs}.encoder.layers.{i}", f"{ours}.resblocks.{i}"
            for end, packed in (("weight", "in_proj_weight"), ("bias", "in_proj_bias")):
                for j, part in enumerate(("q", "k", "v")):
                    rows = a[f"{source}.attn.{packed}"][j * width : (j + 1) * width]
                    out[f"{to}.self_attn.{part}_proj.{end}"] = rows.copy()
                out[f"{to}.self_attn.out_proj.{end}"] = a[f"{source}.attn.out_proj.{end}"]
                out[f"{to}.layer_norm1.{end}"] = a[f"{source}.ln_1.{end}"]
                out[f"{to}.layer_norm2.{end}"] = a[f"{source}.ln_2.{end}"]
                out[f"{to}.mlp.fc1.{end}"] = a[f"{source}.mlp.c_fc.{end}"]
                out[f"{to}.mlp.fc2.{end}"] = a[f"{source}.mlp.c_proj.{end}"]
    return out


def read_clip(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    """READ-CLIP: a CLIPModel in safetensors, its positions as older transformers wrote them."""
    state = _tensors(huggingface_names(arrays))
    state["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    state["vision_model.embeddings.position_ids"] = torch.arange(17)[None]
    save_file(state, folder / "model.safetensors")
    return folder / "model.safetensors", arrays


def read_training(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    state = _tensors(huggingface_names(arrays), "clip.") | {"decoder.lm_head.weight": torch.zeros(4, 4)}
    state |= {"decoder.shared.weight": torch.zeros(4, 4), "decoder_text_projection.weight": torch.zeros(4, 4)}
    torch.save(state, folder / "pytorch_model.bin")
    return folder / "pytorch_model.bin", arrays


def _loralib(arrays: Arrays, rank: int, seed: int, attention_alone: bool = False) -> tuple[Arrays, Arrays]:
    """(what the file holds, what it means): factors beside frozen weights, alpha 1, as in loralib with attention."""
    rng = np.random.default_rng(seed)
    held, means = dict(arrays), {k: v.astype(np.float64) for k, v in arrays.items()}

    def factors(weight: str, a_name: str, b_name: str, out: int, into: int, height: int) -> None:
        a, b = rng.normal(0, 0.3, (height, into)), rng.normal(0, 0.3, (out, height))
        held[a_name], held[b_name] = a.astype(np.float32), b.astype(np.float32)
        change = held[b_name].astype(np.float64) @ held[a_name].astype(np.float64)
        means[weight] = means[weight] + change.reshape(means[weight].shape) * (1 / rank)

    for tower, width in (("visual.transformer", 128), ("transformer", 64)):
        for i in range(2):
            b = f"{tower}.resblocks.{i}"
            packed = f"{b}.attn.in_proj_weight"
            factors(packed, f"{packed}_lora_A", f"{packed}_lora_B", 3 * width, width, rank)
            layers = [("attn.out_proj", width, width), ("mlp.c_fc", 4 * width, width), ("mlp.c_proj", width, 4 * width)]
            for layer, out, into in layers[:1] if attention_alone else layers:
                factors(f"{b}.{layer}.weight", f"{b}.{layer}.lora_A", f"{b}.{layer}.lora_B", out, into, rank)
    if not attention_alone:
        patch = 8
        factors(
            "visual.conv1.weight", "visual.conv1.lora_A", "visual.conv1.lora_B", 128 * patch, 3 * patch, rank * patch
        )
    return held, {k: v.astype(np.float32) for k, v in means.items()}


def fsc_clip_lora(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    held, means = _loralib(arrays, 4, 1)
    torch.save(_open_clip_train(held, ""), folder / "coco_fsc-clip-lora-ViT-B-32.pt")
    return folder / "coco_fsc-clip-lora-ViT-B-32.pt", means


def dac(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    """Numbers of numpy stand beside the weights, in one spelling or the other by numpy's version."""
    held, means = _loralib(arrays, 4, 2)
    content = {**_open_clip_train(held), "loss": np.float64(0.25), "config": {"seeds": np.arange(3)}}
    torch.save(content, folder / "DAC_LLM.pt")
    return folder / "DAC_LLM.pt", means


def dac_attention(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    """Its `--kqv_lora`: factors on attention alone."""
    held, means = _loralib(arrays, 4, 5, attention_alone=True)
    torch.save(_open_clip_train(held), folder / "DAC_SAM.pt")
    return folder / "DAC_SAM.pt", means


def tsvlc(arrays: Arrays, folder: Path) -> tuple[Path, Arrays]:
    held, means = _loralib(arrays, 4, 3)
    torch.save(_open_clip_train(held), folder / "TSVLC_RB.pt")
    return folder / "TSVLC_RB.pt", means


LAYOUTS = (
    openai, openai_torchscript, open_clip_plain, open_clip_custom_text, training_run, fsc_clip, fsc_clip_lora, degla,
    negclip, ce_clip, clove, clove_patched, tsvlc, dac, dac_attention, read_clip, read_training, clic, cs_clip,
    cs_clip_wrapped, cs_clip_best, con_clip, negbench, trohn, macco, compiled,
)  # fmt: skip

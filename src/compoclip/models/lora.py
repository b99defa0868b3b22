"""Low-rank adaptation (Hu et al. 2021) by peft, on plain Linear layers, starting at zero, merged before saving."""

from __future__ import annotations

from typing import Any

from torch import nn

from compoclip.errors import InputError
from compoclip.models.attention import close_attention, open_attention


class Lora:
    """LoRA on the attention and MLP layers of an open_clip module, in place.

    FSC-CLIP (arXiv 2410.05210) uses rank 4 and alpha 1, so a scale of 0.25, on all blocks of both towers, with
    projections, embeddings and the logit scale frozen. Theirs starts off zero inside attention; ours starts at zero.
    """

    def __init__(self, clip: nn.Module, rank: int = 4, alpha: float = 1.0) -> None:
        from peft import LoraConfig, inject_adapter_in_model  # most of a second, which other runs need not wait for

        if rank < 1:
            raise InputError(f"lora_rank={rank}: must be at least 1")
        self.clip, self.rank, self.alpha = clip, rank, alpha
        self._originals = open_attention(clip, in_block)
        targets = [name for name, module in clip.named_modules() if isinstance(module, nn.Linear) and in_block(name)]
        if not targets:
            close_attention(clip, self._originals)
            raise InputError("this model has no transformer blocks with Linear layers to put LoRA on")
        for parameter in clip.parameters():
            parameter.requires_grad_(False)
        scaled: Any = alpha  # annotated as an integer, used as a number
        config = LoraConfig(r=rank, lora_alpha=scaled, target_modules=targets, lora_dropout=0.0, bias="none")
        inject_adapter_in_model(config, clip)

    def merge(self) -> None:
        """Fold the low-rank change into the base weights and restore the module's original structure and keys."""
        from peft.tuners.lora import LoraLayer

        for name, module in list(self.clip.named_modules()):
            if isinstance(module, LoraLayer):
                module.merge()
                self.clip.set_submodule(name, module.get_base_layer())
        close_attention(self.clip, self._originals)
        for parameter in self.clip.parameters():
            parameter.requires_grad_(True)


def in_block(name: str) -> bool:
    """Blocks of open_clip (`resblocks`), timm (`blocks`, `stages`) and HF (`layer`, `layers`, `encoder`) towers.

    Not CoCa's caption decoder, whose blocks look across to the image: no contrastive term trains it.
    """
    return not name.startswith("text_decoder.") and bool(
        {"resblocks", "blocks", "stages", "layer", "layers", "encoder"} & set(name.split("."))
    )

"""`compoclip convert`: checkpoints in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def convert(
    checkpoint: Annotated[str, typer.Argument(help="FILE, DIR, hf:OWNER/NAME[/FILE], NAME:TAG or tiny.")],
    to: Annotated[str, typer.Option(help="The format, such as hf; `compoclip ls exports` lists them.")],
    out: Annotated[Path, typer.Option(help="Folder to write; one that convert wrote before is replaced.")],
    activation: Annotated[str | None, typer.Option(help="gelu or quickgelu, for a weights file.")] = None,
    base: Annotated[
        str | None, typer.Option(help="The model it was trained from: gives activation and adapter.")
    ] = None,
    lora_alpha: Annotated[
        float | None, typer.Option(help="LoRA's alpha of a loralib checkpoint; 1 if not told.")
    ] = None,
    rank: Annotated[int | None, typer.Option(help="Cut an adapter at this rank.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence for the model card.")] = None,
    push_to_hub: Annotated[str | None, typer.Option(help="Upload to this hub repository, OWNER/NAME.")] = None,
) -> None:
    """Import a published checkpoint, or export a model; the features of both are compared.

    Example: compoclip convert coco_fsc-clip-lora-ViT-B-32.pt --activation quickgelu --to hf --out fsc-hf
    """
    from compoclip.export import convert as run
    from compoclip.progress import output

    facts = run(checkpoint, to, out, activation, base, lora_alpha, rank, licence, push_to_hub)
    width = max(map(len, facts["found"]), default=0)
    page = output()
    for name, (value, source) in facts["found"].items():
        page.print(f"{name:<{width}}  {value}  ({source})", soft_wrap=True, markup=False)
    equality, marks = facts["equality"], facts["fingerprint"]
    for name, value in (
        ("fingerprint", f"image {marks['image'][:3]} text {marks['text'][:3]} cosine {marks['cosine']}"),
        (
            "difference",
            f"image {equality['image']:.2g}, text {equality['text']:.2g} (at most {equality['tolerance']:g})",
        ),
        ("transform", _transform(equality)),
    ):
        if value:
            page.print(f"{name:<{width}}  {value}", soft_wrap=True, markup=False)
    print(facts.get("hub") or out)


def _transform(equality: dict[str, Any]) -> str:
    """What the export's own image and text preprocessing gives, where it has one."""
    if equality["preprocessing"] is None:
        return ""
    words = "equal" if equality["tokens"] else "different"
    return f"tokens {words}; pixels {equality['preprocessing']:.2g} apart on average (its own resizing)"

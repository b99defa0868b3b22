"""`compoclip encode`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compoclip.cli.shared import tell


def encode(
    model: Annotated[str, typer.Argument(help="Directory, NAME:PRETRAINED or tiny.")],
    data: Annotated[str, typer.Argument(help="Table, webdataset tars or folder of captioned images.")],
    out: Annotated[Path, typer.Option(help="Folder for the Parquet shards; the same call again goes on.")],
    image_root: Annotated[str | None, typer.Option(help="Folder or tar of the images.")] = None,
    image_key: Annotated[str | None, typer.Option(help="Column of image paths.")] = None,
    caption_key: Annotated[str | None, typer.Option(help="Column of captions.")] = None,
    activation: Annotated[str | None, typer.Option(help="gelu or quickgelu, for a weights file.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N, ...")] = "auto",
    precision: Annotated[str, typer.Option(help="fp32, bf16 or fp16 inside the model; features are fp32.")] = "fp32",
    batch_size: Annotated[int, typer.Option(min=1, help="Images encoded at once.")] = 64,
    workers: Annotated[int, typer.Option(min=1, help="Threads that decode images.")] = 2,
    shard_size: Annotated[int, typer.Option(min=1, help="Images a file.")] = 8192,
) -> None:
    """Features of a large set as Parquet shards, resumable; under torchrun, on several GPUs.

    Example: compoclip encode tiny captions.tsv --out features
    """
    from compoclip.distributed import joined, together
    from compoclip.encoding import encode_set
    from compoclip.models import load

    with joined() as ranks:
        tell(
            encode_set(
                together(ranks, lambda: load(model, device, activation, precision)),
                data,
                out,
                batch_size=batch_size,
                workers=workers,
                shard_size=shard_size,
                ranks=ranks,
                image_root=image_root,
                image_key=image_key,
                caption_key=caption_key,
            )
        )

"""`compoclip serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from compoclip.errors import InputError


def serve(
    model: Annotated[str, typer.Argument(help="Directory, NAME:PRETRAINED or tiny.")],
    base: Annotated[str | None, typer.Option(help="A second model to set beside it, such as the one before.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; the default is this machine alone.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any that is free.")] = 8000,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N, ...")] = "cpu",
    max_mib: Annotated[int, typer.Option(min=1, help="Largest upload, in MiB.")] = 10,
    max_megapixels: Annotated[int, typer.Option(min=1, max=89, help="Largest image, in megapixels.")] = 40,
    rate: Annotated[int, typer.Option(min=1, help="Requests a minute from one address.")] = 120,
) -> None:
    """A web page for one image and some captions: scores of both models, word maps, suggested negatives.

    Example: compoclip serve runs/fsc --base ViT-B-32:openai --port 8000
    """
    try:
        from compoclip.serve import serve as run
        from compoclip.serve.limits import MIB, Limits
    except ImportError as error:
        raise InputError(f"serve needs {error.name}: pip install 'compoclip[serve]'") from None
    run(model, base, host, port, device, Limits(upload=max_mib * MIB, pixels=max_megapixels * 1_000_000, rate=rate))

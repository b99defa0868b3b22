"""`compoclip explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compoclip.errors import InputError


def explain(
    model: Annotated[str, typer.Argument(help="Directory, NAME:PRETRAINED or tiny.")],
    image: Annotated[Path, typer.Argument(help="The image file.")],
    captions: Annotated[list[str], typer.Argument(help="Captions; the first is the one the others differ from.")],
    out: Annotated[Path, typer.Option(help="Image to write (.png, .svg or .pdf); its data goes beside it as .json.")],
    base: Annotated[str | None, typer.Option(help="A second model to set beside it, such as the one before.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N, ...")] = "cpu",
) -> None:
    """Scores of an image's captions, and the patches that each word attends to, as an image and as data.

    Example: compoclip explain runs/fsc photo.jpg "a dog chases a cat" "a cat chases a dog" --out why.png
    """
    from compoclip.decode import open_image
    from compoclip.io import write_json
    from compoclip.models import load
    from compoclip.report.explain import as_data, read
    from compoclip.report.explain_figure import FORMATS, draw

    if out.suffix.lower() not in FORMATS:
        raise InputError(f"--out {out}: an image is written as {', '.join(FORMATS)}")
    pixels = open_image(image, rotate=True)
    names = [base, model] if base else [model]
    readings = [read(load(name, device), pixels, captions, name) for name in names]
    draw(readings, captions, out)
    write_json(out.with_suffix(".json"), as_data(readings, captions, str(image)))
    for reading in readings:
        for caption, score in zip(captions, reading.scores):
            print(f"{score:7.4f}  {reading.name}  {caption}")
        if reading.why:
            print(f"no maps for {reading.name}: {reading.why}")
    print(out)

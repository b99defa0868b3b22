"""`compoclip data`: named sets and the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from compoclip.cli.shared import group, tell

app = group("Data sets and benchmarks: ls, get, check, preview.")


@app.command("ls")
def data_ls() -> None:
    """Named data sets and benchmarks: licence, size, how to get them.

    Example: compoclip data ls
    """
    from compoclip.listing import data_sets

    for line in data_sets():
        print(line)


@app.command("get")
def data_get(
    name: Annotated[str, typer.Argument(help="A name from `compoclip data ls` or `compoclip ls tasks`.")],
    data_root: Annotated[Path, typer.Option(help="Folder to put it in.")] = Path("data"),
    keep_archives: Annotated[bool, typer.Option("--keep-archives", help="Keep what was unpacked.")] = False,
) -> None:
    """Fetch a data set, with checksum and resume; tells what to do where a licence has to be accepted first.

    Example: compoclip data get sugarcrepe --data-root data
    """
    from compoclip.data.getting import get, get_training_set
    from compoclip.data.training_sets import is_training_set
    from compoclip.evaluation.task_data import get_task, is_task

    if is_training_set(name) and not is_task(name):
        tell(get_training_set(name, data_root, keep_archives))
        return
    tell(get_task(name, data_root, keep_archives) if is_task(name) else get(name, data_root, keep_archives))


@app.command("check")
def data_check(
    target: Annotated[str, typer.Argument(help="A name from `data ls` or `ls tasks`, or your own data.")],
    data_root: Annotated[Path, typer.Option(help="Folder of named data sets.")] = Path("data"),
    image_root: Annotated[str | None, typer.Option(help="Folder or tar of the images.")] = None,
    image_key: Annotated[str | None, typer.Option(help="Column of image paths.")] = None,
    caption_key: Annotated[str | None, typer.Option(help="Column of captions.")] = None,
    split: Annotated[str | None, typer.Option(help="Of your own data, this split only.")] = None,
    model: Annotated[str | None, typer.Option(help="Model whose tokenizer tells which captions are cut.")] = None,
) -> None:
    """Tell which files of a named set are missing, or what is in your data and what is wrong with it.

    Example: compoclip data check captions.tsv --image-root images
    """
    from compoclip.data.checking import check, is_named
    from compoclip.evaluation.task_data import check_task, is_task

    if is_task(target) and not Path(target).exists():
        tell(check_task(target, data_root))
        return
    named = is_named(target) and not Path(target).exists()
    keys = {"image_root": image_root, "image_key": image_key, "caption_key": caption_key, "split": split}
    tell(check(target, data_root, **({} if named else {**keys, "tokenizer": _tokenizer(model)})))


@app.command("preview")
def data_preview(
    path: Annotated[str, typer.Argument(help="Table, webdataset tars or folder.")],
    out: Annotated[Path, typer.Option(help="PNG to write.")] = Path("preview.png"),
    count: Annotated[int, typer.Option(help="Samples to show.")] = 12,
    image_root: Annotated[str | None, typer.Option(help="Folder or archive of the images.")] = None,
    image_key: Annotated[str | None, typer.Option(help="Column of image paths.")] = None,
    caption_key: Annotated[str | None, typer.Option(help="Column of captions.")] = None,
    split: Annotated[str | None, typer.Option(help="What is of this split only.")] = None,
) -> None:
    """A sheet of images with their captions.

    Example: compoclip data preview captions.tsv --image-root images --out preview.png
    """
    from compoclip.data.preview import preview
    from compoclip.progress import say

    keys = {"image_root": image_root, "image_key": image_key, "caption_key": caption_key, "split": split}
    shown = preview(path, out, count, **keys)  # type: ignore[arg-type]
    say(f"{path}: {shown['read']}")
    print(shown["out"])


def _tokenizer(model: str | None) -> Any:
    if model is None:
        return None
    import open_clip

    from compoclip.models import load

    name = model.partition(":")[0]
    return open_clip.get_tokenizer(name) if name in open_clip.list_models() else load(model).tokenizer

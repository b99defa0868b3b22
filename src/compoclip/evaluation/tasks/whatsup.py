"""What'sUp: one image, and where its thing lies in two or four captions."""

from __future__ import annotations

from pathlib import PurePosixPath

from compoclip.errors import InputError
from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.questions import Question, Row

# The places of a thing in the names of photos, THING_PLACE_THING.jpeg: two on a line make a pair, four a set.
LINES = {"left": "side", "right": "side", "on": "other", "under": "other", "in-front": "other", "behind": "other"}


def ask(where: str, row: Row) -> tuple[str, Question]:
    """A and B: `image_path`, `caption_options` (true first). COCO and VG: `[image id, true, false]`."""
    image, options = row.get("image_path"), row.get("caption_options")
    if str(row.get("image_id")).isdigit():
        number = int(row["image_id"])
        coco = PurePosixPath(where.partition(": row")[0]).name.startswith("coco")
        image = f"val2017/{number:012d}.jpg" if coco else f"vg_images/{number}.jpg"
        options = [row.get("true"), row.get("false")]
    if not isinstance(image, str) or not isinstance(options, list) or not all(isinstance(o, str) for o in options):
        raise InputError(f"{where} needs image_path and caption_options, or [image, true, false]")
    name = image.replace("\\", "/").removeprefix("data/")  # the loader runs one folder up
    return "", Question([name], options, sets=sets_of(name) if len(options) == 4 else {})


def sets_of(name: str) -> dict[str, str]:
    """The pair and the set of a controlled photo, as the project takes them from its file's name."""
    first, *places = PurePosixPath(name).stem.split("_")
    things = f"{first} {places[-1] if places else ''}"
    return {"pair": f"{things} {LINES.get(places[0] if places else '', name)}", "set": things}


TASK = benchmark("whatsup", ask=ask)

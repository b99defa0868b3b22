"""An image and captions in, what the page shows out: scores of both models, maps, and suggested hard negatives."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from compoclip.decode import open_image
from compoclip.errors import InputError
from compoclip.models import Model
from compoclip.report.explain import Explanation, Map, new_places, read
from compoclip.serve.limits import Limits

KINDS = ("degla", "replace-relations", "count", "negation")
SUGGESTED = 6
VIEW = 448  # pixels of the side at which an image is sent, at most


class Answerer:
    """One or two models (the base first) and the generator of negatives, asked by one thread at a time."""

    def __init__(self, models: Sequence[tuple[str, Model]], limits: Limits) -> None:
        self.models, self.limits = list(models), limits
        self.without_suggestions = ""
        self._generator: Any = None
        self._lock = threading.Lock()

    def warm_up(self) -> None:
        """Load what the first answer needs, and find out whether captions can be parsed here."""
        self.suggest("a brown dog chases a white cat")
        for name, model in self.models:
            read(model, Image.new("RGB", (64, 64)), ["a photo"], name)

    def suggest(self, caption: str) -> list[Any]:
        """Hard negatives of a caption; [] where no parser is installed, and `without_suggestions` says so."""
        if self.without_suggestions:
            return []
        try:
            if self._generator is None:
                from compoclip.negatives import Generator, resolve_kinds

                self._generator = Generator(resolve_kinds(list(KINDS)), SUGGESTED, 0)
            return list(next(iter(self._generator.run([caption], [caption]))))
        except InputError as error:
            self.without_suggestions = str(error)
            return []

    def __call__(self, data: bytes, captions: Sequence[str]) -> dict[str, Any]:
        """What the page shows, as plain data. Raises InputError for an image that cannot be read."""
        image = open_image(data, "your image", rotate=True, max_pixels=self.limits.pixels)
        with self._lock:
            found = [made for made in self.suggest(captions[0]) if made.text not in captions]
            whole = [*captions, *(made.text for made in found)]
            readings = [read(model, image, whole, name) for name, model in self.models]
        scores = [(min(r.scores), max(r.scores)) for r in readings]
        bounds = min(0.0, *(low for low, _ in scores)), max(high for _, high in scores)
        count = len(captions)
        return {
            "models": [r.name for r in readings],
            "why": {r.name: r.why for r in readings if r.why},
            "captions": [_caption(row, whole, readings, bounds, range(count)) for row in range(count)],
            "suggested": [
                _caption(row, whole, readings, bounds, range(0)) | {"kind": found[row - count].kind}
                for row in range(count, len(whole))
            ],
            "without_suggestions": self.without_suggestions,
            "views": [address(_fitted(r.view)) for r in readings],
        }


def _caption(
    row: int, captions: Sequence[str], readings: Sequence[Explanation], bounds: tuple[float, float], rivals: range
) -> dict[str, Any]:
    """One caption: each model's score, whether it is its highest, and its words with their maps."""
    first, words = next(((r.words[0], r.words[row]) for r in readings if r.words), ([], [])) if rivals else ([], [])
    new = new_places([word for word, _ in first], [word for word, _ in words])
    return {
        "text": captions[row],
        "scores": [
            {
                "value": r.scores[row],
                "share": round(100 * max(0.0, r.scores[row] - bounds[0]) / ((bounds[1] - bounds[0]) or 1.0), 1),
                "best": bool(rivals) and r.scores[row] == max(r.scores[i] for i in rivals) and len(rivals) > 1,
                "fooled": not rivals and r.scores[row] >= r.scores[0],
            }
            for r in readings
        ],
        "chosen": max(range(len(words)), key=lambda i: (i in new, len(words[i][0])), default=0),
        "words": [{"word": word, "new": place in new} for place, (word, _) in enumerate(words)],
        "maps": [[_map(r, row, place, word) for place, (word, _) in enumerate(words)] for r in readings],
    }


def _map(reading: Explanation, row: int, place: int, word: str) -> str | None:
    """The map of a word as a small image; None where this model's tokenizer has no such word there."""
    own = reading.words[row] if reading.words else []
    return address(coloured(own[place][1])) if place < len(own) and own[place][0] == word else None


def coloured(grid: Map) -> Image.Image:
    """A map as an image of one pixel a patch, in viridis, which colour-blind readers can order."""
    from matplotlib import colormaps

    low, high = float(grid.min()), float(grid.max())
    shares = (grid - low) / (high - low) if high > low else np.zeros_like(grid)
    return Image.fromarray((colormaps["viridis"](shares)[..., :3] * 255).astype(np.uint8))


def _fitted(view: Image.Image) -> Image.Image:
    view = view.copy()
    view.thumbnail((VIEW, VIEW))
    return view


def address(image: Image.Image) -> str:
    """An image as a data address: what was uploaded is never sent back, only pixels that were drawn anew."""
    out = io.BytesIO()
    image.save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()

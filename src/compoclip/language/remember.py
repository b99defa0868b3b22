"""The parser's vectors of words, worked out once for each word and not for each time that a caption says it.

spaCy's tagger and parser begin with a vector for each token that depends on the token alone (its norm, ends and shape):
a seventh of a parse, and captions say few words, often. A vector is the same to the bit whatever is worked out beside
it (`language/sums.py`), so that parses do not change.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from thinc.api import Model

MOST = 20_000  # words remembered; 8 MB
SHAPE = ("extract_features", "list2ragged", None, None, "ragged2list")


def remember_words(embedding: Any) -> bool:
    """Let a model of tokens remember what it has seen. False, and nothing changes, where it is of another make."""
    for node in embedding.walk():
        names = [layer.name for layer in node.layers]
        if len(names) == len(SHAPE) and all(want in (None, name) for want, name in zip(SHAPE, names)):
            node._layers[2:4] = [_remembering(*node.layers[2:4])]
            return True
    return False


def _remembering(hashed: Any, mixed: Any) -> Any:
    places: dict[bytes, int] = {}
    kept: list[Any] = [None]  # (places, width)

    def forward(model: Any, ragged: Any, is_train: bool) -> tuple[Any, Any]:
        rows = np.ascontiguousarray(ragged.data)
        cells = np.dtype((np.void, rows.itemsize * rows.shape[1]))
        keys: list[Any] = rows.view(cells).ravel().tolist() if len(rows) else []
        new = {key: at for at, key in enumerate(keys) if key not in places}
        if len(places) + len(new) > MOST:
            places.clear()
            kept[0], new = None, {key: at for at, key in enumerate(keys)}
        if new or kept[0] is None:
            asked = type(ragged)(rows[list(new.values())], ragged.lengths[:0])
            made = mixed.predict(hashed.predict(asked)).data
            places.update(zip(new, range(len(places), len(places) + len(new))))
            kept[0] = made if kept[0] is None else np.concatenate([kept[0], made])
        return type(ragged)(kept[0][[places[key] for key in keys]], ragged.lengths), None

    return Model("remembering", forward, layers=[hashed, mixed])

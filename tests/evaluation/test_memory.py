"""Retrieval over COCO's 5,000 photos and 25,010 captions without the whole score matrix in memory, and exactly."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from tests.evaluation.fakes import unit

from compoclip.evaluation.scoring.ranking import retrieval

PROBE = """
import resource, sys
import numpy as np
from compoclip.evaluation.scoring import Encoded
from compoclip.evaluation.scoring import Retrieval
from compoclip.data.images import FileImage

photos, width = 5000, 512
captions = [[f"caption {i} {k}" for k in range(6 if i % 500 == 0 else 5)] for i in range(photos)]
flat = [c for row in captions for c in row]
assert len(flat) == 25010
rng = np.random.default_rng(0)
images = rng.standard_normal((photos, width), dtype=np.float32)
texts = rng.standard_normal((len(flat), width), dtype=np.float32)
texts += 0.1 * np.repeat(images, [len(row) for row in captions], axis=0)
for features in (images, texts):
    features /= np.linalg.norm(features, axis=1, keepdims=True)
pictures = [FileImage(f"p{i}") for i in range(photos)]
bank = Encoded(pictures, images, flat, texts)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
graded = dict(Retrieval("coco", pictures, captions).grade(bank))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
unit = 1024 if sys.platform != "darwin" else 1
print((after - before) * unit, graded["coco/i2t"].metrics["R@1"], graded["coco/t2i"].metrics["R@1"])
"""


@pytest.mark.slow
def test_coco_sized_retrieval_stays_far_below_two_gibibytes() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    grown, i2t, t2i = map(float, done.stdout.split())
    assert grown < 1 << 29  # the score matrix alone is as much, and so is each thing worked out from it
    assert 5 < t2i < i2t < 95


@pytest.mark.parametrize("chunk_bytes", [1, 5000, 1 << 27])
def test_blocks_equal_a_sort_of_the_whole_matrix(chunk_bytes: int) -> None:
    """Scores are multiples of 1/8 and exact, so a third of the places hang on ties; any number of captions a photo."""
    rng = np.random.default_rng(3)
    images = unit(np.where(rng.random((50, 16)) > 0.5, 1.0, -1.0))
    sizes = rng.integers(1, 7, 50)
    owner = np.repeat(np.arange(50), sizes)
    texts = unit(np.where(rng.random((len(owner), 16)) > 0.5, 1.0, -1.0))
    own = [np.flatnonzero(owner == i).tolist() for i in range(50)]
    got = retrieval(images, texts, own, chunk_bytes=chunk_bytes)
    score = images.astype(np.float64) @ texts.T.astype(np.float64)
    tied = 0
    for i in range(50):
        mine = owner == i
        order = np.lexsort((mine, -score[i]))  # by score, and own captions last among equal ones
        places = np.flatnonzero(mine[order])
        assert got.rank[i] == places[0] + 1
        equal = bool((score[i][~mine] == score[i][mine].max()).any())
        assert got.tied[i] == equal
        tied += equal
    assert tied > 10

"""An epoch's order in which images that are alike come together, so that they are in one batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Groups:
    """Orders samples in groups of an image and its nearest.

    near (N, k): the nearest images of each, the nearest first; -1 where there are no more. size: images of a group.
    """

    near: np.ndarray
    size: int

    def order(self, drawn: np.ndarray, ends: np.ndarray, batch: int) -> np.ndarray:
        """`drawn`, a permutation of 0..S-1 (int64), brought into groups; every sample stays in it once.

        The first sample that has not come yet begins a group; of the images near its own, the nearest first, the next
        sample of each follows, until the group or the batch of `batch` samples is full.
        ends (N,): number of samples of the images up to each, as one image may have several (its captions).
        """
        image = np.searchsorted(ends, drawn, side="right")  # (S,), of each sample in the drawn order
        by_image = drawn[np.argsort(image, kind="stable")].tolist()
        following = np.concatenate([[0], ends[:-1]]).tolist()  # of each image, the place of its next sample in by_image
        last, near, images = ends.tolist(), self.near.tolist(), image.tolist()
        out: list[int] = []
        taken = bytearray(len(drawn))

        def take(of: int) -> None:
            sample = by_image[following[of]]
            following[of] += 1
            taken[sample] = 1
            out.append(sample)

        for sample, own in zip(drawn.tolist(), images):
            if taken[sample]:
                continue
            full = len(out) + min(self.size, batch - len(out) % batch)
            take(own)  # the sample itself: an image's samples are taken in the drawn order
            for other in near[own]:
                if len(out) == full or other < 0:
                    break
                if following[other] < last[other]:
                    take(other)
        return np.array(out, dtype=np.int64)

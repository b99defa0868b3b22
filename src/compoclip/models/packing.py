"""Texts that begin alike, packed so that what they share is computed once.

In a causal tower a position sees only what stands before it, so two texts have the same features as far as they are the
same. A caption and its hard negatives often are, for half their length. Texts are laid into rows as trees: one node for
each distinct beginning, which attends to its own ancestors. The features are those of each text alone, up to rounding.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

ROW_LENGTHS = range(64, 161, 16)


class Packed(NamedTuple):
    """R rows of L nodes for N texts of at most T tokens.

    ids, depth (R, L): a node's token, and its place in its text. mask (R, L, L): whether a node sees another; itself
    always. path (N, T): where each token of each text is in the flattened rows, 0 behind its end.
    """

    ids: Tensor
    depth: Tensor
    mask: Tensor
    path: Tensor


def pack(ids: Tensor, count: Tensor) -> Packed:
    """Pack token ids (N, T), of which the first `count` (N,) of each row matter, into the fewest cells it finds."""
    tokens, lengths = ids.cpu().numpy(), count.cpu().numpy()
    texts = [tokens[i, : lengths[i]] for i in range(len(tokens))]
    order = sorted(range(len(texts)), key=lambda i: texts[i].tolist())  # neighbours share the most
    shared = [0] * len(order)
    for place in range(1, len(order)):
        before, text = texts[order[place - 1]], texts[order[place]]
        short = min(len(before), len(text))
        differ = np.flatnonzero(before[:short] != text[:short])
        shared[place] = int(differ[0]) if len(differ) else short
    longest = int(lengths.max())
    plans = [_rows([len(texts[i]) for i in order], shared, max(length, longest)) for length in ROW_LENGTHS]
    starts, width = min(plans, key=lambda plan: len(plan[0]) * plan[1])

    node_ids = np.zeros((len(starts), width), dtype=np.int64)
    depth = np.zeros((len(starts), width), dtype=np.int64)
    mask = np.zeros((len(starts), width, width), dtype=bool)
    mask[:, np.arange(width), np.arange(width)] = True
    path = np.zeros((len(texts), longest), dtype=np.int64)
    row, used = -1, 0
    for place, i in enumerate(order):
        text, common = texts[i], shared[place]
        if row + 1 < len(starts) and place == starts[row + 1]:
            row, used, common = row + 1, 0, 0
        new = np.arange(used, used + len(text) - common)
        own = np.concatenate([path[order[place - 1], :common] - row * width, new])
        node_ids[row, new], depth[row, new] = text[common:], np.arange(common, len(text))
        for node, end in zip(new, range(common, len(text))):
            mask[row, node, own[: end + 1]] = True
        path[i, : len(text)] = own + row * width
        used += len(new)
    return Packed(*(torch.from_numpy(array).to(ids.device) for array in (node_ids, depth, mask, path)))


def bucketed(packed: Packed, rows: int = 16, nodes: int = 32) -> Packed:
    """The same texts in numbers of rows and nodes that are multiples of these, so that few shapes come up.

    Nodes that are added see themselves and are seen by nobody.
    """
    count, length = packed.ids.shape
    more_rows, more_nodes = -count % rows, -length % nodes
    pad = (0, more_nodes, 0, more_rows)
    mask = F.pad(packed.mask, (0, more_nodes, *pad))
    mask |= torch.eye(length + more_nodes, dtype=torch.bool, device=mask.device)
    path = packed.path // length * (length + more_nodes) + packed.path % length
    return Packed(F.pad(packed.ids, pad), F.pad(packed.depth, pad), mask, path)


def _rows(lengths: list[int], shared: list[int], capacity: int) -> tuple[list[int], int]:
    """Where each row starts when no row takes more than `capacity` nodes, and the nodes of the fullest row."""
    starts: list[int] = []
    used = fullest = 0
    for place, length in enumerate(lengths):
        if starts and used + length - shared[place] <= capacity:
            used += length - shared[place]
        else:
            starts.append(place)
            used = length
        fullest = max(fullest, used)
    return starts, fullest

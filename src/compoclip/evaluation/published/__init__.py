"""Published figures as data, as they were printed; what is known to be misprinted is marked and corrected on reading.

- `vlcompo_*.csv`: the 202 models of github.com/ytaek-oh/vl_compo, by subset and by benchmark.
- `fscclip_extended_results.csv`: the 12 rows of github.com/ytaek-oh/fsc-clip.
- `degla_*.csv`: tables of DeGLA (arXiv 2504.16801v3). Its SugarCrepe table prints the SWAP cells of CLIP and NegCLIP
  as (average, object, attribute) under the heading (object, attribute, average); its CLIP add-attribute 68.2 is 68.8
  elsewhere, and its replace cells average to 80.03 where 80.2 is printed; CE-XVLM's and MiniGPT-4's VALSE averages do
  not follow from their cells. Its zero-shot figures lie 2 to 11 points below every other measurement of the same
  weights, so they are comparable with each other only.
"""

from __future__ import annotations

import csv
import io
from functools import cache
from importlib import resources
from typing import NamedTuple


class Published(NamedTuple):
    """One published model: `individual` by subset and `averages` by benchmark, in percent."""

    arch: str
    pretrained: str
    family: str
    individual: dict[str, float]
    averages: dict[str, float]

    @property
    def label(self) -> str:
        return f"{self.arch} {self.pretrained}"


KEYS = ("arch", "pretrained", "family")


def read(name: str) -> list[dict[str, str]]:
    """Rows of one of the CSV files here, as text."""
    text = resources.files("compoclip.evaluation.published").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def numbers(row: dict[str, str], skip: tuple[str, ...]) -> dict[str, float]:
    return {k: float(v) for k, v in row.items() if k and k not in skip and v not in ("", None)}


@cache
def vl_compo() -> tuple[Published, ...]:
    """vl_compo's 202 models, in the order of its summary.

    The two files are joined by architecture and weights; the one name both list twice (CLIP_ViT-B-16 cc12m) is told
    apart by its family, which the files spell alike there (not so for ALIP and one LaCLIP).
    """
    rows = read("vlcompo_individual_results.csv")
    exact = {tuple(row[k] for k in KEYS): row for row in rows}
    loose = {tuple(row[k] for k in KEYS[:2]): row for row in rows}
    out = []
    for summary in read("vlcompo_results.csv"):
        key = tuple(summary[k] for k in KEYS)
        row = exact.get(key) or loose[key[:2]]
        figures = numbers(row, KEYS), numbers(summary, ("", *KEYS))
        out.append(Published(row["arch"], row["pretrained"], row["family"], *figures))
    return tuple(out)


def degla_sugarcrepe() -> dict[str, dict[str, float]]:
    """DeGLA's SugarCrepe table by model, with the three swap cells put under their right names."""
    out = {}
    for row in read("degla_sugarcrepe.csv"):
        places = {f"swap_{name}": float(row[f"swap_{i}"]) for i, name in enumerate(row["swap_order"].split(), 1)}
        out[row["model"]] = numbers(row, ("model", "swap_order", "swap_1", "swap_2", "swap_3")) | places
    return out

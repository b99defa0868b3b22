"""VL-CheckList (Zhao et al. 2022): objects, attributes and relations, one word replaced, macro over many sources."""

from __future__ import annotations

from compoclip.errors import InputError
from compoclip.evaluation.benchmark import benchmark, facts_of
from compoclip.evaluation.questions import Question, Row
from compoclip.evaluation.task import Average

CORPORA = facts_of("vl_checklist")["corpora"]  # the 56 of the project's corpus/v1, by the files that they name


def ask(where: str, row: Row) -> tuple[str, Question]:
    """`[image path, {"POS": [...], "NEG": [...]}]`, the first of each."""
    try:
        return "", Question([row["image"]], (row["texts"]["POS"][0], row["texts"]["NEG"][0]))
    except (ValueError, TypeError, KeyError, IndexError):
        raise InputError(f'{where} must be [image, {{"POS": [text], "NEG": [text]}}]') from None


def averages(counts: dict[str, int]) -> dict[str, Average]:
    """Mean of three groups; a group is the mean of its leaves, a leaf of its sources, a source of its files."""
    names = [n for n in counts if counts[n]]
    groups = sorted({n.split("_")[0] for n in names})
    weights: dict[str, float] = {}
    for group in groups:
        leaves = sorted({n.split("/")[0] for n in names if n.startswith(group)})
        for leaf in leaves:
            sources = sorted({n.split("/")[1] for n in names if n.startswith(leaf + "/")})
            for source in sources:
                own = [n for n in names if n.startswith(f"{leaf}/{source}/")]
                for n in own:
                    weights[n] = 1.0 / (len(groups) * len(leaves) * len(sources) * len(own))
    rules = {"mean of groups": Average(weights)}
    for part in [*groups, *sorted({n.split("/")[0] for n in names})]:
        rules[part] = Average({n: w for n, w in weights.items() if n.startswith(part)})
    return rules


TASK = benchmark(
    "vl_checklist",
    parts={subset: rows for _, subset, rows in CORPORA},
    files={file: subset for file, subset, _ in CORPORA},
    ask=ask,
    averages=averages,
)

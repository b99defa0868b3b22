"""Foils: wrong in one detail, never what a caption of the image says, and the same whatever stands around."""

from __future__ import annotations

from pathlib import Path

import pytest

from compoclip.data.extras import Unit
from compoclip.errors import InputError
from compoclip.negatives.build import build
from compoclip.negatives.foils import foil_generator, units_of
from compoclip.negatives.store import iterate, iterate_units

CAPTIONS = [
    "a large brown dog is chasing a red ball in front of the old house",
    "a woman in a blue coat stands beside a white horse",
    "two children sit on a wooden bench",
]
SIBLINGS = [["a cat watches a dog with a ball"], [], ["three children on a green bench in a park"]]


def _units(captions: list[str], ids: list[str], others: list[list[str]], seed: int = 0) -> list[tuple[Unit, ...]]:
    return list(units_of(foil_generator(seed), captions, ids, others))


def test_units_come_with_foils_that_differ_in_one_detail() -> None:
    found = _units(CAPTIONS, ["0", "1", "2"], SIBLINGS)
    assert [len(units) >= 2 for units in found] == [True] * 3
    foils = [(unit, foil, index) for index, units in enumerate(found) for unit in units for foil in unit.foils]
    assert len(foils) > 20
    assert {unit.kind for unit, *_ in foils} == {"entity", "relation"}
    for unit, foil, index in foils:
        assert foil.lower() != unit.text.lower()
        assert len([word for word in foil.lower().split() if word not in unit.text.lower().split()]) <= 3
        assert not any(f" {foil.lower()} " in f" {text.lower()} " for text in [CAPTIONS[index], *SIBLINGS[index]])
    texts = {foil for _, foil, _ in foils}
    assert "three children" not in texts  # a sibling says so
    assert {"two children"}.isdisjoint(texts)


@pytest.mark.parametrize(
    ("caption", "unit", "never"),
    [
        ("a woman sits on a bench while a lady watches", "a woman", "two women"),  # who may be there
        ("a brown dog on a mat", "a brown dog", "a blue dog"),
        ("a little boy on a bed", "a little boy", "a giant boy"),
        ("a large duck in flight over a rocky stream", "a large duck over a rocky stream", "a large stream"),
    ],
)
def test_foils_that_text_alone_gives_away_or_that_may_be_true_are_not_made(caption: str, unit: str, never: str) -> None:
    made = [found for seed in range(12) for found in _units([caption, "two men"], ["0", "1"], [[], []], seed)[0]]
    foils = {foil for found in made if found.text == unit for foil in found.foils}
    assert foils
    assert not any(foil.startswith(never) for foil in foils)


def test_foils_do_not_depend_on_the_captions_around() -> None:
    together = _units(CAPTIONS, ["0", "1", "2"], SIBLINGS, seed=3)
    assert _units(CAPTIONS[1:2], ["1"], SIBLINGS[1:2], seed=3) == together[1:2]


def test_a_caption_without_units_has_none() -> None:
    assert _units(["", "wow !"], ["0", "1"], [[], []]) == [(), ()]


def test_a_build_keeps_units_beside_negatives(tmp_path: Path) -> None:
    table = tmp_path / "captions.tsv"
    rows = [("a.jpg", CAPTIONS[0]), ("a.jpg", SIBLINGS[0][0]), ("b.jpg", CAPTIONS[1]), ("c.jpg", CAPTIONS[2])]
    table.write_text("filename\ttitle\n" + "".join(f"{name}\t{text}\n" for name, text in rows))
    plain = build(table, tmp_path / "plain", ["replace-nouns"], 2)
    made = build(table, tmp_path / "units", ["replace-nouns"], 2, units=True)
    assert list(iterate(tmp_path / "plain")) == list(iterate(tmp_path / "units"))
    assert "units" not in plain
    found = list(iterate_units(tmp_path / "units"))
    assert [caption for _, caption, _ in found] == [text for _, text in rows]
    ids = [caption_id for caption_id, *_ in found]
    others = [[rows[1][1]], [rows[0][1]], [], []]
    assert [units for *_, units in found] == _units([text for _, text in rows], ids, others)
    entities = sum(unit.kind == "entity" for *_, units in found for unit in units)
    assert made["units"]["entity"] == entities
    assert made["units"]["captions"] == 4
    small = build(table, tmp_path / "small", ["replace-nouns"], 2, units=True, shard_size=2)
    assert small["units"] == made["units"]
    assert list(iterate_units(tmp_path / "small")) == found


def test_a_build_without_units_says_so(tmp_path: Path) -> None:
    lines = tmp_path / "captions.txt"
    lines.write_text("a dog on a mat\n")
    build(lines, tmp_path / "plain", ["replace-nouns"], 2)
    with pytest.raises(InputError, match="--units"):
        list(iterate_units(tmp_path / "plain"))
    with pytest.raises(InputError, match="leave out balance"):
        build(lines, tmp_path / "other", ["replace-nouns"], 2, units=True, balance=True)

"""The published rows as data: figures, how the model comes about, and what has to be measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from importlib import resources
from typing import Any

import yaml

from compoclip.errors import InputError
from compoclip.evaluation import published
from compoclip.recipes.reading import read_recipe, recipe_names


@dataclass(frozen=True)
class PublishedRow:
    """One published row.

    `figures`: measured figure -> percent; `tolerance`: the same, and `default`, in points. One of `recipe` (trained),
    `model` (loaded by name or from the hub), `place` (a checkpoint to put below DATA_ROOT/checkpoints) and `none`
    (why it cannot be reproduced) is set.
    """

    id: str
    table: str
    label: str
    rule: str
    tasks: tuple[str, ...]
    figures: dict[str, float]
    tolerance: dict[str, float]
    recipe: str | None = None
    model: str | None = None
    place: str | None = None
    none: str | None = None
    activation: str | None = None
    seeds: tuple[int, ...] = ()
    note: str | None = None
    differences: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def how(self) -> str:
        return "trained" if self.recipe else "loaded" if self.model else "placed" if self.place else "not possible"


@lru_cache(maxsize=1)
def rows() -> dict[str, PublishedRow]:
    """Every row, by `TABLE/ROW`, in the tables' order.

    Example: rows()["fsc-clip-1/negclip"]
    """
    here = resources.files("compoclip.reproduce")
    tables = yaml.safe_load((here / "rows.yaml").read_text("utf-8"))
    models = yaml.safe_load((here / "models.yaml").read_text("utf-8"))
    out = {}
    for name, table in tables.items():
        for key, fields in _rows_of(table, models).items():
            row = _row(name, key, table, fields)
            out[row.id] = row
    return out


def find(name: str) -> PublishedRow:
    """A row by its id, or the row that a recipe's own figures make; where nothing is published the row has none, and
    what is measured is told alone. name: of a row or a recipe. Raises InputError with the nearest names.

    Example: find("fsc-clip-1/negclip")
    """
    known = rows()
    if name in known:
        return known[name]
    if name in recipe_names():
        recipe = read_recipe(name)
        degla = str(recipe.get("group")) == "DeGLA"
        tables = yaml.safe_load((resources.files("compoclip.reproduce") / "rows.yaml").read_text("utf-8"))
        tasks = ("aro", "valse", "sugarcrepe", "degla_zeroshot") if degla else tuple(tables["fsc-clip-1"]["tasks"])
        title = (recipe.get("expected") or {}).get("source", "no published figures")
        table = {"title": title, "rule": "degla" if degla else "fsc-clip", "tasks": tasks}
        return _row("recipe", name, table, {"label": name, "recipe": name})
    near = get_close_matches(name, [*known, *recipe_names()], n=3, cutoff=0.4)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    raise InputError(f"{name}: no such row{hint} (`compoclip reproduce` lists them)")


def _rows_of(table: dict[str, Any], models: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A table's own rows, with the figures of its CSV file where it has one."""
    own: dict[str, dict[str, Any]] = {key: dict(fields) for key, fields in table.get("rows", {}).items()}
    if "csv" not in table:
        return own
    found: dict[str, dict[str, Any]] = {}
    for line in _csv(table["csv"]):
        key = tuple(line[k] for k in table["key"])
        figures = {to: float(line[col]) for col, to in table["columns"].items() if line.get(col) not in (None, "")}
        if "models" in table:
            fields = models[table["models"]].get(key[0])
            if fields is not None and figures:
                found[key[0].lower()] = {"label": key[0], "figures": figures, **fields}
            continue
        for fields in own.values():
            if tuple(fields.get("match", ())) == key:
                fields["figures"] = figures
                fields["label"] = " ".join(key)
    return {**found, **own}


def _csv(name: str) -> list[dict[str, str]]:
    if name != "degla_sugarcrepe.csv":
        return published.read(name)
    corrected = published.degla_sugarcrepe()  # the printed swap cells stand under wrong heads for two models
    return [{"model": model, **{k: str(v) for k, v in cells.items()}} for model, cells in corrected.items()]


def _row(table_name: str, key: str, table: dict[str, Any], fields: dict[str, Any]) -> PublishedRow:
    fields = {k: v for k, v in fields.items() if k != "match"}
    figures, tolerance = fields.pop("figures", {}), dict(table.get("tolerance", {}))
    differences = ""
    if fields.get("recipe"):
        recipe = read_recipe(fields["recipe"])
        expected = recipe.get("expected") or {}
        figures = figures or expected.get("figures", {})
        tolerance = dict(expected.get("tolerance", {}))  # the table's own is for checkpoints that are loaded
        differences = str(recipe.get("differences", ""))
    tolerance |= fields.pop("tolerance", {})
    tolerance.setdefault("default", 1.0)
    return PublishedRow(
        id=f"{table_name}/{key}",
        table=table["title"],
        label=fields.pop("label", key),
        rule=table["rule"],
        tasks=tuple(table["tasks"]),
        figures={k: round(float(v), 2) for k, v in figures.items()},
        tolerance=tolerance,
        seeds=tuple(fields.pop("seeds", ())),
        differences=differences,
        **{k: v for k, v in fields.items() if k in {"recipe", "model", "place", "none", "activation", "note"}},
    )

"""What `compoclip ls` prints."""

from __future__ import annotations

from compoclip.errors import InputError

METHODS = {
    "clip": "plain contrast of images and captions (Radford et al. 2021)",
    "negclip": "every hard negative of the batch competes for every image (Yuksekgonul et al. 2023)",
    "fsc-clip": "contrast on true captions, global and local hard-negative terms with focal and smoothing (2410.05210)",
    "degla": "negclip, image- and text-grounded contrast, self-distillation from an EMA teacher (2504.16801)",
    "cs-clip": "negclip, and units of captions against their foils (2602.23906)",
    "read": "negclip, and a caption against its paraphrase; the alignment term of READ-CLIP (2510.16540)",
    "c2lip": "sigmoid contrast of images with captions and with their phrases, no negatives (2603.25722)",
    "clic": "several true texts of two joined images against one wrong one (2505.24424)",
    "ce-clip": "negclip, an adaptive margin above each negative, and negatives as texts (2306.08832)",
}


def listing(what: str) -> list[str]:
    """Lines of one list, or what lists there are."""
    lists = {
        "methods": _methods,
        "recipes": _recipes,
        "negatives": _negatives,
        "tasks": _tasks,
        "models": _models,
        "exports": _exports,
        "settings": _settings,
    }
    if not what:
        return [f"compoclip ls {name}" for name in lists]
    if what not in lists:
        raise InputError(f"nothing called {what!r} to list; there are {', '.join(lists)}")
    rows = lists[what]()
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {text}" for name, text in rows]


def data_sets() -> list[str]:
    """Lines of `compoclip data ls`."""
    from compoclip.data.catalog import entries

    rows = [(e.name, e.kind, e.how, e.size, f"{e.title} [{e.licence}]") for e in entries().values()]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return ["  ".join([*(f"{row[i]:<{widths[i]}}" for i in range(4)), row[4]]) for row in rows]


def _methods() -> list[tuple[str, str]]:
    return list(METHODS.items())


def _recipes() -> list[tuple[str, str]]:
    """Recipes in groups, the group's name before its first."""
    from compoclip.recipes.reading import read_recipe, recipe_names

    recipes = {name: read_recipe(name) for name in recipe_names()}
    groups = dict.fromkeys(str(r.get("group", "this project")) for r in recipes.values())
    rows: list[tuple[str, str]] = []
    for group in groups:
        rows.append((f"{group}:", ""))
        own = [(name, r["summary"]) for name, r in recipes.items() if str(r.get("group", "this project")) == group]
        rows += [(f"  {name}", summary) for name, summary in own]
    return rows


def resolved_recipe(name: str) -> str:
    """A recipe as YAML with everything it inherits, and the run's settings that follow from it."""
    import yaml

    from compoclip.config import resolve
    from compoclip.recipes.reading import read_recipe

    body = {**read_recipe(name), "resolved": resolve(name, {}).model_dump(mode="json", exclude_defaults=True)}
    return yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=120)


def _settings() -> list[tuple[str, str]]:
    """Every setting of a run, for `train --set`: its default and what it is, then the options of the losses' terms."""
    from compoclip.config import TrainConfig
    from compoclip.losses.objective import term_options

    fields = TrainConfig.model_fields.items()
    rows = [(name, f"{info.description} [{info.get_default()}]") for name, info in fields]
    return rows + [
        (name, f"option of a term: {' or '.join(choices) or 'a number'}") for name, choices in term_options().items()
    ]


def _negatives() -> list[tuple[str, str]]:
    from compoclip.negatives import KINDS
    from compoclip.negatives.kinds import BUNDLES, LLM_PREFIX
    from compoclip.negatives.llm.kinds import LLM_KINDS

    asked = [(f"{LLM_PREFIX}{name}", kind.description) for name, kind in LLM_KINDS.items()]
    bundles = [(name, "bundle: " + ", ".join(kinds)) for name, kinds in BUNDLES.items()]
    return [(name, kind.description) for name, kind in KINDS.items()] + asked + bundles


def _tasks() -> list[tuple[str, str]]:
    from compoclip.evaluation import TASKS

    told = {name: task.facts() for name, task in TASKS.items()}
    return [(name, f"{facts['title']} [{facts['licence']}; needs {facts['needs']}]") for name, facts in told.items()]


def _exports() -> list[tuple[str, str]]:
    from compoclip.export.formats import FORMATS

    return [(name, f"{form.description}; {form.use}") for name, form in FORMATS.items()]


def _models() -> list[tuple[str, str]]:
    import open_clip

    rows = [
        ("tiny", "bundled model of the built-in world, for the demo and tests"),
        ("DIR", "folder of train, blend or open_clip; a Hugging Face CLIP or SigLIP"),
        ("hf:ID", "Hugging Face CLIP or SigLIP, to be measured"),
        ("features:FILE", "features computed elsewhere, to be measured"),
        ("python:MODULE:FUNCTION", "a function that gives a model, to be measured"),
        ("NAME:FILE", "an open_clip architecture and a weights file, with --activation"),
    ]
    return rows + [(f"{name}:{tag}", "open_clip") for name, tag in open_clip.list_pretrained()]

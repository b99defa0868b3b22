"""Plain words: what was found, in sentences, and what the terms mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from compoclip.report.pool import Cell, Method

GLOSSARY: tuple[tuple[str, str], ...] = (
    (
        "CLIP",
        "A model with two halves, one that reads images and one that reads text. Both give a list of numbers; "
        "the closer the two lists, the better the model thinks the text fits the image.",
    ),
    (
        "composition",
        "Who does what to whom, which thing has which colour, how many, where. A model without it sees the same in "
        "“a dog chases a cat” and “a cat chases a dog”: a bag of words. "
        "Measured by showing an image with a true caption and a false one made of nearly the same words.",
    ),
    (
        "hard negative",
        "A caption that is almost right: one word exchanged, two words swapped. Training with them teaches "
        "composition, and may make the model forget other things.",
    ),
    (
        "zero-shot recognition",
        "Naming what an image shows by choosing among class names, without training on those classes. "
        "It stands for what the model knew before fine-tuning, so a loss here is forgetting.",
    ),
    (
        "retrieval (image → text, text → image)",
        "Finding the caption of an image among all captions, and the image of a caption among all images. "
        "R@5 is how often it is among the first five.",
    ),
    (
        "chance",
        "What guessing would score: 50 % with two captions to choose from.",
    ),
    (
        "without looking",
        "The grey lines below the tables: what a trick scores that does not look at the image. "
        "A benchmark on which such a trick does well says little about seeing.",
    ),
    (
        "95 % interval",
        "The range in which the figure would fall 95 times of 100 if other test images of the same kind were drawn. "
        "For a difference it is computed on the same rows for both models; if it holds zero, "
        "the difference may well be luck.",
    ),
    (
        "McNemar's test",
        "Counts the rows that one model alone gets right. p is the chance of a split at least as uneven if both were "
        "equally good: below 0.05 it is hardly luck, unless many such tests are read side by side.",
    ),
    (
        "tie",
        "Both captions got exactly the same score. It counts as wrong unless a benchmark's own rule says otherwise.",
    ),
    (
        "blend (WiSE-FT)",
        "A model whose weights lie between the base's and the tuned one's. A curve in the plot joins the blends: "
        "often one of them keeps most of what both ends are good at.",
    ),
    (
        "base",
        "The model before fine-tuning. Every difference on this page is to it.",
    ),
)


ONLY_WITH = {  # terms that a page without these figures does not use
    "zero-shot recognition": "zeroshot",
    "retrieval (image → text, text → image)": "i2t",
}
PARTS = {  # what this page can be about, in the order in which it is told
    "composition": "Composition is telling apart captions of nearly the same words, one of them true of an image.",
    "zeroshot": "Zero-shot recognition is naming what an image shows, which the base could do before fine-tuning.",
    "retrieval": "Retrieval is finding the caption of an image among all, and the image of a caption.",
    "probe": "A linear probe learns classes from the image features alone.",
}
WORLD = (
    "Composition is telling apart captions made of the same words: a red square left of a blue circle, or a blue "
    "square left of a red circle? Zero-shot recognition is naming what is there, which the model could do before "
    "fine-tuning. Teaching the one can make it forget the other; this page shows both."
)

KINDS = {
    "swap-attribute": "the colours of two things are exchanged",
    "swap-object": "two things exchange their places in the sentence",
    "replace-attribute": "one colour or pattern is another one",
    "replace-object": "one thing is another one",
    "replace-relation": "where the things lie is told wrongly",
    "add-attribute": "something untrue is added",
    "count": "the number is wrong",
    "half-truths": "a true phrase has a wrong detail added; right is the phrase above it, and above the phrase the "
    "same with the true detail",
    "word-order": "the same words in an order that makes no sense",
    "swap_obj": "two things exchange their places in the sentence",
    "swap_att": "the attributes of two things are exchanged",
    "replace_obj": "one thing is another one",
    "replace_att": "one attribute is another one",
    "replace_rel": "a relation or action is another one",
    "add_obj": "a thing that is not there is added (the shorter caption is true in 99 % of these rows)",
    "add_att": "an attribute that is not there is added (the shorter caption is true in 99 % of these rows)",
}


NEEDS = {
    "needs the image": "Both captions hold the same words, or words that no text can tell from each other: the grey "
    "lines stay near guessing, so a gain here is a gain in seeing.",
    "text alone can do it": "The false caption is longer or no sentence: the grey lines show tricks that solve these "
    "without the image, so a gain here may be a taste for plausible sentences.",
    "a bag of words can do it": "The false caption names something that is not there: knowing what is in the image "
    "is enough, and nothing need be put together.",
}


CONTROLS = {
    "shorter": "always the shorter caption",
    "language_model": "a language model that sees no image",
    "no_image": "{base}, shown an average image",
    "shuffled": "{base}, shown another image",
    "no_caption": "{base}, given an average caption",
    "other_caption": "{base}, given another caption",
}


def listed(names: Sequence[str]) -> str:
    """a, b and c."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def signed(value: float) -> str:
    """+6.2, −3.0, 0.0: one decimal, with a sign that reads as one."""
    return f"{value:+.1f}".replace("-", "−") if abs(value) >= 0.05 else "0.0"


def points(cell: Cell) -> str:
    """+6.2 points (95 % interval 4.9 to 7.5)."""
    assert cell.delta is not None
    d = cell.delta
    return f"{signed(d.mean)} points (95 % interval {signed(d.low)} to {signed(d.high)})"


def introduction(methods: Sequence[Method]) -> str:
    """What was measured, and why both sides of it are here."""
    tasks = {task: entry for m in methods for run in m.runs for task, entry in run["tasks"].items()}
    if set(tasks) == {"world"}:
        return WORLD
    parts = {subset.get("part", "composition") for entry in tasks.values() for subset in entry["subsets"].values()}
    told = " ".join(text for part, text in PARTS.items() if part in parts)
    own = " The images are your own, held out from training." if set(tasks) == {"heldout"} else ""
    price = " Teaching one thing can make a model forget another; this page shows both." if len(parts) > 1 else ""
    return f"{told}{own}{price}"


def without_looking(
    methods: Sequence[Method], comp: Sequence[Cell], beside: Mapping[str, float | None], chance: float = 50.0
) -> list[str]:
    """What of the composition rows text alone gets right, against the best model. beside: controls by name, percent;
    chance: what guessing gets."""
    known = {name: value for name, value in beside.items() if value is not None}
    values = [cell.value for cell in comp if cell.value is not None]
    if not known or not values:
        return []
    name, most = max(known.items(), key=lambda item: item[1])
    trick, best = CONTROLS[name].format(base=methods[0].label), max(values)
    if most < chance + 5:
        return [
            f"No trick that does not look at the image does much better than guessing, {chance:.1f} % (the best: "
            f"{trick}, {most:.1f} %)."
        ]
    if best <= most:
        return [
            f"No model here shows by these rows that it looks at the image: {trick} gets {most:.1f} % of them, the "
            f"best model {best:.1f} %."
        ]
    return [
        f"Part of these rows can be had without the image: {trick} gets {most:.1f} %. Only what a model has above "
        "that shows that it looked."
    ]


def advice(methods: Sequence[Method], comp: Sequence[Cell], others: Sequence[Sequence[Cell]]) -> list[str]:
    """One sentence on what to do next. others: the cells of zero-shot and retrieval, empty where not measured."""
    if len(methods) < 2 or not comp:
        return []
    better = [m.label for m, cell in _by_value(methods, comp) if cell.verdict == "better"]
    if not better:
        return [
            "Advice: no gain here is sure. Train for more steps or with a higher learning rate, or on more captions, "
            "and measure on more held-out rows."
        ]
    costs = {m.label for cells in others for m, cell in zip(methods, cells) if cell.verdict == "worse"}
    free = [label for label in better if label not in costs]
    if free:
        return [f"Advice: use {free[0]}: a sure gain, and nothing that was measured here is surely lost."]
    return [
        f"Advice: blend {better[0]} with {methods[0].label} (compoclip blend --sweep): a sure gain, and a sure loss."
    ]


def _by_value(methods: Sequence[Method], cells: Sequence[Cell]) -> list[tuple[Method, Cell]]:
    """Methods with their cells, the highest first."""
    return sorted(zip(methods, cells), key=lambda pair: -(pair[1].value or 0.0))


def kinds_lost(methods: Sequence[Method], kinds: Mapping[str, Sequence[Cell]]) -> list[str]:
    """The kinds of false captions at which one tuned model is surely worse. kinds: cells by kind, one a method."""
    if len(methods) != 2:  # of more, the table shows it better than a sentence
        return []
    lost = [
        f"{kind} ({base.value:.1f} to {tuned.value:.1f} %)"
        for kind, (base, tuned) in kinds.items()
        if tuned.verdict == "worse" and base.value is not None and tuned.value is not None
    ]
    return [f"Surely worse, of {len(kinds)} kinds of false captions: {listed(lost)}."] if lost else []


def headline(
    methods: Sequence[Method], comp: Sequence[Cell], zeroshot: Sequence[Cell], rows: int = 0, what: str = "composition"
) -> list[str]:
    """What the figures say, in a few sentences: who gains composition, and what that costs in recognition.

    `what` says which composition the figures are of.
    `comp` and `zeroshot` hold one cell a method (empty where not measured), the base first.
    """
    base = methods[0].label
    if not comp and not zeroshot:
        return ["Neither composition nor zero-shot recognition was measured; see the tables below."]
    if len(methods) == 1:
        return _alone(base, comp, zeroshot)
    out = _composition(methods, comp, rows, what) if comp else ["Composition was not measured."]
    if zeroshot:
        out += _recognition(methods, comp, zeroshot)
    return out


def _alone(name: str, comp: Sequence[Cell], zeroshot: Sequence[Cell]) -> list[str]:
    out = []
    if comp and comp[0].value is not None:
        out.append(
            f"{name} prefers the true caption to a false one in {comp[0].value:.1f} % of the composition rows "
            "(100 is perfect, 50 is guessing where there are two captions)."
        )
    if zeroshot and zeroshot[0].value is not None:
        out.append(f"It names {zeroshot[0].value:.1f} % of the images right without training on their classes.")
    out.append("Give a second model to see differences: compoclip report BASE TUNED --out DIR.")
    return out


def _composition(methods: Sequence[Method], comp: Sequence[Cell], rows: int, what: str) -> list[str]:
    base = methods[0].label
    tuned = [(m, c) for m, c in zip(methods[1:], comp[1:]) if c.value is not None]
    if comp[0].value is None or not tuned:
        return ["Composition was not measured for the base and another method together."]
    best, cell = max(tuned, key=lambda pair: pair[1].value or 0.0)
    out = []
    how = f": {points(cell)}" if cell.delta is not None else ""
    of = f"{rows:,} rows" if rows else "the rows"
    if cell.verdict == "better" or cell.delta is None:
        out.append(
            f"{best.label} is best at {what}: it prefers the true caption in {cell.value:.1f} % of {of}, "
            f"where {base} does in {comp[0].value:.1f} %{how}."
        )
    else:
        sure = [(m, c) for m, c in tuned if c.verdict == "better"]
        names = listed([m.label for m, _ in sure]) if sure else "No method"
        verb = "are" if len(sure) > 1 else "is"
        luck = ", which may be luck" if cell.verdict == "same" else ""
        which = f"The highest is {best.label} with" if len(tuned) > 1 else f"{best.label} has"
        out.append(
            f"{names} {verb} significantly better at {what} than {base} ({comp[0].value:.1f} % of {of}). "
            f"{which} {cell.value:.1f} %{how}{luck}."
        )
    worse = [m.label for m, c in tuned if c.verdict == "worse"]
    if worse:
        out.append(f"{listed(worse)} {'is' if len(worse) == 1 else 'are'} worse at {what} than {base}.")
    return out


def _recognition(methods: Sequence[Method], comp: Sequence[Cell], zeroshot: Sequence[Cell]) -> list[str]:
    base = methods[0].label
    rows = list(zip(methods[1:], comp[1:] or [Cell(None)] * (len(methods) - 1), zeroshot[1:]))
    lost = [(m, z) for m, _, z in rows if z.verdict == "worse"]
    out = []
    if lost:
        worst, cell = min(lost, key=lambda pair: pair[1].delta.mean if pair[1].delta else 0.0)
        several = len(lost) > 1
        who, most = (f"{len(lost)} methods pay", f"{worst.label} most, ") if several else (f"{worst.label} pays", "")
        out.append(f"There is a price: {who} with zero-shot recognition, {most}{points(cell)}.")
    elif any(z.delta is not None for _, _, z in rows):
        none = f"{rows[0][0].label} does not surely lose" if len(rows) == 1 else "None of the methods surely loses"
        out.append(f"{none} zero-shot recognition against {base}.")
    gained = [(m, c, z) for m, c, z in rows if c.verdict == "better" and z.delta is not None]
    if len(gained) > 1:
        keeper, c, z = max(gained, key=lambda row: row[2].delta.mean if row[2].delta else 0.0)
        highest = max(gained, key=lambda row: row[1].value or 0.0)[0]
        if keeper.label == highest.label:
            out.append(
                f"Of the {len(gained)} methods that gain composition, {keeper.label} also keeps the most of what "
                f"{base} knew: zero-shot {points(z)}."
            )
            return out
        out.append(
            f"Of the methods that gain composition, {keeper.label} keeps the most: "
            f"composition {points(c)}, zero-shot {points(z)}."
        )
    return out

"""Zero-shot recognition on the sets of published tables: ELEVATER's 20, ImageNet, and the 11 that DeGLA prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from compoclip.errors import InputError
from compoclip.evaluation.aggregate import DEGLA_SETS, DEGLA_TASK, ELEVATER
from compoclip.evaluation.forms import MultiLabel, Subset, ZeroShot
from compoclip.evaluation.known_sets import FOLDERS, aligned, find, folder_names, known
from compoclip.evaluation.pictures import Picture
from compoclip.evaluation.task import Average, DataMissing, Loaded, Request, Task, plain_mean

TWENTY = tuple(name for name in ELEVATER if name != "imagenet-1k")
SIDE = 224  # pixels of the square that a set is pressed to where ELEVATER does not crop it


def read_known(
    root: Path, name: str, request: Request, metric: str | None = None
) -> tuple[Subset, dict[str, Any]] | None:
    """The test images of a set as a form, and what was found; None where its data is not there.

    `metric` takes the place of the set's own. Raises InputError where labels cannot be matched to its classes.
    """
    found = find(root, name)
    if found is None:
        return None
    folder, data = found
    which = known(name)
    metric = metric or which.metric
    whole = len(data.pictures)
    data = data.spread(request.limit)
    labels, how = aligned(which, data, folder)
    pictures: Sequence[Picture] = data.pictures
    if which.resize == "whole":
        pictures = [p.whole(SIDE) for p in pictures]
    facts = {"place": data.where, "layout": data.layout, "labels": how, "images": whole, "published images": which.test}
    if data.several:
        form: Subset = MultiLabel(which.name, pictures, labels, which.classes, which.templates, data.missing)
        return form, facts
    form = ZeroShot(
        which.name,
        pictures,
        labels,
        which.classes,
        which.templates,
        metric="accuracy" if metric == "map11" else metric,
        missing=data.missing,
        rule=request.ties or "strict",
        namesakes=which.name == "imagenet-1k",
    )
    return form, facts


def loader(task: str, names: Sequence[str], metric: str | None = None) -> Callable[[Request], Loaded]:
    """A task's reader over known sets; `metric` in place of each set's own.

    A folder that only shares its name with a set (a raw copy of KITTI, say) is told and passed over; what lies in
    `elevater` is meant, and a fault in it is raised.
    """

    def load(request: Request) -> Loaded:
        root = request.root(task)
        subsets, facts, unread = [], {}, {}
        for name in names:
            try:
                read = read_known(root, name, request, metric)
            except InputError as error:
                if any((root / "elevater" / folder).is_dir() for folder in folder_names(name)):
                    raise
                unread[name] = str(error)
                continue
            if read is not None:
                subsets.append(read[0])
                facts[name] = read[1]
        if not subsets and unread:
            raise DataMissing("; ".join(unread.values()))
        if not subsets:
            looked = ", ".join(str(root / base / names[0]) for base in FOLDERS)
            raise DataMissing(
                f"{task}: none of its sets found ({', '.join(names[:3])}{' …' if len(names) > 3 else ''}); "
                f"looked in {looked} and under their other names"
            )
        other = [n for n, f in facts.items() if f["images"] != f["published images"]]
        absent = [n for n in names if n not in facts]
        return Loaded(subsets, {"sets": facts, "absent": absent, "not read": unread, "other sizes": other})

    return load


def over(names: Sequence[str], title: str) -> Callable[[dict[str, int]], dict[str, Average]]:
    """The mean over all of `names` under `title`, or over those there, saying how many."""

    def averages(counts: dict[str, int]) -> dict[str, Average]:
        full = title if len(counts) == len(names) else f"mean of those there ({len(counts)} of {len(names)})"
        return {full: plain_mean(counts)}

    return averages


LAYOUTS = "class folders, CLIP_benchmark's tars (SPLIT/0.tar, classnames.txt) or a Hugging Face table"

ELEVATER_TASK = Task(
    name="elevater",
    title="ELEVATER: zero-shot recognition on 20 sets, from pets to traffic signs",
    source="https://github.com/Computer-Vision-in-the-Wild/Elevater_Toolkit_IC, OpenAI CLIP's names and prompts",
    licence="MIT (names and prompts); each set its own, Hateful Memes after a form",
    size="20 sets, 192,677 test images",
    chance="100 / classes of each set (50 for Hateful Memes' ROC AUC)",
    rule="each set's own metric: accuracy, mean per class, ROC AUC, or mAP at 11 points; strict; score: mean of the 20",
    citation="Li et al., ELEVATER: A Benchmark for Evaluating Language-Augmented Visual Models, NeurIPS 2022",
    version="1",
    needs=f"DIR/elevater/NAME or DIR/NAME for {', '.join(TWENTY[:3])}, …: {LAYOUTS}",
    load=loader("elevater", TWENTY),
    averages=over(TWENTY, "mean of 20"),
)

IMAGENET = Task(
    name="imagenet",
    title="ImageNet: zero-shot recognition of 1,000 classes",
    source="https://www.image-net.org (register there), OpenAI's class names and 80 prompts",
    licence="non-commercial research (images), MIT (names and prompts)",
    size="50,000 images (validation)",
    chance="0.1",
    rule="accuracy, strict; of two classes of one name (missile, sunglasses) the first is the answer, as for an argmax",
    citation="Deng et al., ImageNet, CVPR 2009; Radford et al., ICML 2021 (names and prompts)",
    version="1",
    needs=f"DIR/imagenet/val/WORDNET_ID/FILE, all 1,000 folders or LOC_synset_mapping.txt beside; or {LAYOUTS}",
    load=loader("imagenet", ("imagenet-1k",)),
    averages=over(("imagenet-1k",), "accuracy"),
)

DEGLA = Task(
    name=DEGLA_TASK,
    title="DeGLA's eleven: zero-shot recognition as its tables list it, by plain accuracy",
    source="the sets of DeGLA's zero-shot table (arXiv 2504.16801), OpenAI CLIP's names and prompts",
    licence="each set its own; MIT (names and prompts)",
    size="11 sets",
    chance="100 / classes of each set",
    rule="plain accuracy on every set, strict; score: mean of the 11. DeGLA's own protocol is not published",
    citation="DeGLA: Decoupled Global-Local Alignment for Improving Compositional Understanding, ACM MM 2025",
    version="1",
    needs="the folders of the tasks elevater and imagenet, and DIR/elevater/sun397",
    load=loader(DEGLA_TASK, DEGLA_SETS, "accuracy"),
    averages=over(DEGLA_SETS, "mean of 11"),
)

TASKS = (ELEVATER_TASK, IMAGENET, DEGLA)

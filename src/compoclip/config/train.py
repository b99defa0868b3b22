"""The configuration of a training run: strict, immutable, and complete enough to run again from its YAML alone."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, model_validator

from compoclip.config.settings import SettingError, Settings
from compoclip.errors import InputError
from compoclip.io import write_text
from compoclip.recipes.reading import read_recipe, read_yaml

__all__ = ["MAY_CHANGE", "TrainConfig", "changed", "read_config", "resolve"]

INTERVAL = r"^\d+(\.\d+)?[smh]$"
REFERENCE_BATCH = 256  # the batch that published distillation weights refer to; the term sums over the batch
# what a resumed run may change: how long, on what, and what is written
MAY_CHANGE = frozenset({"steps", "epochs", "device", "workers", "cache_gib", "micro_batch", "log_every"}) | {
    "track",
    "val_every",
    "val_every_epochs",
    "patience",
    "checkpoint_every",
    "keep_checkpoints",
}


class TrainConfig(Settings):
    """Everything a training run depends on. A field's description is its help on the command line."""

    recipe: str = Field("custom", description="name of the recipe this came from")
    published_batch: int | None = Field(None, description="the total batch that the recipe's source trained with")
    model: str = Field("ViT-B-32", description="an open_clip architecture, a directory, or tiny")
    pretrained: str | None = Field(
        "openai", description="tag of open_clip, or a weights file; none for tiny and directories"
    )
    activation: Literal["gelu", "quickgelu"] | None = Field(None, description="needed for a weights file")

    data: str = Field("", description="captioned images: table, webdataset tars, folder, or `world`")
    image_root: str | None = Field(None, description="folder or tar the table's image paths are relative to")
    image_key: str | None = Field(None, description="column of image paths")
    caption_key: str | None = Field(None, description="column of captions")
    split: str | None = Field(None, description="rows of this split only, where the data has a split column")
    captions: Literal["random", "first", "all"] = Field("random", description="of an image's captions, which to use")
    held_out: float = Field(
        0.02, ge=0, description="fraction of images kept back to evaluate on; from 1 on, how many images"
    )
    workers: int = Field(0, ge=0, description="processes that decode images")
    jpeg_draft: bool = Field(
        False, description="decode large JPEGs at a part of their size: faster, and their pixels change slightly"
    )
    cache_gib: float = Field(0.0, ge=0, description="memory for decoded images, for sets that fit")
    epoch_samples: int | None = Field(None, ge=1, description="samples of an epoch, for data that is streamed")
    shuffle_buffer: int = Field(2000, ge=1, description="samples that a stream shuffles among each other, in memory")
    world_scenes: int = Field(4096, ge=1, description="scenes drawn when data is `world`")
    world_fours: bool = Field(
        False,
        description="world scenes come in fours that differ in what belongs to what alone, for hard_images",
    )
    world_broad: float = Field(0.0, ge=0, le=1, description="share of these that are of the broad world, in all styles")

    hard_images: int = Field(
        0, ge=0, description="images much like its own that a caption brings into its batch, with their captions"
    )
    hard_captions: int = Field(1, ge=1, description="captions that each hard image brings, in rows of their own")
    neighbours: int = Field(0, ge=0, description="nearest images that share the batch of an image; 0: at random")
    negatives: str | None = Field(
        None, description="folder of `negatives build` (its epochs in turn), or `generate` to make them for each batch"
    )
    negative_kinds: tuple[str, ...] = Field((), description="kinds to generate or to keep")
    negatives_per_caption: int = Field(3, ge=0, description="negatives of a caption in a batch (K)")
    negative_weighting: Literal["even", "plausible", "text_only"] = Field(
        "even",
        description="how K of a build's negatives are drawn: evenly, those likelier that read like captions, or those "
        "that text alone does not tell (a build with `--text-only`)",
    )

    units_per_caption: int = Field(2, ge=1, description="units of a caption in a batch, each with a foil (N)")
    phrases_per_caption: int = Field(8, ge=1, description="noun phrases of a caption in a batch, at most")
    paraphrases_per_caption: int = Field(1, ge=1, description="other captions of the image in a batch, at most")

    concatenate: int = Field(
        0, ge=0, description="join images and captions in pairs: in every batch (1), every second (2), ...; 0 for never"
    )

    weights: dict[str, float] = Field({"contrastive": 1.0}, description="term -> weight")
    options: dict[str, Any] = Field({}, description="options of the terms")

    batch_size: int = Field(256, ge=1, description="samples a step of each process; auto: as many as fit")
    fit_batch: bool = Field(False, description="in place of batch_size, the largest power of two that fits in memory")
    micro_batch: int | None = Field(
        None,
        ge=0,
        description="samples whose activations are in memory at once (0 or auto: as many as fit); the gradient stays",
    )
    epochs: int = Field(5, ge=1, description="passes over the data")
    steps: int | None = Field(None, ge=0, description="stop after this many steps, whatever the epochs")
    optimizer: Literal["adamw", "muon"] = Field(
        "adamw", description="of all weights, or Muon for the matrices of transformer blocks and AdamW for the rest"
    )
    lr: float = Field(5e-6, gt=0, description="peak learning rate")
    muon_scale: float = Field(1.0, gt=0, description="learning rate of Muon's matrices by that of the rest")
    text_lr_scale: float = Field(1.0, gt=0, description="learning rate of the text tower by that of the rest")
    weight_decay: float = Field(0.1, ge=0, description="AdamW's decay of matrices; gains, biases and scales have none")
    beta1: float = Field(0.9, ge=0, lt=1, description="AdamW's decay of the gradient's mean")
    beta2: float = Field(0.98, ge=0, lt=1, description="AdamW's decay of the gradient's square")
    eps: float = Field(1e-6, gt=0, description="AdamW's least denominator")
    warmup: int = Field(50, ge=0, description="steps of linear warm-up before the cosine")
    cooldown: float = Field(
        1.0, gt=0, le=1, description="share of the steps, at the end, in which the cosine falls; 1 is all after warm-up"
    )
    grad_clip: float | None = Field(None, gt=0, description="largest norm of the gradient")
    lora_rank: int = Field(0, ge=0, description="rank of LoRA; 0 trains all weights")
    lora_alpha: float = Field(1.0, gt=0, description="scale of LoRA; its update is multiplied by alpha / rank")
    lock_image: bool = Field(False, description="freeze the image tower and keep its features")
    unlock_image_head: bool = Field(False, description="with lock_image, train the projection into the joint space")
    unlocked_image_groups: int = Field(
        0, ge=0, description="train the image tower's last groups of layers and no others of it; 0 trains all of them"
    )
    feature_cache: str | None = Field(
        None, description="folder that keeps a locked image tower's features for other runs"
    )
    lock_text: bool = Field(False, description="freeze the text tower and keep its features")
    teacher_decay: float = Field(0.9996, ge=0, le=1, description="decay of the teacher's moving average")
    precision: Literal["fp32", "bf16", "fp16"] = Field("fp32", description="arithmetic of the towers; losses stay fp32")
    grad_checkpointing: bool = Field(
        False, description="compute activations again in the backward pass, to save memory"
    )
    compile: bool = Field(False, description="compile the towers' transformer blocks, for runs of many steps on a GPU")
    device: str = Field("auto", description="where to train: auto, cpu, cuda, cuda:1, ...")
    seed: int = Field(0, ge=-(2**63), lt=2**63, description="seed of everything random")

    output_dir: str = Field("runs/run", description="run directory")
    log_every: int = Field(10, ge=1, description="steps between lines of metrics.jsonl")
    track: tuple[Literal["tensorboard", "wandb", "trackio"], ...] = Field(
        (), description="experiment trackers that get the figures too: tensorboard, wandb, trackio, comma-separated"
    )
    checkpoint_every: Annotated[int, Field(ge=0)] | Annotated[str, Field(pattern=INTERVAL)] = Field(
        500, description="steps between checkpoints, or time such as 10m (s, m, h); 0 keeps only the last"
    )
    keep_checkpoints: int = Field(2, ge=1, description="newest checkpoints that are kept")
    eval_tasks: tuple[str, ...] = Field((), description="tasks to run at step 0 and at the end, comma-separated")
    eval_data_root: str | None = Field(None, description="folder of the tasks' data")
    eval_limit: int | None = Field(None, ge=1, description="at most this many rows of each subset of the tasks")
    val_every: int = Field(0, ge=0, description="steps between evaluations while training; 0 for none")
    val_every_epochs: int = Field(0, ge=0, description="epochs between evaluations while training; 0 for none")
    val_tasks: tuple[str, ...] = Field((), description="tasks of these evaluations, beside the held-out images")
    best: str | None = Field(None, description="figure whose best value picks the checkpoint of export-best")
    best_guard: str | None = Field(None, description="figure that bounds what may be forgotten, such as zeroshot")
    best_drop: float = Field(2.0, ge=0, description="points that best_guard may lie below that of the base model")
    patience: int = Field(0, ge=0, description="evaluations without a better one before the run stops; 0 for never")

    @model_validator(mode="after")
    def _nothing_without_effect(self) -> TrainConfig:
        if self.hard_captions > 1 and not self.hard_images:
            raise ValueError(
                f"hard_captions={self.hard_captions} has no effect without hard images: "
                "set hard_images, or hard_captions=1"
            )
        if self.text_lr_scale != 1 and self.lock_text:
            raise ValueError(f"text_lr_scale={self.text_lr_scale:g} has no effect with lock_text")
        if self.muon_scale != 1 and self.optimizer != "muon":
            raise ValueError(f"muon_scale={self.muon_scale:g} has no effect with {self.optimizer}: set optimizer=muon")
        return self

    @property
    def rows(self) -> int:
        """Pairs of image and caption of a step of each process: its samples and their hard images."""
        return self.batch_size * (1 + self.hard_images * self.hard_captions)

    @property
    def model_name(self) -> str:
        """The name `compoclip.load` takes."""
        plain = self.model == "tiny" or ":" in self.model or Path(self.model).is_dir() or not self.pretrained
        return self.model if plain else f"{self.model}:{self.pretrained}"

    @property
    def checkpoint_seconds(self) -> float | None:
        """Seconds between checkpoints where `checkpoint_every` is a time; None where it counts steps."""
        if isinstance(self.checkpoint_every, int):
            return None
        return float(self.checkpoint_every[:-1]) * {"s": 1, "m": 60, "h": 3600}[self.checkpoint_every[-1]]

    @property
    def keeps_images(self) -> bool:
        """Whether a locked image tower's features are computed once; joined images are new at every step."""
        return self.lock_image and not self.concatenate

    def write(self, path: Path) -> None:
        write_text(path, yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False))


def read_config(path: Path) -> TrainConfig:
    """A run's `config.yaml`.

    path: the file, of this version or an older one. Raises InputError where it is none.

    Example: read_config(Path("runs/fsc/config.yaml"))
    """
    return _validated(read_yaml(path), str(path))


def resolve(recipe_name: str, overrides: Mapping[str, Any]) -> TrainConfig:
    """A run's configuration: the recipe, then `overrides` (fields, term weights, or options of terms by name).

    `weights` replaces the recipe's terms as a whole, `options` sets those it names; a term's or an option's own name
    sets that one.

    The distillation weight of a recipe belongs to a batch of 256 and is scaled to the run's batch of all processes,
    because the term sums over it (DeGLA, arXiv 2504.16801, Eq. 7). Raises InputError for names and values that do not
    fit.

    recipe_name: one of `compoclip ls recipes`, or the path of a YAML file.

    Example: resolve("fsc-clip", {"data": "captions.tsv", "steps": 100, "local_negative": 0.5})
    """
    recipe = read_recipe(recipe_name)
    fields = {"recipe": recipe.get("name", recipe_name), **recipe.get("train", {})}
    fields = {"published_batch": fields.get("batch_size"), **fields}
    wanted = recipe.get("objective", {"name": "clip"})
    chosen = {"weights": wanted["weights"]} if "weights" in wanted else {"name": wanted["name"]}
    return _overridden(fields, chosen, dict(wanted.get("options", {})), overrides, f"recipe {recipe_name}")


def changed(config: TrainConfig, overrides: Mapping[str, Any]) -> TrainConfig:
    """`config` with `overrides`, as `resolve` takes them. Raises InputError for names and values that do not fit.

    Example: changed(resolve("fsc-clip", {}), {"lr": 1e-5, "local_negative": 0.5})
    """
    from compoclip.distributed import started  # torch with it, which the help of a command must not wait for

    fields = config.model_dump()
    weights = fields.pop("weights")
    if _scaled(weights, config.options):
        weights["distillation"] *= config.rows * started() / REFERENCE_BATCH
    return _overridden(fields, {"weights": weights}, fields.pop("options"), overrides, "settings")


def _overridden(
    fields: dict[str, Any],
    chosen: dict[str, Any],
    options: dict[str, Any],
    overrides: Mapping[str, Any],
    where: str,
) -> TrainConfig:
    """chosen: the objective, by `name` or by `weights`, the distillation weight for a batch of 256."""
    from compoclip.distributed import started
    from compoclip.losses import TERMS, objective
    from compoclip.losses.objective import term_options

    known_options = term_options()
    changes = {key: value for key, value in overrides.items() if key in TERMS or key in known_options}
    if "objective" in overrides:
        chosen, options = {"name": overrides["objective"]}, {}
    built = objective(chosen["weights"] if "weights" in chosen else chosen["name"], **options)
    weights, options = dict(built.weights), dict(built.options)
    for key, value in overrides.items():
        if key in ("weights", "options"):
            if not isinstance(value, Mapping):
                raise InputError(f"{key}={value!r}: write a mapping, such as --set '{key}={{...}}'")
            if key == "weights":
                weights = dict(value)
            else:
                options |= value
        elif key in TrainConfig.model_fields:
            fields[key] = value
        elif key not in changes and key != "objective":
            known = [*TrainConfig.model_fields, "objective", *TERMS, *known_options]
            close = get_close_matches(key, known, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise InputError(f"unknown setting {key!r}{hint}; see `compoclip ls settings`")
    built = objective(weights, **{**options, **changes})
    weights = dict(built.weights)
    config = _validated({**fields, "weights": weights, "options": dict(built.options)}, where)
    if _scaled(weights, built.options):
        weights["distillation"] *= REFERENCE_BATCH / (config.rows * started())
        config = config.model_copy(update={"weights": weights})
    return config


def _scaled(weights: Mapping[str, float], options: Mapping[str, Any]) -> bool:
    return "distillation" in weights and options.get("distillation_reduction", "sum") == "sum"


def _validated(values: dict[str, Any], where: str) -> TrainConfig:
    if odd := [key for key in values if not isinstance(key, str)]:
        raise InputError(f"{where}: {odd[0]!r} is no setting's name")
    try:
        return TrainConfig(**values)
    except SettingError as error:
        raise InputError(f"{where}: {error}") from None

"""The model card of an export: what it was made from, how, what it scores, and under which terms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from compoclip.export.formats import Format
from compoclip.io import read_json, write_text

CITATIONS = {
    "clip": "Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021",
    "negclip": "Yuksekgonul et al., When and Why Vision-Language Models Behave like Bags-of-Words, ICLR 2023",
    "fsc-clip": "Oh et al., Preserving Multi-Modal Capabilities of Pre-trained VLMs, EMNLP 2024 (arXiv 2410.05210)",
    "degla": "Hu et al., Decoupled Global-Local Alignment, ACM MM 2025 (arXiv 2504.16801)",
    "lora": "Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, ICLR 2022",
    "blend": "Wortsman et al., Robust Fine-Tuning of Zero-Shot Models, CVPR 2022",
}
TERMS = {  # terms of an objective -> whose they are
    "fsc-clip": {"global_negative", "local_negative"},
    "degla": {"image_grounded", "text_grounded", "distillation"},
}


def run_of(source: Path) -> dict[str, Any]:
    """Settings and results of the run that a model folder belongs to; empty where it belongs to none."""
    for folder in (source, source.parent):
        config = folder / "config.yaml"
        if config.is_file():
            results = folder / "results.json"
            settings = yaml.safe_load(config.read_text("utf-8"))
            return {"settings": settings, "results": read_json(results) if results.is_file() else None}
    return {}


def base_of(settings: dict[str, Any]) -> str | None:
    """The weights that a run started from, as `compoclip.load` names them; a folder's last name alone."""
    model, tag = settings.get("model"), settings.get("pretrained")
    if not model:
        return None
    name = Path(str(model)).name
    return f"{name}:{Path(str(tag)).name}" if tag else name


def write_card(folder: Path, to: Format, facts: dict[str, Any], licence: str | None, base: str | None = None) -> None:
    """Write `README.md`. `facts`: found (what the checkpoint is), equality, fingerprint; run or blend where known."""
    run = facts.get("run") or {}
    settings = run.get("settings") or {}
    base = base or base_of(settings)
    head: dict[str, Any] = {"library_name": to.library, "tags": ["clip", "compositionality", "compoclip"]}
    head |= {"pipeline_tag": to.task} if to.task else {}
    head |= {"license": licence} if licence else {}
    head |= {"base_model": base} if base and "/" in base else {}
    text = ["---", yaml.safe_dump(head, sort_keys=False).rstrip(), "---", "", f"# {facts['name']}", ""]
    text += [f"Loads by `{to.use}`.", ""]
    source = [f"file: {facts['file']}, sha256 {facts['sha256']}"] if facts.get("sha256") else []
    text += _section("Origin", [*source, *(f"{k}: {v} ({why})" for k, (v, why) in facts["found"].items())])
    if base:
        text += _section("Base", [base])
    text += _section("Training", _training(settings))
    text += _section("Blend", [f"{k}: {v}" for k, v in (facts.get("blend") or {}).items()])
    text += _section("Figures", _figures(run.get("results"))) or [
        "## Figures",
        "",
        "None are known to this folder.",
        "",
    ]
    equality = facts["equality"]
    text += _section(
        "Check",
        [
            f"largest difference to the source's features (length 1): image {equality['image']:.2g}, "
            f"text {equality['text']:.2g}; {equality['keys']} weights or layers accounted for",
            f"fingerprint: image {facts['fingerprint']['image']}, text {facts['fingerprint']['text']}",
        ],
    )
    terms = licence or "not stated by who exported it; the base's, the data's and the photos' terms apply"
    text += _section("Licence", [terms])
    text += _section("Citations", _citations(settings, facts))
    write_text(folder / "README.md", "\n".join(text).rstrip() + "\n")


def _section(title: str, rows: list[str]) -> list[str]:
    return [f"## {title}", "", *(f"- {row}" for row in rows), ""] if rows else []


def _training(settings: dict[str, Any]) -> list[str]:
    if not settings:
        return []
    names = (
        *("recipe", "data", "negatives", "negative_kinds", "negatives_per_caption", "weights", "options"),
        *("batch_size", "epochs", "steps", "lr", "weight_decay", "warmup", "lora_rank", "lora_alpha"),
        *("precision", "seed"),
    )
    private = {"data", "negatives"}  # a folder's last name is enough; where it lies is nobody's business
    out = []
    for name in names:
        value = settings.get(name)
        if value not in (None, "", [], {}):
            out.append(f"{name}: {Path(str(value)).name if name in private else value}")
    return out


def _figures(results: dict[str, Any] | None) -> list[str]:
    """One line a subset, with its interval."""
    rows = []
    for task, held in (results or {}).get("tasks", {}).items():
        for subset, row in held.get("subsets", {}).items():
            value = next(
                (row[k] for k in ("accuracy", "score", "recall@1", "mean") if isinstance(row.get(k), (int, float))),
                None,
            )
            if value is None:
                continue
            low_high = row.get("ci95")
            interval = f" [{low_high[0]:.1f}, {low_high[1]:.1f}]" if low_high else ""
            rows.append(f"{task} {subset}: {value:.1f}{interval}, n {row.get('n', '?')}")
    return rows


def _citations(settings: dict[str, Any], facts: dict[str, Any]) -> list[str]:
    recipe = str(settings.get("recipe", ""))
    terms = set(settings.get("weights") or {})
    names = ["clip", *(["negclip"] if recipe.startswith("negclip") else [])]
    names += [name for name, own in TERMS.items() if recipe.startswith(name) or terms & own]
    names += ["lora"] if settings.get("lora_rank") or "LoRA" in facts["found"] else []
    names += ["blend"] if facts.get("blend") else []
    return [CITATIONS[name] for name in names]

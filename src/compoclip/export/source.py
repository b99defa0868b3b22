"""Any checkpoint that `convert` takes, as a model, with what it is and where each fact comes from."""

from __future__ import annotations

from pathlib import Path

from compoclip.errors import InputError, RunError
from compoclip.io import read_json
from compoclip.models import Model, load
from compoclip.models.hf import is_checkpoint
from compoclip.models.import_folder import import_adapter, import_huggingface, is_adapter
from compoclip.models.importing import Found, import_file

HUB_FILES = ["*.json", "*.txt", "*.safetensors", "open_clip_pytorch_model.bin", "pytorch_model.bin"]


def open_source(
    checkpoint: str, activation: str | None = None, base: str | None = None, lora_alpha: float | None = None
) -> tuple[Model, Found]:
    """FILE, DIR, `hf:OWNER/NAME`, `hf:OWNER/NAME/FILE`, or any name that `compoclip.load` takes.

    Raises InputError for what is not there or not understood, RunError where the hub does not give it.
    """
    parent = load(base) if base is not None else None
    path = from_hub(checkpoint.removeprefix("hf:")) if checkpoint.startswith("hf:") else Path(checkpoint)
    if path.is_dir() and is_adapter(path):
        return import_adapter(path, parent)
    if path.is_dir() and is_checkpoint(path) and read_json(path / "config.json").get("model_type") == "clip":
        if activation is not None:
            raise InputError(f"{path}: config.json says the activation; leave --activation out")
        return import_huggingface(path)
    if path.is_file():
        return import_file(path, activation, parent, lora_alpha)
    model = load(str(path) if path.is_dir() else checkpoint, activation=activation)
    found = Found(checkpoint, model.info.get("sha256"))
    found.add("architecture", model.info["name"], "its configuration")
    found.add(
        "activation", model.info["activation"], "open_clip's table" if ":" in checkpoint else "open_clip_config.json"
    )
    found.add("context length", model.config["model_cfg"]["text_cfg"].get("context_length", 77), "its configuration")
    found.add("weights", f"{len(model.module.state_dict())} placed", "every one of the architecture's")
    return model, found


def from_hub(name: str) -> Path:
    """A repository of the hub, or one file of it, on this disk. A path that is there is taken as it is."""
    if Path(name).exists():
        return Path(name)
    parts = name.split("/")
    if len(parts) < 2 or not all(parts):
        raise InputError(f"hf:{name}: write hf:OWNER/NAME or hf:OWNER/NAME/FILE")
    from huggingface_hub import hf_hub_download, snapshot_download

    repo, file = "/".join(parts[:2]), "/".join(parts[2:])
    try:
        if file:
            return Path(hf_hub_download(repo, file))
        return Path(snapshot_download(repo, allow_patterns=HUB_FILES))
    except Exception as error:  # the client raises what its transport raises
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunError(
            f"hf:{name}: the hub does not give it ({why}); look at its page, or fetch the file yourself"
        ) from None

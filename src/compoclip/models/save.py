"""Writing a model as a folder that plain open_clip loads (`local-dir:FOLDER`), the activation stated in its config."""

from __future__ import annotations

import glob
import json
import os
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

from open_clip.hf_model import HFTextEncoder
from safetensors import SafetensorError
from safetensors.torch import save_file

from compoclip.errors import InputError, RunError
from compoclip.io import remove_leftovers, write_json
from compoclip.models.allowed import strip_code
from compoclip.models.model import Model

__all__ = ["save", "save_tokenizer"]

CONFIG = "open_clip_config.json"


def save(model: Model, out: str | Path) -> Path:
    """Write `open_clip_config.json`, `open_clip_model.safetensors` and tokenizer files; the folder appears whole.

    A model folder at `out` is replaced. Raises InputError where something else is there: it would be lost.

    model: from `load`, or trained; out: the folder, which is returned. RunError where it cannot be written.

    Example: save(load("tiny"), "tiny-copy")
    """
    out = Path(os.path.abspath(out))
    if out.exists() and not (out.is_dir() and ((out / CONFIG).is_file() or not any(out.iterdir()))):
        raise InputError(f"{out}: something is here that is not a model folder; choose another name")
    out.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out.parent, f"{glob.escape(out.name)}*")
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        config = deepcopy(model.config)
        text = getattr(model.clip, "text", None)
        if isinstance(text, HFTextEncoder):
            text.config.save_pretrained(temporary / "text")
            save_tokenizer(model.tokenizer.tokenizer, temporary / "text")
            # plain open_clip resolves the name from anywhere, so it has to be absolute; our own loader looks beside it
            config["model_cfg"]["text_cfg"]["hf_model_name"] = str(out.resolve() / "text")
            config["model_cfg"]["text_cfg"]["hf_tokenizer_name"] = str(out.resolve() / "text")
            config["model_cfg"]["text_cfg"]["hf_model_pretrained"] = False
        if hasattr(model.tokenizer, "tokenizer") and hasattr(model.tokenizer.tokenizer, "save_pretrained"):
            save_tokenizer(model.tokenizer.tokenizer, temporary)
        strip_code(temporary)
        state = {k: v.detach().cpu().contiguous() for k, v in model.clip.state_dict().items()}
        save_file(state, temporary / "open_clip_model.safetensors")
        (temporary / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
        os.chmod(temporary, 0o755)
        _put(temporary, out)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{out}: cannot write the model ({error}); free space there or choose another place") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return out


def save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Write a tokenizer of transformers' into a folder under a class that its release 4 has too: 5 has its own.

    Example: save_tokenizer(model.tokenizer.tokenizer, Path("mine"))
    """
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    found = json.loads(path.read_text("utf-8"))
    if found.get("tokenizer_class") == "TokenizersBackend":
        found["tokenizer_class"] = "PreTrainedTokenizerFast"
        write_json(path, found)


def _put(temporary: Path, out: Path) -> None:
    """Rename into place; what was there comes back where that fails."""
    if not out.exists():
        os.replace(temporary, out)
        return
    old = out.with_name(f".{out.name}.old.{os.getpid()}.tmp")
    os.replace(out, old)
    try:
        os.replace(temporary, out)
    except OSError:
        os.replace(old, out)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)

"""Writing a model as a folder that plain open_clip loads (`local-dir:FOLDER`), the activation stated in its config."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from copy import deepcopy
from pathlib import Path

from open_clip.hf_model import HFTextEncoder
from safetensors.torch import save_file

from compoclip.models.model import Model


def save(model: Model, out: str | Path) -> Path:
    """Write `open_clip_config.json`, `open_clip_model.safetensors` and tokenizer files; the folder appears whole.

    An existing folder at `out` is replaced.
    """
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        config = deepcopy(model.config)
        text = getattr(model.clip, "text", None)
        if isinstance(text, HFTextEncoder):
            text.config.save_pretrained(temporary / "text")
            model.tokenizer.tokenizer.save_pretrained(temporary / "text")
            # plain open_clip resolves the name from anywhere, so it has to be absolute; our own loader looks beside it
            config["model_cfg"]["text_cfg"]["hf_model_name"] = str(out.resolve() / "text")
            config["model_cfg"]["text_cfg"]["hf_tokenizer_name"] = str(out.resolve() / "text")
            config["model_cfg"]["text_cfg"]["hf_model_pretrained"] = False
        if hasattr(model.tokenizer, "tokenizer") and hasattr(model.tokenizer.tokenizer, "save_pretrained"):
            model.tokenizer.tokenizer.save_pretrained(temporary)
        state = {k: v.detach().cpu().contiguous() for k, v in model.clip.state_dict().items()}
        save_file(state, temporary / "open_clip_model.safetensors")
        (temporary / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")
        os.chmod(temporary, 0o755)
        if out.exists():
            old = out.with_name(f".{out.name}.old")
            shutil.rmtree(old, ignore_errors=True)
            os.replace(out, old)
            os.replace(temporary, out)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(temporary, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return out

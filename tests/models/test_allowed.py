"""A model folder is data: it runs no code, contacts nobody, and states only what it may."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from compoclip.errors import InputError
from compoclip.models import Model, load, save

from .clips import captions
from .hf_models import write_checkpoint

CODE = "import pathlib\npathlib.Path({marker!r}).write_text('it ran')\n"


@pytest.fixture(autouse=True)
def guarded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Online as far as the libraries know, so that a request would be made; every connection is a failed test."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    asked: list[Any] = []

    def refuse(*args: Any, **options: Any) -> Any:
        asked.append(args)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    marker = tmp_path / "it-ran"
    yield marker
    assert not marker.exists(), "code of the folder was run"
    assert not asked, f"the network was asked for: {asked}"
    assert not [name for name in sys.modules if name.startswith("transformers_modules")]


@pytest.fixture
def folder(clip: Callable[..., Model], tmp_path: Path) -> Path:
    """A model with a Hugging Face text tower, and a `.py` file beside each of its configurations."""
    return save(clip("hf-mean"), tmp_path / "model")


def change(file: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    found = json.loads(file.read_text()) if file.exists() else {}
    edit(found)
    file.write_text(json.dumps(found))


def plant(folder: Path, marker: Path) -> dict[str, Any]:
    """Code in the folder, and the `auto_map` that names it."""
    code = CODE.format(marker=str(marker))
    code += "from transformers import PreTrainedTokenizerFast, BertConfig\n"
    code += "class Evil(PreTrainedTokenizerFast):\n    pass\nclass EvilConfig(BertConfig):\n    pass\n"
    (folder / "evil.py").write_text(code)
    return {"AutoTokenizer": [None, "evil.Evil"], "AutoConfig": "evil.EvilConfig"}


def refused(folder: Path, match: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        load(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_a_tokenizer_that_brings_code(folder: Path, guarded: Path) -> None:
    auto_map = plant(folder, guarded)
    change(folder / "tokenizer_config.json", lambda c: c.update(auto_map=auto_map))
    change(
        folder / "open_clip_config.json",
        lambda c: c["model_cfg"]["text_cfg"].update(tokenizer_kwargs={"trust_remote_code": True}),
    )
    refused(folder, r"text_cfg.tokenizer_kwargs.trust_remote_code is not among the settings")
    change(folder / "open_clip_config.json", lambda c: c["model_cfg"]["text_cfg"].pop("tokenizer_kwargs"))
    refused(folder, "tokenizer_config.json: 'auto_map' names code")


@pytest.mark.parametrize("where", ["config.json", "text/config.json", "text/tokenizer_config.json"])
def test_other_configurations_that_bring_code(folder: Path, guarded: Path, where: str) -> None:
    auto_map = plant((folder / where).parent, guarded)
    change(folder / where, lambda c: c.update(auto_map=auto_map, model_type="bert"))
    refused(folder, f"{where}: 'auto_map' names code")


@pytest.mark.parametrize(
    ("tower", "key", "value", "match"),
    [
        ("text_cfg", "hf_model_name", "someone/model-with-code", "hf_model_name 'someone/model-with-code' is not in"),
        ("text_cfg", "hf_model_name", "../elsewhere", "is not in this folder"),
        ("text_cfg", "hf_model_name", ["a"], "a plain setting is wanted"),
        ("vision_cfg", "timm_model_name", "hf_hub:someone/model", "not the name of a timm architecture"),
        ("vision_cfg", "timm_model_name", "hf-hub:someone/model", "not the name of a timm architecture"),
        ("vision_cfg", "timm_model_name", "local-dir:/tmp/x", "not the name of a timm architecture"),
        ("vision_cfg", "no_such", 1, "vision_cfg.no_such is not among the settings"),
        ("vision_cfg", "width", {"a": 1}, "a plain setting is wanted"),
        ("vision_cfg", "width", float("nan"), "a plain setting is wanted"),
        ("vision_cfg", "width", 10**30, "a plain setting is wanted"),
        ("vision_cfg", "layers", 10**9, "states .* weights, more than the files here hold"),
        ("text_cfg", "tokenizer_kwargs", {"cache_dir": "/"}, "tokenizer_kwargs.cache_dir is not among"),
        ("text_cfg", "tokenizer_kwargs", {"proxies": {"https": "http://evil"}}, "tokenizer_kwargs.proxies is not"),
        ("text_cfg", "tokenizer_kwargs", {"clean": {"a": 1}}, "a plain setting is wanted"),
        ("text_cfg", "act_kwargs", {"device": "meta"}, "act_kwargs.device is not among"),
    ],
)
def test_fields_of_the_open_clip_configuration(folder: Path, tower: str, key: str, value: Any, match: str) -> None:
    if key == "hf_model_name":
        (folder / "text" / "config.json").unlink()
    change(folder / "open_clip_config.json", lambda c: c["model_cfg"][tower].update({key: value}))
    refused(folder, match)


def test_what_stands_beside_the_towers(folder: Path) -> None:
    change(folder / "open_clip_config.json", lambda c: c["model_cfg"].update(cast_dtype="x"))
    refused(folder, "model_cfg.cast_dtype is not among the settings")
    change(folder / "open_clip_config.json", lambda c: c["model_cfg"].pop("cast_dtype"))
    change(folder / "open_clip_config.json", lambda c: c.update(preprocess_cfg=[1]))
    refused(folder, "'preprocess_cfg' is no object")
    change(folder / "open_clip_config.json", lambda c: c.update(preprocess_cfg={"resize_mode": "sideways"}))
    refused(folder, "'preprocess_cfg' states no image transform")


HUGGING_FACE = {
    "code of a model": ("config.json", {"auto_map": {"AutoModel": "evil.Evil"}}, "'auto_map' names code"),
    "code of an image processor": (
        "preprocessor_config.json",
        {"auto_map": {"AutoImageProcessor": "evil.Evil"}},
        "code",
    ),
    "code of a tokenizer": ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil.Evil", None]}}, "code"),
    "another repository's code": ("config.json", {"auto_map": {"AutoModel": "someone/repo--evil.Evil"}}, "code"),
    "deep in a part": ("config.json", {"text_config": {"trust_remote_code": True}}, "'trust_remote_code' names code"),
    "a kernel from the hub": ("config.json", {"attn_implementation": "someone/kernel"}, "may name a kernel to fetch"),
    "quantised": ("config.json", {"quantization_config": {"quant_method": "x"}}, "'quantization_config' names"),
    "an adapter": ("adapter_config.json", {"base_model_name_or_path": "someone/model"}, "an adapter, which names"),
    "shards elsewhere": ("model.safetensors.index.json", {"weight_map": {"a": "../../b.safetensors"}}, "leads out of"),
    "words elsewhere": ("tokenizer_config.json", {"vocab_file": "/etc/passwd"}, "leads out of the folder"),
}


@pytest.mark.parametrize("case", HUGGING_FACE)
def test_a_hugging_face_folder(case: str, tmp_path: Path, guarded: Path) -> None:
    file, settings, match = HUGGING_FACE[case]
    folder = write_checkpoint(tmp_path / "hf", "clip")
    plant(folder, guarded)
    change(folder / file, lambda c: c.update({**c, **settings}))
    refused(folder, match)
    with pytest.raises(InputError, match=match):
        load(f"hf:{folder}")


def test_what_published_folders_state_is_read(tmp_path: Path, clip: Callable[..., Model]) -> None:
    folder = write_checkpoint(tmp_path / "hf", "clip")
    said = {"special_tokens_map_file": "/root/.cache/x/special_tokens_map.json", "name_or_path": "openai/clip"}
    change(folder / "tokenizer_config.json", lambda c: c.update(said))
    change(folder / "config.json", lambda c: c.update(_name_or_path="openai/clip", transformers_version="4.16.0"))
    assert load(folder).width == 12
    out = save(clip("vit"), tmp_path / "vit")
    change(out / "open_clip_config.json", lambda c: c["model_cfg"]["text_cfg"].update(norm_kwargs={"eps": 1e-6}))
    assert load(out).width == 24


def test_loading_a_folder_asks_nobody_and_copies_no_code(folder: Path, guarded: Path, tmp_path: Path) -> None:
    plant(folder, guarded)
    plant(folder / "text", guarded)
    model = load(folder)
    out = save(model, tmp_path / "again")
    suffixes = {path.suffix for path in out.rglob("*") if path.is_file()}
    assert suffixes == {".json", ".safetensors"}
    assert torch.equal(load(out).encode_text(captions(3)), model.encode_text(captions(3)))


def test_an_export_holds_no_code_whatever_its_tokenizer_saves(
    clip: Callable[..., Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = clip("hf-mean")
    own = type(model.tokenizer.tokenizer).save_pretrained

    def with_code(tokenizer: Any, target: Any, **options: Any) -> Any:
        found = own(tokenizer, target, **options)
        (Path(target) / "tokenization_evil.py").write_text("raise SystemExit")
        change(Path(target) / "tokenizer_config.json", lambda c: c.update(auto_map={"AutoTokenizer": "x.Y"}))
        return found

    monkeypatch.setattr(type(model.tokenizer.tokenizer), "save_pretrained", with_code)
    out = save(model, tmp_path / "out")
    assert not list(out.rglob("*.py"))
    assert "auto_map" not in (out / "tokenizer_config.json").read_text()
    assert load(out).width == 24

"""Loading: the activation is never guessed, files are not trusted, and what is wrong is named."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import warnings
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file

import compoclip
from compoclip.errors import InputError
from compoclip.models import load, save
from compoclip.models import load as load_function

from .clips import CONFIGS, captions, pixels


def _refused(what, match, **options):
    with pytest.raises(InputError, match=match) as caught:
        load(what, **options)
    assert "\n" not in str(caught.value)


@pytest.fixture
def tag(clip, tmp_path, monkeypatch):
    """A tag of the small architecture as open_clip has them, with weights on disk where a download would come from."""
    weights = tmp_path / "weights.safetensors"
    model = clip("vit", seed=3)
    save_file(model.clip.state_dict(), weights)

    def make(**pretrained):
        from open_clip import factory
        from open_clip import pretrained as table

        monkeypatch.setitem(table._PRETRAINED, "t-vit", {"pinned": {"url": "", "hf_hub": "", **pretrained}})
        monkeypatch.setattr(factory, "download_pretrained", lambda cfg, cache_dir=None: str(weights))
        return model

    return make


@pytest.mark.parametrize(("stated", "activation"), [({"quick_gelu": True}, "quickgelu"), ({}, "gelu")])
def test_the_activation_comes_from_the_tag(clip, tag, stated, activation):
    source = tag(**stated)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = load("t-vit:pinned")
    assert model.info["activation"] == activation
    assert model.config["model_cfg"]["quick_gelu"] is (activation == "quickgelu")
    reference = open_clip.create_model("t-vit", quick_gelu=activation == "quickgelu").eval()
    reference.load_state_dict(source.clip.state_dict())
    ids, batch = model.tokenize(captions(3)), pixels(model)
    with torch.no_grad():
        assert torch.equal(model.image_features(batch).pooled, reference.encode_image(batch))
        found = model.text_features(ids, cut=False).pooled
        torch.testing.assert_close(found, reference.encode_text(ids), rtol=1e-5, atol=1e-6)
    if activation == "quickgelu":
        gap = (source.encode_text(captions(3)) - model.encode_text(captions(3))).abs().max()
        assert gap > 1e-4  # with the other activation the features are others, or this test tests nothing


def test_every_known_tag_has_the_activation_that_open_clip_or_its_architecture_states():
    states = {}
    for architecture, tag in open_clip.list_pretrained():
        stated = open_clip.get_pretrained_cfg(architecture, tag).get("quick_gelu")
        states[architecture, tag] = stated, bool(open_clip.get_model_config(architecture).get("quick_gelu"))
    assert states["ViT-B-32", "openai"][0] is True
    silent_but_quick = [name for name, (stated, default) in states.items() if stated is None and default]
    assert silent_but_quick == [("roberta-ViT-B-32", "laion2b_s12b_b32k")]


def test_a_silent_tag_of_a_quickgelu_architecture_is_quickgelu(clip, tmp_path, monkeypatch):
    from open_clip import factory, pretrained

    weights = tmp_path / "weights.safetensors"
    save_file(clip("vit-quick").clip.state_dict(), weights)
    monkeypatch.setitem(pretrained._PRETRAINED, "t-vit-quick", {"silent": {"url": "", "hf_hub": ""}})
    monkeypatch.setattr(factory, "download_pretrained", lambda cfg, cache_dir=None: str(weights))
    assert load("t-vit-quick:silent").info["activation"] == "quickgelu"


def test_the_wrong_activation_for_a_tag_is_refused(clip, tag):
    tag(quick_gelu=True)
    _refused("t-vit:pinned", "activation quickgelu, not gelu", activation="gelu")
    assert load("t-vit:pinned", activation="quickgelu").info["activation"] == "quickgelu"


def test_a_tag_that_cannot_be_downloaded_is_one_line(clip, tag, monkeypatch):
    tag()

    def fail(cfg, cache_dir=None):
        raise OSError("no network\nand more lines")

    monkeypatch.setattr(open_clip.factory, "download_pretrained", fail)
    _refused("t-vit:pinned", "t-vit:pinned: open_clip cannot load it .*no network")


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_a_file_must_tell_its_activation(clip, tmp_path, suffix):
    source = clip("vit-quick")
    path = tmp_path / f"weights.{suffix}"
    state = source.clip.state_dict()
    save_file(state, path) if suffix == "safetensors" else torch.save({"state_dict": state, "epoch": 3}, path)
    _refused(f"t-vit:{path}", f"{path}: .*add --activation quickgelu .* or --activation gelu")
    _refused(f"t-vit:{path}", "choose gelu or quickgelu", activation="relu")
    model = load(f"t-vit:{path}", activation="quickgelu")
    assert torch.equal(model.encode_text(captions(4)), source.encode_text(captions(4)))
    assert model.info["sha256"]
    assert load(f"t-vit:{path}", activation="gelu").info["activation"] == "gelu"


def test_an_architecture_that_names_the_activation_needs_no_more(clip, tmp_path):
    path = tmp_path / "w.safetensors"
    save_file(clip("vit-quick").clip.state_dict(), path)
    assert load(f"t-vit-quick:{path}").info["activation"] == "quickgelu"


def test_towers_with_their_own_activation_are_not_asked(clip, tmp_path):
    config = dict(clip("timm-vit").config["model_cfg"])
    bert = clip("hf-mean").config["model_cfg"]["text_cfg"]
    (tmp_path / "t-own.json").write_text(json.dumps({**config, "text_cfg": bert}))
    open_clip.add_model_config(tmp_path / "t-own.json")
    first = load("t-own:random")
    assert first.info["activation"] == "own"
    save_file(first.clip.state_dict(), tmp_path / "w.safetensors")
    again = load(f"t-own:{tmp_path / 'w.safetensors'}")
    assert torch.equal(again.encode_text(["a cat"]), first.encode_text(["a cat"]))


class _Evil:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def _provoke_type_error(path: Path, marker: Path) -> None:
    """An allowed function called with the wrong arguments, so that a reader falls back on a plain load."""

    class Wrong:
        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, (1,)

    torch.save([Wrong(), _Evil(marker)], path)


@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle", "type-error"])
def test_code_in_a_weights_file_does_not_run(clip, tmp_path, kind):
    marker, path = tmp_path / "it-ran", tmp_path / "evil.pt"
    if kind == "pickle":
        path.write_bytes(pickle.dumps({"a": _Evil(marker)}))
    elif kind == "type-error":
        _provoke_type_error(path, marker)
    else:
        torch.save({"a": _Evil(marker)}, path, _use_new_zipfile_serialization=kind == "zip")
    _refused(f"t-vit:{path}", "more than weights" if kind != "type-error" else "cannot load", activation="gelu")
    assert not marker.exists()
    folder = tmp_path / "model"
    save(clip("vit"), folder)
    (folder / "open_clip_model.safetensors").unlink()
    shutil.copy(path, folder / "open_clip_pytorch_model.bin")
    _refused(folder, "cannot load it")
    assert not marker.exists()


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("nowhere", "no such directory, file or model; give 'tiny', a directory, a weights file, or NAME:PRETRAINED"),
        ("No-Such:openai", "No-Such: open_clip knows no such architecture"),
        ("ViT-B-32:no_such_tag", "no such tag or file; tags: openai, "),
        ("ViT-B-32:", "no such tag or file"),
        ("ViT-B-32:missing.pt", "no such tag or file"),
    ],
)
def test_names_that_lead_nowhere(name, match):
    _refused(name, match)


def test_weights_of_another_architecture(clip, tmp_path):
    save_file(clip("custom").clip.state_dict(), tmp_path / "w.safetensors")
    _refused(f"t-vit-avg:{tmp_path / 'w.safetensors'}", "weights are not in the file, the first ", activation="gelu")
    (tmp_path / "broken.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{broken")
    _refused(f"t-vit:{tmp_path / 'broken.safetensors'}", "cannot load it", activation="gelu")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    _refused(f"t-vit:{tmp_path / 'other.safetensors'}", "it has a$", activation="gelu")


@pytest.fixture
def folder(clip, tmp_path):
    return save(clip("vit"), tmp_path / "model")


def test_a_folder_with_something_missing(folder):
    config = folder / "open_clip_config.json"
    (folder / "open_clip_model.safetensors").rename(folder / "elsewhere")
    _refused(folder, "no weights here .looked for open_clip_model.safetensors")
    config.unlink()
    _refused(folder, "no open_clip_config.json here; give a folder written by")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{not json", "line 1 is not valid JSON"),
        ("[]", "no 'model_cfg'"),
        ("{}", "no 'model_cfg'"),
        ('{"model_cfg": 3}', "no 'model_cfg'"),
        ('{"model_cfg": {"embed_dim": 8, "text_cfg": null, "vision_cfg": {}}}', "no 'model_cfg' with"),
        (
            '{"model_cfg": {"embed_dim": 8, "text_cfg": {}, "vision_cfg": {"no_such": 1}}}',
            "vision_cfg.no_such is not",
        ),
    ],
)
def test_a_folder_with_a_bad_configuration(folder, text, match):
    (folder / "open_clip_config.json").write_text(text)
    _refused(folder, match)


def test_a_folder_with_cut_off_weights(folder):
    path = folder / "open_clip_model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    _refused(folder, "cannot load it")


def test_the_digest_is_that_of_the_file_open_clip_reads(clip, folder):
    other = clip("vit", seed=9)
    path = folder / "open_clip_model.safetensors"
    path.rename(folder / "open_clip_pytorch_model.safetensors")
    torch.save(other.clip.state_dict(), folder / "open_clip_pytorch_model.bin")
    both = load(folder)
    (folder / "open_clip_pytorch_model.bin").unlink()
    one = load(folder)
    assert both.info["sha256"] == one.info["sha256"]
    assert torch.equal(both.encode_text(["a cat"]), one.encode_text(["a cat"]))


def test_a_run_directory_is_its_export(clip, tmp_path):
    model = clip("vit")
    save(model, tmp_path / "run" / "export")
    again = compoclip.load(tmp_path / "run")
    assert torch.equal(again.encode_text(captions(3)), model.encode_text(captions(3)))
    assert load_function is compoclip.load


def test_loading_is_quiet_and_leaves_logging_as_it_was(folder, caplog, capfd):
    import logging

    before = logging.root.manager.disable
    load(folder)
    assert logging.root.manager.disable == before
    assert not caplog.records
    assert capfd.readouterr().err == ""


def test_info_can_be_written(clip, folder):
    info = load(folder).info
    assert json.loads(json.dumps(info)) == info
    assert {"name", "pretrained", "activation", "sha256", "parameters"} <= set(info)
    assert info["parameters"] == sum(p.numel() for p in clip("vit").clip.parameters())


@pytest.mark.parametrize("name", CONFIGS)
def test_random_weights_are_numbers_whatever_the_memory_held(clip, monkeypatch, name):
    """`torch.empty` filled with NaN: what open_clip forgets to set up cannot pass for fresh weights."""
    plain = torch.empty

    def broken(*args, **kwargs):
        made = plain(*args, **kwargs)
        return made.fill_(torch.nan) if made.is_floating_point() else made

    monkeypatch.setattr(torch, "empty", broken)
    model = load(f"t-{name}:random")
    assert [key for key, value in model.clip.state_dict().items() if not value.isfinite().all()] == []

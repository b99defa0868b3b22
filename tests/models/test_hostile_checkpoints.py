"""Checkpoints that lie or mean harm: one clear line each, nothing run, no memory beyond the file's own size."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from compoclip.cli import main
from compoclip.errors import InputError
from compoclip.export.source import open_source
from compoclip.models import load, save

from . import dense_clip, layout_files

State = dict[str, Any]


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return layout_files._tensors(dense_clip.make_arrays(vocabulary=99))


class _Runs:
    """Whoever unpickles it makes a folder."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.mark,)


def _expanded(state: State) -> State:
    return {**state, "ln_final.bias": torch.zeros(1).expand(10**12)}


def _round(state: State) -> State:
    out: State = {"epoch": 1}
    out["model"] = out
    return out


def _wide(state: State) -> State:
    """A single small weight from which a tower of a hundred gigabytes would follow."""
    return {**state, "visual.conv1.weight": torch.zeros(1_024_000, 1, 1, 1)}


CASES: dict[str, tuple[Callable[[State], Any], str]] = {
    "expanded": (_expanded, "states 1000000000000 numbers and contains 1"),
    "sparse": (lambda s: {**s, "visual.proj": torch.zeros(128, 32).to_sparse()}, "visual.proj is no plain tensor"),
    "meta": (lambda s: {**s, "visual.proj": torch.zeros(128, 32, device="meta")}, "visual.proj is no plain tensor"),
    "complex": (lambda s: {**s, "visual.proj": torch.zeros(128, 32) + 0j}, "visual.proj is .*complex64"),
    "integers": (lambda s: {**s, "visual.proj": torch.zeros(128, 32, dtype=torch.int8)}, "visual.proj is .*int8"),
    "round": (_round, "contains itself"),
    "wide": (_wide, r"class_embedding is \(128,\) in the file and \(1024000,\)"),
    "a line break": (lambda s: {**s, "up\nand\x1b[2Jdown": torch.zeros(1)}, "none of .* the first"),
    "numbers for names": (lambda s: dict(enumerate(s.values())), "patch layer"),
    "flat": (lambda s: {**s, "visual.conv1.weight": torch.zeros(128, 3)}, "wrong number of dimensions"),
    "float8": (lambda s: {k: v.to(torch.float8_e4m3fn) for k, v in s.items()}, "vocabulary of 99"),
    "half NaN": (lambda s: {**s, "ln_final.bias": torch.full((64,), float("nan")).bfloat16()}, "no numbers"),
    "no layers": (lambda s: {k: v for k, v in s.items() if "resblocks" not in k}, "a tower without blocks"),
    "a hole": (lambda s: {k.replace("resblocks.1.", "resblocks.7."): v for k, v in s.items()}, "not in the file"),
    "an empty tensor": (lambda s: {**s, "visual.conv1.weight": torch.zeros(0, 3, 8, 8)}, "visual.conv1.weight"),
    "a width of nothing": (lambda s: {**s, "positional_embedding": torch.zeros(77, 0)}, "positional_embedding"),
}


@pytest.mark.parametrize("name", CASES)
def test_weights_that_lie(state: State, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, message = CASES[name]
    torch.save(make(state), tmp_path / "x.pt")
    with pytest.raises(InputError, match=message):
        load(tmp_path / "x.pt", activation="gelu")
    out = str(tmp_path / "out")
    with pytest.raises(SystemExit) as stop:
        main(["convert", str(tmp_path / "x.pt"), "--activation", "gelu", "--to", "open_clip", "--out", out])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("compoclip: error: ")
    assert said.count("\n") == 1
    assert all(mark.isprintable() for mark in said[:-1])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.pt"]


def test_code_in_an_optimiser_s_state_is_not_run(state: State, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    inside = {"state": {0: {"step": _Runs(mark)}}, "param_groups": []}
    for number, content in enumerate(
        ({"state_dict": state, "optimizer": inside}, {"model": state, "ema": [_Runs(mark)]})
    ):
        torch.save(content, tmp_path / f"{number}.pt")
        with pytest.raises(InputError, match="more than weights, and its code is not run"):
            load(tmp_path / f"{number}.pt", activation="gelu")
    assert not mark.exists()


def _archive(path: Path, members: dict[str, bytes], packing: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_archives_that_lie(state: State, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "whole.pt")
    whole = (tmp_path / "whole.pt").read_bytes()
    with zipfile.ZipFile(tmp_path / "whole.pt") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    bomb = {**members, "whole/data/0": bytes(50_000_000)}
    loop = pickle.dumps(None)
    cases = {
        "nested": (_archive(tmp_path / "nested.pt", {"inner.pt": whole}), "cannot load it"),
        "bomb": (_archive(tmp_path / "bomb.pt", bomb, zipfile.ZIP_DEFLATED), "larger than the file"),
        "script bomb": (
            _archive(tmp_path / "s.pt", {"a/code/x.py": b"", "a/data.pkl": bytes(50_000_000)}, zipfile.ZIP_DEFLATED),
            "larger than the file",
        ),
        "no pickle": (_archive(tmp_path / "none.pt", {"whole/data/0": b"1234"}), "cannot load it"),
        "script of nothing": (_archive(tmp_path / "n.pt", {"a/code/x.py": b"", "a/data.pkl": loop}), "no weights in"),
        "script cut": (_archive(tmp_path / "c.pt", {"a/code/x.py": b"", "a/data.pkl": b"\x80\x02"}), "cannot be read"),
    }
    for name, (path, message) in cases.items():
        with pytest.raises(InputError, match=message) as caught:
            load(path, activation="gelu")
        assert "\n" not in str(caught.value), name


def test_a_torchscript_archive_that_goes_round_or_stretches(tmp_path: Path) -> None:
    # by hand in protocol 2: a module whose attribute is itself; a tensor of 1 number seen as 10**12
    boxed = b"\x80\x02c__torch__.M\nM\nq\x00)\x81q\x01}q\x02X\x01\x00\x00\x00aq\x03h\x01sb."
    _archive(tmp_path / "round.pt", {"r/code/x.py": b"", "r/data.pkl": boxed})
    with pytest.raises(InputError, match="contains itself"):
        load(tmp_path / "round.pt", activation="gelu")
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQ"
    size = b"\x8a\x06\x00\x10\xa5\xd4\xe8\x00\x85"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00" + size + b"K\x00\x85\x89}tR"
    module = b"\x80\x02c__torch__.M\nM\n)\x81}X\x01\x00\x00\x00a" + tensor + b"sb."
    _archive(tmp_path / "wide.pt", {"w/code/x.py": b"", "w/data.pkl": module, "w/data/0": b"\0\0\0\0"})
    with pytest.raises(InputError, match="more numbers than"):
        load(tmp_path / "wide.pt", activation="gelu")


def test_safetensors_whose_header_lies(tmp_path: Path) -> None:
    def written(header: bytes, body: bytes = b"", length: int | None = None) -> Path:
        path = tmp_path / "x.safetensors"
        path.write_bytes((len(header) if length is None else length).to_bytes(8, "little") + header + body)
        return path

    def entry(**changes: Any) -> bytes:
        fields = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], **changes}
        return json.dumps({"visual.conv1.weight": fields}).encode()

    four = b"\0\0\0\0"
    cases = (
        (b"{}", b"", 2**63), (b"{}", b"", 10**9), (b"[]", b"", None), (b"\xff\xfe", b"", None), (b"", b"", None),
        (entry(shape=[2**62, 4]), four, None), (entry(shape=[-1]), four, None),
        (entry(data_offsets=[0, 400]), four, None),
        (entry(data_offsets=[4, 0]), four, None), (entry(dtype="F99"), four, None), (entry(shape=[2]), four, None),
        (entry(), b"", None), (entry(), four * 9, None), (entry(shape="many"), four, None),
    )  # fmt: skip
    for header, body, length in cases:
        with pytest.raises(InputError, match=r"x.safetensors: cannot load it") as caught:
            load(written(header, body, length), activation="gelu")
        assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def hugging_face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from compoclip.export import convert

    folder = tmp_path_factory.mktemp("hf") / "tiny"
    convert("tiny", "hf", folder)
    return folder


def _copied(folder: Path, to: Path) -> Path:
    import shutil

    shutil.copytree(folder, to)
    return to


def _changed(value: Any, **changes: Any) -> Any:
    """A configuration with `part__key` set."""
    out = json.loads(json.dumps(value))
    for name, new in changes.items():
        part, _, key = name.rpartition("__")
        (out[part] if part else out)[key] = new
    return out


CONFIGS: dict[str, dict[str, Any]] = {
    "huge layers": {"text_config__num_hidden_layers": 10**7},
    "huge width": {"vision_config__hidden_size": 64 * 10**5},
    "no heads": {"vision_config__num_attention_heads": 0},
    "a text": {"text_config__hidden_size": "wide"},
    "a list": {"text_config__max_position_embeddings": [77]},
    "negative": {"vision_config__num_hidden_layers": -1},
    "nothing": {"vision_config": None},
    "another kind": {"model_type": "clip_vision_model"},
    "code": {"auto_map": {"AutoModel": "evil.Model"}},
    "an activation": {"text_config__hidden_act": "relu"},
    "projection": {"projection_dim": 10**9},
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_configuration_that_lies(hugging_face: Path, name: str, tmp_path: Path) -> None:
    folder = _copied(hugging_face, tmp_path / "m")
    (folder / "evil.py").write_text(f"import os; os.mkdir({str(tmp_path / 'ran')!r})\n")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(_changed(config, **CONFIGS[name])))
    with pytest.raises(InputError) as caught:
        open_source(str(folder))
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "content", ['{"image_mean": 3}', '{"image_mean": [0.5], "image_std": [1, 1, 1]}', "[]", '{"size": 3}', "{}", "nil"]
)
def test_an_image_processor_that_lies(hugging_face: Path, content: str, tmp_path: Path) -> None:
    folder = _copied(hugging_face, tmp_path / "m")
    (folder / "preprocessor_config.json").write_text(content)
    with pytest.raises(InputError, match="preprocessor_config") as caught:
        open_source(str(folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("listed", [{"a": 5}, ["x"], {"a": "../up.safetensors"}, {"a": "gone.safetensors"}, 3, {}])
def test_an_index_that_lies(hugging_face: Path, listed: Any, tmp_path: Path) -> None:
    folder = _copied(hugging_face, tmp_path / "m")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": listed}))
    with pytest.raises(InputError) as caught:
        open_source(str(folder))
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_an_adapter_that_lies(tmp_path: Path) -> None:
    layer = "base_model.model.text_model.encoder.layers.0.mlp.fc1"
    good = {"peft_type": "LORA", "r": 2, "lora_alpha": 2, "target_modules": ["fc1"]}
    wide = load("tiny").clip.transformer.width
    factors = {f"{layer}.lora_A.weight": torch.zeros(2, wide), f"{layer}.lora_B.weight": torch.zeros(4 * wide, 2)}
    cases: list[tuple[Any, State, str]] = [
        ([], factors, "adapter_config.json"),
        ({**good, "lora_alpha": "big"}, factors, "lora_alpha"),
        ({**good, "use_rslora": True}, factors, "plain LoRA"),
        ({**good, "alpha_pattern": {"fc1": 8, "(a+)+$": 3}}, factors, "alpha_pattern"),
        (good, {f"{layer}.lora_A.weight": torch.zeros(2, wide)}, "no layer|lora_B"),
        (good, {**factors, f"{layer}.lora_A.weight": torch.zeros(2, 3)}, "do not give the shape"),
        (good, {**factors, f"{layer}.lora_A.weight": torch.zeros(0, wide)}, "do not give the shape|rank"),
        (good, {k.replace("fc1", "fc9"): v for k, v in factors.items()}, "no layer of the base"),
        (good, {f"{layer}.lora_magnitude_vector": torch.zeros(2), f"{layer}.lora_A.weight": torch.zeros(1)}, "layer"),
        (good, {**factors, f"{layer}.lora_B.weight": torch.full((4 * wide, 2), float("nan"))}, "no numbers"),
    ]  # fmt: skip
    for number, (config, tensors, message) in enumerate(cases):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "adapter_config.json").write_text(json.dumps(config))
        save_file(tensors, folder / "adapter_model.safetensors")
        with pytest.raises(InputError, match=message) as caught:
            open_source(str(folder), base="tiny")
        assert "\n" not in str(caught.value)
    whole = (folder / "adapter_model.safetensors").read_bytes()
    (folder / "adapter_model.safetensors").write_bytes(whole[:-5])
    with pytest.raises(InputError, match="cannot load it"):
        open_source(str(folder), base="tiny")


def test_links_and_code_in_a_model_folder(tmp_path: Path) -> None:
    folder = save(load("tiny"), tmp_path / "model")
    mark = tmp_path / "ran"
    for place in (folder, folder / "sub", folder / "text"):
        place.mkdir(exist_ok=True)
        (place / "__init__.py").write_text(f"import os; os.mkdir({str(mark)!r})\n")
        (place / "tokenization.py").write_text(f"import os; os.mkdir({str(mark)!r})\n")
    (folder / "text").joinpath("config.json").write_text('{"auto_map": {"AutoModel": "tokenization.M"}}')
    with pytest.raises(InputError, match=r"text/config.json: 'auto_map' names code"):
        load(folder)
    (folder / "text" / "config.json").unlink()
    load(folder)  # a file of code that nothing names is not looked at
    weights = folder / "open_clip_model.safetensors"
    weights.rename(tmp_path / "elsewhere")
    for target in ("/dev/zero", str(weights), str(tmp_path / "gone")):  # no end, a link to itself, nothing
        weights.symlink_to(target)
        with pytest.raises(InputError, match="no weights here"):
            load(folder)
        weights.unlink()
    weights.symlink_to(tmp_path / "elsewhere")  # as the hub's cache has them
    load(folder)
    os.mkfifo(tmp_path / "pipe.pt")
    with pytest.raises(InputError, match="no such directory, file or model"):
        load(tmp_path / "pipe.pt", activation="gelu")
    assert not mark.exists()


def test_weights_that_are_no_numbers_in_a_model_folder(tmp_path: Path) -> None:
    folder = save(load("tiny"), tmp_path / "model")
    state = {k: v.clone() for k, v in load("tiny").clip.state_dict().items()}
    state["visual.proj"][0, 0] = float("inf")
    save_file(state, folder / "open_clip_model.safetensors")
    with pytest.raises(InputError, match=r"visual.proj contains values that are no numbers"):
        load(folder)

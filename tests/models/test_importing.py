"""Published layouts, written by `layout_files`, load to the features of a dense computation; what is odd is refused."""

from __future__ import annotations

import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from compoclip.errors import InputError
from compoclip.models import load
from compoclip.models.importing import import_file, relative_distance
from compoclip.models.layouts import table

from . import dense_clip, layout_files

CAPTIONS = ["a red square left of a blue circle", "two dogs! and a cat", "", "the man " * 60]


@pytest.fixture(scope="module")
def arrays() -> dense_clip.Arrays:
    return dense_clip.make_arrays()


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(5).normal(0, 1, (3, 3, 32, 32)).astype(np.float32)


def _compare(model, means: dense_clip.Arrays, pixels: np.ndarray, quick: bool) -> None:
    found = model.encode_image(torch.from_numpy(pixels)).numpy()
    assert np.abs(found - dense_clip.image_features(means, pixels, quick)).max() < 1e-5
    ids = model.tokenize(CAPTIONS).numpy()
    assert ids.shape[1] == len(means["positional_embedding"])
    found = model.encode_text(CAPTIONS).numpy()
    assert np.abs(found - dense_clip.text_features(means, ids, quick)).max() < 1e-5


@pytest.mark.parametrize("write", layout_files.LAYOUTS, ids=lambda f: f.__name__)
def test_a_layout_gives_the_features_of_its_dense_weights(write, arrays, pixels, tmp_path: Path) -> None:
    path, means = write(arrays, tmp_path)
    model, found = import_file(path, activation="quickgelu")
    _compare(model, means, pixels, quick=True)
    assert model.info["activation"] == "quickgelu"
    assert found.facts["activation"] == ("quickgelu", "told")
    assert found.facts["context length"][0] == str(len(means["positional_embedding"]))
    assert ("LoRA" in found.facts) == (write.__name__ in ("fsc_clip_lora", "dac", "dac_attention", "tsvlc"))
    if "LoRA" in found.facts:
        assert found.facts["LoRA scale"][0] == "1/4"


def test_every_published_layout_says_where_it_was_checked_and_the_docs_repeat_it() -> None:
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text("utf-8")
    for row in table()["published"]:
        assert re.match(r"[\w.-]+/[\w.-]+ [0-9a-f]{7,8}, \S+", row["checked"]), row["name"]
        assert f"| {row['keys']} | {row['checked']} |" in page, row["name"]


def test_plain_gelu_and_load_by_path_alone(arrays, pixels, tmp_path: Path) -> None:
    path, means = layout_files.negclip(arrays, tmp_path)
    model = load(path, activation="gelu")
    _compare(model, means, pixels, quick=False)
    with pytest.raises(AssertionError):
        _compare(model, means, pixels, quick=True)  # with the other activation the features are others


def test_the_activation_is_asked_for_or_taken_from_a_base_that_the_weights_are_near_to(arrays, tmp_path: Path) -> None:
    path, _ = layout_files.openai(arrays, tmp_path)
    base = load(path, activation="quickgelu")
    near = {k: v + np.float32(1e-3) * np.sign(v) if "resblocks" in k else v for k, v in arrays.items()}
    tuned, _ = layout_files.fsc_clip(near, tmp_path)
    with pytest.raises(InputError, match=r"does not say its activation.*FSC-CLIP's .*which needs quickgelu"):
        load(tuned)
    model, found = import_file(tuned, base=base)
    assert model.info["activation"] == "quickgelu"
    assert "relative distance" in found.facts["activation"][1]
    with pytest.raises(InputError, match=r"away from the base's, which needs quickgelu, and not gelu"):
        import_file(tuned, activation="gelu", base=base)
    stranger, _ = layout_files.con_clip(dense_clip.make_arrays(seed=9), tmp_path)
    with pytest.raises(InputError, match=r"relative distance of 1\.4\d away, so not trained from that base"):
        import_file(stranger, base=base)
    assert import_file(stranger, activation="gelu", base=base)[0].info["activation"] == "gelu"
    same = base.clip.state_dict()
    assert relative_distance(same, same) == 0.0


def test_lora_alpha_that_is_told_counts(arrays, tmp_path: Path) -> None:
    path, means = layout_files.tsvlc(arrays, tmp_path)
    doubled, _ = import_file(path, activation="quickgelu", lora_alpha=2.0)
    key = "transformer.resblocks.1.mlp.c_fc.weight"
    change = means[key].astype(np.float64) - arrays[key]
    assert np.abs(doubled.clip.state_dict()[key].numpy() - (arrays[key] + 2 * change)).max() < 1e-6


class _Harmful:
    def __reduce__(self):
        return (Path.touch, (Path(self.mark),))

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)


def test_what_is_odd_is_refused_in_one_line_and_nothing_runs(arrays, tmp_path: Path) -> None:
    state = {k: torch.from_numpy(v) for k, v in arrays.items()}
    mark = tmp_path / "ran"
    nan = {**state, "ln_final.bias": torch.full((64,), float("nan"))}
    lora = layout_files._tensors(layout_files._loralib(arrays, 4, 1)[0])
    half = {k: v for k, v in lora.items() if not k.endswith("c_fc.lora_B")}
    mixed = {k: (torch.zeros(2, v.shape[1]) if k.endswith("c_fc.lora_A") else v) for k, v in lora.items()}
    mixed = {k: (torch.zeros(len(v), 2) if k.endswith("c_fc.lora_B") else v) for k, v in mixed.items()}
    cases: dict[str, tuple[object, str]] = {
        "pickle": ({"state_dict": state, "x": _Harmful(mark)}, "more than weights, and its code is not run"),
        "shape": ({**state, "visual.proj": torch.zeros(128, 7)}, r"is \(.*\) in the file and \(.*\) in its arch"),
        "missing": ({k: v for k, v in state.items() if k != "ln_final.bias"}, "the first ln_final.bias"),
        "extra": ({**state, "adapter.up": torch.zeros(2)}, "1 weights are none of .* the first adapter.up"),
        "outside": (
            {**{f"module.{k}": v for k, v in state.items()}, "adapter.up": torch.zeros(2)},
            "adapter.up is none of the towers' weights",
        ),
        "nan": (nan, "ln_final.bias contains values that are no numbers"),
        "other": (
            {"encoder.layer.0.weight": torch.zeros(2, 2)},
            "patch layer .*for another architecture give NAME:FILE",
        ),
        "grid": ({**state, "visual.positional_embedding": torch.zeros(18, 128)}, "17 image positions are no square"),
        "two": ({f"{p}.{k}": v for p in "ab" for k, v in state.items()}, "two models in it, under 'a.' and 'b.'"),
        "words": ({**state, "token_embedding.weight": torch.zeros(99, 64)}, "vocabulary of 99 words"),
        "no-b": (half, r"c_fc.lora_A has no .*c_fc.lora_B beside it"),
        "ranks": (mixed, r"LoRA of ranks \[2, 4\]"),
        "beside": ({"state_dict": state, "unheard_of": {"w": torch.zeros(2)}}, "'unheard_of' beside 'state_dict'"),
        "empty": ({"epoch": 3, "state_dict": {}}, "no weights in it"),
        "list": ([state], "no weights in it"),
    }
    for name, (content, message) in cases.items():
        path = tmp_path / f"{name}.pt"
        torch.save(content, path)
        with pytest.raises(InputError, match=message) as caught:
            load(path, activation="quickgelu")
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)
    assert not mark.exists()


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_cut_file_is_refused_wherever_it_is_cut(arrays, tmp_path: Path, suffix: str) -> None:
    write = layout_files.openai if suffix == ".pt" else layout_files.open_clip_plain
    path, _ = write(arrays, tmp_path)
    whole = path.read_bytes()
    for part in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        cut = tmp_path / f"cut{suffix}"
        cut.write_bytes(whole[:part])
        with pytest.raises(InputError, match=r"cut\.(pt|safetensors): cannot load it") as caught:
            load(cut, activation="quickgelu")
        assert "\n" not in str(caught.value)


def test_a_torchscript_archive_that_asks_for_code_is_refused(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    path = tmp_path / "evil.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("evil/code/x.py", "")
        archive.writestr("evil/data.pkl", pickle.dumps(_Harmful(mark), protocol=2))
    with pytest.raises(InputError, match=r"evil.pt: the archive asks for .*refused, and nothing was run"):
        load(path, activation="quickgelu")
    assert not mark.exists()

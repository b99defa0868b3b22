"""Round trips between open_clip, Hugging Face, ONNX and adapters; each library loads the result by itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from open_clip.model import CLIP
from safetensors.torch import load_file

from compoclip.errors import InputError, RunError
from compoclip.export import convert, fingerprint
from compoclip.export import convert as convert_function
from compoclip.export.fingerprint import test_image as picture
from compoclip.models import Model, load, save
from compoclip.models.importing import build
from compoclip.models.lora import Lora

SHAPES = {  # patches, positions, widths of the joint space and context as the real ones; fewer and narrower blocks
    "ViT-B-32": (512, 32, 64, 64, 1),
    "ViT-B-16": (512, 16, 64, 64, 1),
    "ViT-L-14": (768, 14, 128, 64, 2),
}
TEXTS = ["a red square left of a blue circle", "two dogs!"]


def make(shape: str, quick: bool, context: int = 77, seed: int = 0) -> Model:
    embed, patch, width, text, layers = SHAPES[shape]
    config = {
        "embed_dim": embed,
        "quick_gelu": quick,
        "vision_cfg": {"image_size": 224, "layers": layers, "width": width, "patch_size": patch},
        "text_cfg": {"context_length": context, "vocab_size": 49408, "width": text, "heads": 1, "layers": layers},
    }
    torch.manual_seed(seed)
    clip = CLIP(embed, dict(config["vision_cfg"]), dict(config["text_cfg"]), quick_gelu=quick)
    return build(config, clip.state_dict(), shape)


def gap(a: Model, b: Model) -> float:
    images = (a.encode_image([picture()]) - b.encode_image([picture()])).abs().max()
    return max(float(images), float((a.encode_text(TEXTS) - b.encode_text(TEXTS)).abs().max()))


ALONE = """
import sys, json, numpy as np
folder, context = sys.argv[1:]
pixels, texts = np.load(folder + "/pixels.npy"), json.loads(open(folder + "/texts.json").read())
unit = lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True)
import onnxruntime
from transformers import AutoTokenizer
words = AutoTokenizer.from_pretrained(folder + "/onnx")
ids = words(texts, padding="max_length", max_length=int(context), return_tensors="np")
run = lambda n, x: onnxruntime.InferenceSession(f"{folder}/onnx/{n}.onnx").run(None, x)[0]
out = [run("image", {"pixel_values": pixels}), run("text", {"input_ids": ids["input_ids"]})]
import torch
from transformers import AutoProcessor, CLIPModel
model, processor = CLIPModel.from_pretrained(folder + "/hf").eval(), AutoProcessor.from_pretrained(folder + "/hf")
words = processor.tokenizer if hasattr(processor, "tokenizer") else processor
with torch.no_grad():
    image = model.get_image_features(pixel_values=torch.from_numpy(pixels))
    text = model.get_text_features(**words(texts, padding=True, return_tensors="pt"))
out += [unit((x if isinstance(x, torch.Tensor) else x.pooler_output).numpy()) for x in (image, text)]
assert "compoclip" not in sys.modules
np.savez(folder + "/out.npz", *out)
"""


def alone(model: Model, folder: Path) -> float:
    """Largest difference to the features that ONNX Runtime and transformers compute in a process without this one."""
    pixels = model.pixels([picture()])
    np.save(folder / "pixels.npy", pixels.numpy())
    (folder / "texts.json").write_text(json.dumps(TEXTS))
    context = model.config["model_cfg"]["text_cfg"]["context_length"]
    subprocess.run([sys.executable, "-c", ALONE, str(folder), str(context)], check=True, capture_output=True)
    ours = [model.encode_image([picture()]).numpy(), model.encode_text(TEXTS).numpy()]
    theirs = list(np.load(folder / "out.npz").values())
    assert len(theirs) == 4
    return max(float(np.abs(a - b).max()) for a, b in zip(theirs, ours * 2, strict=True))


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_open_clip_to_hugging_face_and_back(shape: str, quick: bool, tmp_path: Path) -> None:
    model = make(shape, quick)
    save(model, tmp_path / "start")
    first = convert(str(tmp_path / "start"), "hf", tmp_path / "hf")
    assert first["equality"]["tokens"] is True
    assert first["equality"]["preprocessing"] < 0.02
    back = convert(str(tmp_path / "hf"), "open_clip", tmp_path / "back")
    for name, numbers in first["fingerprint"].items():
        assert back["fingerprint"][name] == pytest.approx(numbers, abs=1e-4)
    start, end = (load_file(tmp_path / n / "open_clip_model.safetensors") for n in ("start", "back"))
    assert {k: v.shape for k, v in start.items()} == {k: v.shape for k, v in end.items()}
    assert all(torch.equal(start[k], end[k]) for k in start)
    again = load(tmp_path / "back")
    assert again.info["activation"] == ("quickgelu" if quick else "gelu")
    assert gap(model, again) < 1e-6
    config = json.loads((tmp_path / "hf" / "config.json").read_text())
    for tower in ("text_config", "vision_config"):
        assert config[tower].get("hidden_act", "quick_gelu") == ("quick_gelu" if quick else "gelu")


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["ViT-B-32", "tiny"])
def test_transformers_and_onnxruntime_load_the_results_by_themselves(shape: str, tmp_path: Path) -> None:
    model = load("tiny") if shape == "tiny" else make(shape, quick=True)
    source = "tiny" if shape == "tiny" else str(save(model, tmp_path / "start"))
    convert(source, "hf", tmp_path / "hf")
    facts = convert(str(tmp_path / "hf"), "onnx", tmp_path / "onnx")
    assert max(facts["equality"]["image"], facts["equality"]["text"]) < 1e-4
    if shape == "tiny":
        assert gap(load("tiny"), model) == 0
    assert alone(model, tmp_path) < 1e-4


def test_a_lora_run_leaves_as_an_adapter_and_comes_back_upon_its_base(tmp_path: Path) -> None:
    base = make("ViT-B-32", quick=True)
    tuned = make("ViT-B-32", quick=True)
    lora = Lora(tuned.clip, rank=2, alpha=4.0)
    torch.manual_seed(1)
    for name, parameter in tuned.clip.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    lora.merge()
    assert gap(base, tuned) > 1e-2
    start, end = save(base, tmp_path / "base"), save(tuned, tmp_path / "tuned")
    facts = convert(str(end), "adapter", tmp_path / "adapter", base=str(start))
    settings = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    ranks = {settings["r"], *settings["rank_pattern"].values()}
    assert ranks == {2}
    assert facts["equality"]["keys"] == 2 * (4 + 2)
    back = convert(str(tmp_path / "adapter"), "open_clip", tmp_path / "back", base=str(start))
    assert gap(load(tmp_path / "back"), tuned) < 1e-5
    assert back["found"]["layout"][1] == "ranks 2"
    with pytest.raises(InputError, match="add --base with the model it was trained from"):
        convert(str(tmp_path / "adapter"), "open_clip", tmp_path / "again")
    full = make("ViT-B-32", quick=True, seed=5)
    whole = save(full, tmp_path / "full")
    with pytest.raises(InputError, match=r"cannot hold it|has rank"):
        convert(str(whole), "adapter", tmp_path / "x", base=str(start))


def test_an_export_that_came_out_another_model_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from compoclip.export import huggingface

    honest = huggingface.to_huggingface
    monkeypatch.setattr(
        huggingface, "to_huggingface", lambda s: {k: v + 0.01 if "fc1.weight" in k else v for k, v in honest(s).items()}
    )
    with pytest.raises(RunError, match=r"features differ by .* nothing was written"):
        convert("tiny", "hf", tmp_path / "hf")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_kept_and_names_are_checked(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    cases = [
        (("tiny", "hf", tmp_path / "mine"), {}, "something is here that convert did not write"),
        (("tiny", "tensorflow", tmp_path / "a"), {}, "--to tensorflow: choose open_clip, hf, onnx, adapter"),
        (("tiny", "adapter", tmp_path / "a"), {}, "needs --base"),
        (("tiny", "hf", tmp_path / "a"), {"rank": 3}, "--rank is the rank of an adapter"),
        (("hf:nobody", "hf", tmp_path / "a"), {}, "write hf:OWNER/NAME"),
    ]
    for positional, options, message in cases:
        with pytest.raises(InputError, match=message):
            convert(*positional, **options)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "x"


def test_card_record_and_push(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    sent: list[tuple] = []

    class Hub:
        def create_repo(self, repo: str, exist_ok: bool, private: bool) -> None:
            sent.append((repo, exist_ok, private))

        def upload_folder(self, repo_id: str, folder_path: str) -> str:
            sent.append((repo_id, sorted(p.name for p in Path(folder_path).iterdir())))
            return "address"

    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    run = tmp_path / "run"
    save(load("tiny"), run / "export")
    (run / "config.yaml").write_text(
        "recipe: mine\ndata: /home/me/secret/captions.tsv\nnegatives: generate\nnegative_kinds: [swap-nouns]\n"
        "model: ViT-B-32\npretrained: openai\nweights: {local_negative: 0.2}\nlora_rank: 4\nlr: 5.0e-05\n"
    )
    row = {"accuracy": 61.25, "n": 400, "ci95": [56.4, 65.9]}
    (run / "results.json").write_text(json.dumps({"schema": 1, "tasks": {"world": {"subsets": {"swap": row}}}}))
    facts = convert(str(run), "open_clip", tmp_path / "out", licence="mit")
    assert not sent
    card = (tmp_path / "out" / "README.md").read_text()
    for words in ("license: mit", "recipe: mine", "data: captions.tsv", "negatives: generate",
                  "- ViT-B-32:openai", "world swap: 61.2 [56.4, 65.9], n 400",
                  "EMNLP 2024", "LoRA: Low-Rank", "fingerprint"):  # fmt: skip
        assert words in card, words
    assert "secret" not in card
    record = json.loads((tmp_path / "out" / "conversion.json").read_text())
    assert record["fingerprint"] == facts["fingerprint"] == fingerprint(load("tiny"))
    convert_function(str(run), "open_clip", tmp_path / "out", push_to_hub="me/mine")
    assert sent[0] == ("me/mine", True, True)
    for name in ("mine", "me/mine/x", "me/", "https://hub/me"):
        with pytest.raises(InputError, match="write OWNER/NAME"):
            convert_function(str(run), "open_clip", tmp_path / "never", push_to_hub=name)
    assert not (tmp_path / "never").exists()

    def refuse(self: Hub, repo: str, exist_ok: bool, private: bool) -> None:
        raise OSError("401 Unauthorized\nand a page")

    monkeypatch.setattr(Hub, "create_repo", refuse)
    with pytest.raises(RunError, match=r"is written, but the hub did not take it as me/mine \(401 Unauthorized\)$"):
        convert_function(str(run), "open_clip", tmp_path / "out", push_to_hub="me/mine")
    assert (tmp_path / "out" / "conversion.json").is_file()
    assert "open_clip_model.safetensors" in sent[1][1]


def test_the_fingerprint_tells_activations_apart() -> None:
    quick, plain = fingerprint(make("ViT-B-32", True)), fingerprint(make("ViT-B-32", False))
    assert fingerprint(make("ViT-B-32", True)) == quick
    assert np.abs(np.subtract(quick["text"], plain["text"])).max() > 1e-4
    assert picture().getpixel((0, 0)) == (255, 255, 255)
    assert picture().getpixel((200, 100)) == ((200 * 7 + 300) % 256, 200 * 100 // 5 % 256, (12 * 37 + 8 * 91) % 256)

"""Train the bundled `tiny` model: a small CLIP on the built-in world, with the plain contrastive loss and nothing else.

    python scripts/train_tiny.py --out src/compoclip/models/tiny
    python scripts/train_tiny.py --evaluate src/compoclip/models/tiny     # the figures in docs/world.md

The folder is in open_clip's format, tokenizer included: `open_clip.create_model_and_transforms("local-dir:FOLDER")` and
`open_clip.get_tokenizer("local-dir:FOLDER")` load it with no network. Images go in unresized, 48 x 48.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import re
import time
from pathlib import Path

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from open_clip.transformer import text_global_pool
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from compoclip.data import world
from compoclip.data.world import language

CONTEXT = 32
COMMON_MERGES = 3000
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
PAD, START, END = "<|pad|>", "<|startoftext|>", "<|endoftext|>"


def world_words() -> set[str]:
    """Every word that a caption of the world may hold."""
    texts = [*world.SHAPES, *map(language.plural, world.SHAPES), *world.COLOURS, *language.NUMBERS]
    texts += [*language.TEXTURES, "small large in the dark a an", *world.STYLES]
    texts += [word for words in language.RELATION_WORDS.values() for word in words]
    for templates in (
        language.STATEMENT_TEMPLATES,
        language.TOGETHER_TEMPLATES,
        language.SINGLE_TEMPLATES,
        language.COUNT_TEMPLATES,
        language.CLASS_TEMPLATES,
    ):
        texts += [re.sub(r"{\w*}", "", template) for template in templates]
    return {word for text in texts for word in text.split()}


def merges_for(word: str, rank: dict[tuple[str, str], int]) -> list[tuple[str, str]]:
    """The merges that byte-pair encoding applies to `word`, in order."""
    pieces = [*word[:-1], word[-1] + "</w>"]
    used = []
    while len(pieces) > 1:
        place = min(range(len(pieces) - 1), key=lambda i: rank.get((pieces[i], pieces[i + 1]), 1 << 30))
        pair = (pieces[place], pieces[place + 1])
        if pair not in rank:
            break
        used.append(pair)
        pieces[place : place + 2] = ["".join(pair)]
    return used


def build_tokenizer() -> PreTrainedTokenizerFast:
    """CLIP's byte-level BPE cut to its 3,000 commonest merges and those that the world's words need.

    Any text has tokens, so words from outside the world stay apart. The end token has the highest id, as argmax pooling
    needs, and padding is a token of its own, below it.
    """
    path = Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"
    with gzip.open(path, "rt", encoding="utf-8") as handle:
        lines = handle.read().split("\n")
    merges = [tuple(line.split()) for line in lines[1 : 49152 - 256 - 2 + 1]]
    rank = {pair: i for i, pair in enumerate(merges)}
    keep = set(range(COMMON_MERGES))
    for word in sorted(world_words()):
        keep.update(rank[pair] for pair in merges_for(word, rank))
    kept = [merges[i] for i in sorted(keep)]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [PAD, START, *alphabet, *(c + "</w>" for c in alphabet), *("".join(pair) for pair in kept), END]
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    bpe = Tokenizer(models.BPE(vocab=vocabulary, merges=kept, end_of_word_suffix="</w>"))
    bpe.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip(), normalizers.Lowercase()]
    )
    split = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(split, behavior="removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    ends = [(START, vocabulary[START]), (END, vocabulary[END])]
    bpe.post_processor = processors.TemplateProcessing(single=f"{START} $A {END}", special_tokens=ends)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=START,
        eos_token=END,
        pad_token=PAD,
        model_max_length=CONTEXT,
        padding_side="right",
    )


def configuration(vocabulary: int) -> dict:
    """open_clip's model and preprocessing configuration. `quick_gelu` false states the activation."""
    return {
        "model_cfg": {
            "embed_dim": 128,
            "quick_gelu": False,
            "vision_cfg": {"image_size": 48, "layers": 4, "width": 128, "head_width": 32, "patch_size": 8},
            "text_cfg": {
                "context_length": CONTEXT,
                "vocab_size": vocabulary,
                "hf_tokenizer_name": "compoclip/tiny",
                "width": 128,
                "heads": 4,
                "layers": 4,
                "pool_type": "argmax",
                "eos_id": vocabulary - 1,
                "pad_id": 0,
            },
        },
        "preprocess_cfg": {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "shortest"},
    }


def build_model(config: dict) -> open_clip.CLIP:
    cfg = config["model_cfg"]
    return open_clip.CLIP(
        embed_dim=cfg["embed_dim"], vision_cfg=cfg["vision_cfg"], text_cfg=cfg["text_cfg"], quick_gelu=cfg["quick_gelu"]
    )


def normalise(images: np.ndarray) -> torch.Tensor:
    """(N, 48, 48, 3) uint8 -> (N, 3, 48, 48) float32, as open_clip's preprocessing gives for a 48 x 48 picture."""
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float().div(255)
    return (pixels - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)


def encode_text(model: open_clip.CLIP, tokens: torch.Tensor) -> torch.Tensor:
    """Text features of tokens cut to the batch's longest caption: exact, as attention is causal and pools the end."""
    length = tokens.shape[1]
    x = model.token_embedding(tokens) + model.positional_embedding[:length]
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:length, :length]))
    return text_global_pool(x, tokens, "argmax") @ model.text_projection


def cut_tokens(tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> torch.Tensor:
    """Token ids (N, longest)."""
    return tokenizer(texts, return_tensors="pt", padding=True, truncation=True, max_length=CONTEXT).input_ids


def parameter_groups(model: torch.nn.Module, decay: float) -> list[dict]:
    """No decay on gains, biases, the scale, and embeddings: rows of words never seen would only shrink."""
    plain, decayed = [], []
    for name, parameter in model.named_parameters():
        (plain if parameter.ndim < 2 or "embedding" in name else decayed).append(parameter)
    return [{"params": decayed, "weight_decay": decay}, {"params": plain, "weight_decay": 0.0}]


def export(model: open_clip.CLIP, config: dict, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Write an open_clip folder, weights in fp16 (they load as fp32)."""
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(out)
    weights = {name: value.detach().half().contiguous() for name, value in model.state_dict().items()}
    save_file(weights, out / "open_clip_model.safetensors", metadata={"format": "pt"})
    (out / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")


def batch_at(args: argparse.Namespace, step: int) -> tuple[np.ndarray, list[str]]:
    """Lessons that grow harder, then lessons and the broad world mixed, then the broad world alone."""
    ease = max(0.0, 1 - step / args.lessons)
    broad = min(1.0, max(0.0, step / args.lessons - 0.6))
    scenes = []
    for index in range(step * args.batch, (step + 1) * args.batch):
        lesson = (index * 0.6180339887) % 1 >= broad
        scenes.append(world.lesson_scene(args.seed, index, ease) if lesson else world.pretrain_scene(args.seed, index))
    return np.stack([scene.image for scene in scenes]), [scene.caption for scene in scenes]


def train(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    tokenizer = build_tokenizer()
    config = configuration(len(tokenizer))
    model = build_model(config)
    optimiser = torch.optim.AdamW(parameter_groups(model, 0.1), lr=args.lr, betas=(0.9, 0.98), eps=1e-6)
    begun, losses = time.time(), []
    for step in range(args.steps):
        # Drawn in line: a drawing thread would hold the interpreter lock that every small operator below waits for.
        images, captions = batch_at(args, step)
        tokens = cut_tokens(tokenizer, captions)
        warm = min(1.0, (step + 1) / args.warmup)
        rate = args.lr * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / args.steps)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        image = F.normalize(model.visual(normalise(images)), dim=-1)
        text = F.normalize(encode_text(model, tokens), dim=-1)
        logits = model.logit_scale.exp() * image @ text.T
        target = torch.arange(len(logits))
        loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        losses.append(loss.item())
        if (step + 1) % 50 == 0:
            pace = (time.time() - begun) / (step + 1)
            left = pace * (args.steps - step - 1) / 60
            recent = np.mean(losses[-50:])
            print(f"step {step + 1} loss {recent:.3f} {pace:.3f} s/step, {left:.1f} min left", flush=True)
        if args.checkpoints and (step + 1) % args.every == 0:
            export(model, config, tokenizer, args.checkpoints)
            print(json.dumps(evaluate(args.checkpoints, args.eval_seed, 200)), flush=True)
            model.train()
    export(model, config, tokenizer, args.out)
    print(json.dumps(evaluate(args.out, args.eval_seed, 500), indent=2), flush=True)


def percent(right: torch.Tensor) -> float:
    return round(100 * right.float().mean().item(), 1)


@torch.no_grad()
def evaluate(folder: Path, seed: int, n: int) -> dict:
    """Percentages of every test of the world, `n` rows each, by plain open_clip."""
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    model.eval()

    def pictures(images: np.ndarray) -> torch.Tensor:
        return torch.cat([model.encode_image(normalise(part), normalize=True) for part in np.array_split(images, 8)])

    def words(texts: list[str]) -> torch.Tensor:
        return model.encode_text(tokenizer(texts), normalize=True)

    composition = {}
    for kind, rows in world.composition_tests(seed, n).items():
        image = pictures(np.stack([row.image for row in rows]))
        true, false = words([row.caption for row in rows]), words([row.negative for row in rows])
        composition[kind] = percent((image * true).sum(1) > (image * false).sum(1))
    zeroshot = {}
    for coloured in (False, True):
        for style, labelled in world.zeroshot_sets(seed, n, coloured).items():
            prompts = [template.format(name) for name in labelled.class_names for template in labelled.templates]
            classes = words(prompts).view(len(labelled.class_names), len(labelled.templates), -1).mean(1)
            best = (pictures(labelled.images) @ F.normalize(classes, dim=-1).T).argmax(1)
            key = f"{style}, colour and shape" if coloured else style
            zeroshot[key] = percent(best == torch.from_numpy(labelled.labels))
    pool = world.retrieval_set(seed, n)
    texts = [caption for captions in pool.captions for caption in captions]
    owner = torch.tensor([i for i, captions in enumerate(pool.captions) for _ in captions])
    scores = pictures(pool.images) @ words(texts).T
    return {
        "composition": composition,
        "composition mean": round(float(np.mean(list(composition.values()))), 1),
        "zero-shot": zeroshot,
        "zero-shot mean": round(float(np.mean([zeroshot[style] for style in world.STYLES])), 1),
        "image-to-text R@1": percent(owner[scores.argmax(1)] == torch.arange(len(pool.captions))),
        "text-to-image R@1": percent(scores.argmax(0) == owner),
        "n": n,
        "seed": seed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder to write the model to")
    parser.add_argument("--evaluate", type=Path, metavar="FOLDER", help="only print the figures of the model in FOLDER")
    parser.add_argument("--checkpoints", type=Path, help="folder for intermediate models")
    parser.add_argument("--every", type=int, default=500, help="steps between intermediate models")
    parser.add_argument("--steps", type=int, default=2600)
    parser.add_argument("--lessons", type=int, default=400, help="steps until lessons are as hard as the world")
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--warmup", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--eval-seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=500, help="rows of each test with --evaluate")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    if args.evaluate:
        print(json.dumps(evaluate(args.evaluate, args.eval_seed, args.rows), indent=2))
    elif args.out:
        train(args)
    else:
        parser.error("give --out FOLDER to train or --evaluate FOLDER to test")


if __name__ == "__main__":
    main()

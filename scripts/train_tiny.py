"""Train the bundled `tiny` model: a small CLIP on the built-in world, with the plain contrastive loss and nothing else.

    python scripts/train_tiny.py --out src/compoclip/models/tiny
    python scripts/train_tiny.py --evaluate src/compoclip/models/tiny     # the figures in docs/world.md

The folder is in open_clip's format, tokenizer included: `open_clip.create_model_and_transforms("local-dir:FOLDER")` and
`open_clip.get_tokenizer("local-dir:FOLDER")` load it with no network. Images go in unresized, 48 x 48.

Long because tokenizer, model, training and figures of the bundled model are one recipe.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import re
import tempfile
import time
from pathlib import Path

import numpy as np
import open_clip
import torch
import torch.distributed as dist
import torch.nn.functional as F
from open_clip.transformer import text_global_pool
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from compoclip.data import world
from compoclip.data.world import language
from compoclip.models.save import save_tokenizer

CONTEXT = 32
COMMON_MERGES = 3000
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
PAD, START, END = "<|pad|>", "<|startoftext|>", "<|endoftext|>"


def world_words() -> set[str]:
    """Every word that a caption of the world may hold."""
    texts = [*world.SHAPES, *map(language.plural, world.SHAPES), *world.COLOURS, *language.NUMBERS]
    texts += [*language.TEXTURES, "small large in the dark a an", *world.STYLES]
    for places in (language.RELATION_WORDS, language.PLACE_WORDS):
        texts += [word for words in places.values() for word in words]
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


def block(layer: torch.nn.Module, x: torch.Tensor, causal: bool) -> torch.Tensor:
    """One block of either tower, (N, L, D) -> (N, L, D), products in bf16.

    The weights are open_clip's, the arithmetic is written out: under autocast on a CPU the attention's backward pass
    alone takes longer than all of this.
    """
    count, length, width = x.shape
    heads, half = layer.attn.num_heads, torch.bfloat16
    hidden = layer.ln_1(x).to(half)
    joint = F.linear(hidden, layer.attn.in_proj_weight.to(half), layer.attn.in_proj_bias.to(half))
    joint = joint.view(count, length, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
    query, key, value = joint.reshape(3, count * heads, length, width // heads).unbind(0)
    scores = torch.bmm(query, key.transpose(1, 2)) * (width // heads) ** -0.5
    if causal:
        scores = scores + torch.full((length, length), -math.inf, dtype=half).triu(1)
    mixed = torch.bmm(scores.softmax(-1), value).view(count, heads, length, -1).transpose(1, 2).reshape(x.shape)
    x = x + F.linear(mixed, layer.attn.out_proj.weight.to(half), layer.attn.out_proj.bias.to(half))
    hidden = F.linear(layer.ln_2(x).to(half), layer.mlp.c_fc.weight.to(half), layer.mlp.c_fc.bias.to(half))
    return x + F.linear(F.gelu(hidden), layer.mlp.c_proj.weight.to(half), layer.mlp.c_proj.bias.to(half))


def encode_image(model: open_clip.CLIP, pixels: torch.Tensor) -> torch.Tensor:
    """Image features (N, E) of pixels (N, 3, 48, 48)."""
    tower = model.visual
    patches = tower.conv1(pixels).flatten(2).transpose(1, 2)
    x = torch.cat([tower.class_embedding.expand(len(pixels), 1, -1), patches], dim=1) + tower.positional_embedding
    x = tower.ln_pre(x)
    for layer in tower.transformer.resblocks:
        x = block(layer, x, causal=False)
    return tower.ln_post(x[:, 0]) @ tower.proj


def encode_text(model: open_clip.CLIP, tokens: torch.Tensor) -> torch.Tensor:
    """Text features of tokens cut to the batch's longest caption: exact, as attention is causal and pools the end."""
    x = model.token_embedding(tokens) + model.positional_embedding[: tokens.shape[1]]
    for layer in model.transformer.resblocks:
        x = block(layer, x, causal=True)
    return text_global_pool(model.ln_final(x), tokens, "argmax") @ model.text_projection


def cut_tokens(tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> torch.Tensor:
    """Token ids (N, longest)."""
    return tokenizer(texts, return_tensors="pt", padding=True, truncation=True, max_length=CONTEXT).input_ids


def optimisers(model: torch.nn.Module, muon_lr: float, lr: float, decay: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the towers, AdamW for the rest.

    No decay on gains, biases, the scale, and embeddings: rows of words never seen would only shrink.
    """
    inner, outer, plain = [], [], []
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2 or "embedding" in name:
            plain.append(parameter)
        else:
            (inner if parameter.ndim == 2 and "resblocks" in name and muon_lr else outer).append(parameter)
    groups = [{"params": outer, "weight_decay": decay}, {"params": plain, "weight_decay": 0.0}]
    made: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98), eps=1e-6)]
    if inner:
        made.append(torch.optim.Muon(inner, lr=muon_lr, weight_decay=decay, adjust_lr_fn="match_rms_adamw"))
    for optimiser in made:
        for group in optimiser.param_groups:
            group["peak"] = group["lr"]
    return made


def export(model: open_clip.CLIP, config: dict, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Write an open_clip folder, weights in fp16 (they load as fp32)."""
    out.mkdir(parents=True, exist_ok=True)
    save_tokenizer(tokenizer, out)
    weights = {name: value.detach().half().contiguous() for name, value in model.state_dict().items()}
    save_file(weights, out / "open_clip_model.safetensors", metadata={"format": "pt"})
    (out / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")


def gathered(own: torch.Tensor, rank: int) -> torch.Tensor:
    """The features of all processes in order; gradients reach this one's rows."""
    if not dist.is_initialized():
        return own
    parts = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, own.detach())
    parts[rank] = own
    return torch.cat(parts)


def add_gradients(model: torch.nn.Module) -> None:
    """The sum over processes: each holds what its own rows give to the gradient of the one loss of all rows.

    The scale is the exception: every process has its whole gradient already.
    """
    if dist.is_initialized():
        model.logit_scale.grad /= dist.get_world_size()
        flat = torch.cat([p.grad.flatten() for p in model.parameters()])
        dist.all_reduce(flat)
        for p, part in zip(model.parameters(), flat.split([p.numel() for p in model.parameters()])):
            p.grad.copy_(part.view_as(p))


def batch_at(args: argparse.Namespace, step: int, rank: int) -> tuple[np.ndarray, list[str]]:
    """Lessons that grow harder, then lessons and the broad world mixed, then the broad world alone."""
    ease = max(0.0, 1 - step / args.lessons)
    broad = min(1.0, max(0.0, step / args.lessons - 0.6))
    scenes = []
    own = args.batch // args.processes
    for index in range(step * args.batch + rank * own, step * args.batch + (rank + 1) * own):
        lesson = (index * 0.6180339887) % 1 >= broad
        scenes.append(world.lesson_scene(args.seed, index, ease) if lesson else world.pretrain_scene(args.seed, index))
    return np.stack([scene.image for scene in scenes]), [scene.caption for scene in scenes]


def train(rank: int, args: argparse.Namespace) -> None:
    """Each process of `args.processes` has its share of every batch; the first one writes."""
    torch.set_num_threads(1)
    if args.processes > 1:
        store = dist.FileStore(str(args.meeting), args.processes)
        dist.init_process_group("gloo", store=store, rank=rank, world_size=args.processes)
    torch.manual_seed(args.seed)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(args.init) if args.init else build_tokenizer()
    config = configuration(len(tokenizer))
    model = build_model(config)
    if args.init:
        model.load_state_dict(load_file(args.init / "open_clip_model.safetensors"))
    optimisers_ = optimisers(model, args.muon_lr, args.lr, 0.1)
    begun, losses = time.time(), []
    for step in range(args.steps):
        # Drawn in line: a drawing thread would hold the interpreter lock that every small operator below waits for.
        images, captions = batch_at(args, step, rank)
        tokens = cut_tokens(tokenizer, captions)
        warm = min(1.0, (step + 1) / args.warmup)
        rate = warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / args.steps)))
        for optimiser in optimisers_:
            for group in optimiser.param_groups:
                group["lr"] = rate * group["peak"]
        image = gathered(F.normalize(encode_image(model, normalise(images)), dim=-1), rank)
        text = gathered(F.normalize(encode_text(model, tokens), dim=-1), rank)
        logits = model.logit_scale.exp() * image @ text.T
        target = torch.arange(len(logits))
        loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
        model.zero_grad(set_to_none=True)
        loss.backward()
        add_gradients(model)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in optimisers_:
            optimiser.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        losses.append(loss.item())
        if (step + 1) % 50 == 0 and not rank:
            pace = (time.time() - begun) / (step + 1)
            left = pace * (args.steps - step - 1) / 60
            recent = np.mean(losses[-50:])
            print(f"step {step + 1} loss {recent:.3f} {pace:.3f} s/step, {left:.1f} min left", flush=True)
        if args.checkpoints and (step + 1) % args.every == 0 and not rank:
            export(model, config, tokenizer, args.checkpoints)
            print(json.dumps(evaluate(args.checkpoints, args.eval_seed, 200)), flush=True)
            model.train()
    if rank:
        return
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
    parser.add_argument("--init", type=Path, metavar="FOLDER", help="go on from the model in FOLDER")
    parser.add_argument("--checkpoints", type=Path, help="folder for intermediate models")
    parser.add_argument("--every", type=int, default=500, help="steps between intermediate models")
    parser.add_argument("--steps", type=int, default=3200)
    parser.add_argument("--lessons", type=int, default=300, help="steps until lessons are as hard as the world")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--muon-lr", type=float, default=2e-3, help="of the matrices inside the towers")
    parser.add_argument("--warmup", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--eval-seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=500, help="rows of each test with --evaluate")
    parser.add_argument("--processes", type=int, default=2, help="that share every batch, one core each")
    args = parser.parse_args()
    if args.evaluate:
        print(json.dumps(evaluate(args.evaluate, args.eval_seed, args.rows), indent=2))
    elif args.out:
        with tempfile.TemporaryDirectory() as folder:
            args.meeting = Path(folder) / "meeting"
            torch.multiprocessing.spawn(train, (args,), args.processes)
    else:
        parser.error("give --out FOLDER to train or --evaluate FOLDER to test")


if __name__ == "__main__":
    main()

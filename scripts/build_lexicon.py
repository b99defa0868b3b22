"""Build `compoclip/language/tables/*.xz` from the WordNet 3.0 database files and a file of captions.

    python scripts/build_lexicon.py WORDNET_DIR [--captions captions.tsv]

WORDNET_DIR holds data.*, index.*, *.exc and cntlist.rev (the Debian package `wordnet-base` has them all under
/usr/share/wordnet). The output depends on the contents only, not on the order in which a distribution lists its
synsets: they are sorted by sense key. Senses that WordNet marks as slurs, insults or obscenities are left out; words
that have nothing else are left out with them, and words with a slur among their senses are kept in a list of hashes,
so that no such word stands in clear in the package.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import lzma
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from compoclip.negatives.plausible import runs

TABLES = Path(__file__).resolve().parents[1] / "src" / "compoclip" / "language" / "tables"
POS_FILES = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
INSULTING_GLOSS = re.compile(
    r"\b(offensive (term|name|word|terms|names)|ethnic slurs?|slurs?|disparag\w+|derogatory|derogative|obscene"
    r"|obscenity|vulgar|contemptuous|contemptibl[ey]|insulting|pejorative|taboo|despicable|prostitutes?|sexual\w*|genitals?)\b"
)
# Insulting in a sense WordNet has, but in captions only ever the harmless thing.
HARMLESS = {"boy", "bull", "dirty", "hugging", "pickup", "staring", "tie", "attached"}
# Words that WordNet does not mark and that have no place in a caption of our making, in the form of `hashes`.
EXTRA_HASHES = """
    00f348d51dd0f37b 01d61028fbe55657 06a0be909e97cd1f 06d6b6837a5ca099 0a7ccb6b4107202b 0bb8911a63decec2
    0c83e88b88a676f2 14f9c215dfbc10d0 155af314b91bd672 189f305abce7e6fb 1b9816ca01e29735 1dfd572ddfc8519a
    1dfdaaaaa0258138 1ea1574210a081be 1f2dea0c436740fe 236f95b3c0ad50a9 277c9ada4a50fa95 28e8a90c9e76a696
    293f76996db4f6b9 33e89494c904d7bf 3523a7088d4f3ad4 3c02d5577542ac93 425e7dca71d4d29c 476cc7fad64a01ed
    48472c6f89a726b6 48d01e70e970a268 49701fdb26f36c21 4adacae7fc152a0a 4c4a651499cb487a 4cfe25a36b558ae7
    4e3ce8a82294f0b7 4e7d503c3d7be91e 5223959f6e3b4e37 52860748b67365ee 535d3001e0cf3f78 558ddaeb001cf3ef
    5592059e3bb4a40c 56503aca196ea644 58bdefa7a7a48ef7 5b1f5a199dd1049f 5bf06802a048fc11 600a4eaa7113d7ca
    608642128820f3eb 64501f2b89789b19 661b0d91acb6aeb7 67cd20fda0cbbb9d 6b7e9d4eeed881ef 6bd59a69fdb3ba76
    6bdcd40c72a4023b 6c759faed51ad30a 6e1ee43ac46d8d96 6f1bbf1859e7a71a 7446bfd0daac4147 75a6bc644ae11191
    7629d3e03b889324 7c242568946d57bc 7cbc78e7106c615d 7d4ba72dbd0bbd53 7eaa7e1e61d782aa 7f3b71d60f1be0d9
    7f54b92f2fa63f9a 80a822eab4408b96 8196feb35bb34f53 845c6e8aa05b9ffa 85b515a44d81f8aa 870474e06ca0b624
    88a4e1446df1fb0d 89b4f0e02fa800f9 8b251a8f8c6d598f 8bcd6de5b65e6339 8e7ab7b4370acb21 8f18b01c1486a6ca
    8f3868450c935994 903ef3c57623e0bb 9050d76449f1a403 96cb0bacb9b2361c 9979f1f6b47e1f23 9cfeec25c42db8ae
    9ea2f1b4939e09b4 a18543bf67c29ef8 a3a1d0b30d7bb844 aa4d55814e967261 ac52661011690dbc adbde8eea6715e89
    aed923615e49e632 b17aa7c12e8b4246 ba6a0a6f3dd703da bc034684b44b9bca c16f4fefe361bb84 c28556b4d8d70e80
    c5fdbc42e8814c32 c6d919ed7c08f60e c88d60f7d35765d9 c980a8984ae07dff c9d7f7eee3a657bd cb644e8cf1a0432b
    ce8af168e5ab8024 d5402620a7ebb82c d5678fa5d3ab1592 d61a3fa10602d498 d852c62d14710893 d8e153016dab76cb
    dac9a88056596010 db83811ad1b9bf7f de27cd24c7f25312 e50ba8209f89c707 e7583d38c1aa3b84 e852dce8879b9243
    ea68122383b764e4 ec11fb2af6801972 ed890d47eac5f311 efb378c8aa0634e1 f0798f108ed8e7dd f09c2f2a96438c2c
    f1307acbc880c29c f17ac308c47af987 f284fdbd116a5928 f32c3e3a1be5c555 f4d7ebcbef047b6d f80404d2fe706853
    fb7300ca8f745d80 fd5d28c352996825
"""
INSULTING_DOMAINS = {"ethnic_slur", "disparagement", "depreciation", "derogation", "obscenity"}


class Synset(NamedTuple):
    key: str  # sorts the same wherever the files come from: part of speech, lexicographer file, first word, lexical id
    lexfile: int
    words: list[str]
    pointers: list[tuple[str, str, int, int, int]]  # symbol, part of speech, offset, source word, target word
    gloss: str


def read_synsets(folder: Path) -> dict[tuple[str, int], Synset]:
    found: dict[tuple[str, int], Synset] = {}
    for pos, name in POS_FILES.items():
        for line in (folder / f"data.{name}").read_text(encoding="utf-8").splitlines():
            if line.startswith("  "):
                continue  # the licence
            head, _, gloss = line.partition(" | ")
            fields = head.split()
            count = int(fields[3], 16)
            words = [re.sub(r"\((a|p|ip)\)$", "", word) for word in fields[4 : 4 + 2 * count : 2]]
            at = 4 + 2 * count
            pointers = []
            for number in range(int(fields[at])):
                symbol, offset, other, which = fields[at + 1 + 4 * number : at + 5 + 4 * number]
                other = "a" if other == "s" else other
                pointers.append((symbol, other, int(offset), int(which[:2], 16), int(which[2:], 16)))
            key = f"{pos} {fields[1]} {words[0]} {int(fields[5], 16):03d} {' '.join(words)}"
            found[pos, int(fields[0])] = Synset(key, int(fields[1]), words, pointers, gloss)
    return found


def insulting(synset: Synset, synsets: dict[tuple[str, int], Synset]) -> bool:
    for symbol, pos, offset, _, _ in synset.pointers:
        if symbol == ";u" and INSULTING_DOMAINS & set(synsets[pos, offset].words):
            return True
    return bool(INSULTING_GLOSS.search(synset.gloss.split('; "')[0]))


def is_instance(synset: Synset) -> bool:
    return any(symbol == "@i" for symbol, *_ in synset.pointers)


def read_senses(folder: Path) -> tuple[dict[tuple[str, str, int], int], Counter[tuple[str, str, int]]]:
    """(pos, word, offset) -> sense number from 1, and (pos, word, sense number) -> how often it was tagged."""
    ranks: dict[tuple[str, str, int], int] = {}
    for pos, name in POS_FILES.items():
        for line in (folder / f"index.{name}").read_text(encoding="utf-8").splitlines():
            if line.startswith("  "):
                continue
            fields = line.split()
            offsets = fields[-int(fields[2]) :]
            for rank, offset in enumerate(offsets, 1):
                ranks[pos, fields[0], int(offset)] = rank
    counts: Counter[tuple[str, str, int]] = Counter()
    kinds = {"1": "n", "2": "v", "3": "a", "4": "r", "5": "a"}
    for line in (folder / "cntlist.rev").read_text(encoding="utf-8").splitlines():
        key, rank, count = line.split()
        word, _, rest = key.partition("%")
        counts[kinds[rest[0]], word, int(rank)] += int(count)
    return ranks, counts


def table(folder: Path) -> tuple[str, set[str]]:
    synsets = read_synsets(folder)
    ranks, counts = read_senses(folder)
    bad = {key for key, synset in synsets.items() if insulting(synset, synsets)}
    kept = {key for key, synset in synsets.items() if key not in bad and not is_instance(synset)}
    order = sorted(kept, key=lambda key: synsets[key].key)
    number = {key: index for index, key in enumerate(order)}
    lines = []
    for key in order:
        synset, pos = synsets[key], key[0]
        words = []
        for word in synset.words:
            rank = ranks.get((pos, word.lower(), key[1]), 99)
            words.append(f"{word}:{rank}:{counts[pos, word.lower(), rank] or ''}".rstrip(":"))
        parents = sorted(number[p, o] for s, p, o, _, _ in synset.pointers if s == "@" and (p, o) in number)
        similar = sorted(number[p, o] for s, p, o, _, _ in synset.pointers if s == "&" and (p, o) in number)
        antonyms = sorted(
            f"{synset.words[source - 1]}:{synsets[p, o].words[target - 1]}"
            for s, p, o, source, target in synset.pointers
            if s == "!" and (p, o) in number and source and target
        )
        fields = [f"{pos}{synset.lexfile}", " ".join(words), " ".join(map(str, parents or similar)), " ".join(antonyms)]
        lines.append("\t".join(fields).rstrip("\t"))
    slurs = {key for key in bad if re.search(r"slur|offensive", synsets[key].gloss)}
    return "\n".join(lines) + "\n", blocked_words(bad, slurs, ranks, counts)


def blocked_words(
    bad: set[tuple[str, int]],
    slurs: set[tuple[str, int]],
    ranks: dict[tuple[str, str, int], int],
    counts: Counter[tuple[str, str, int]],
) -> set[str]:
    """Words with a slur among their senses, or whose insulting senses are not outweighed by harmless ones."""
    harmful: Counter[str] = Counter()
    harmless: Counter[str] = Counter()
    blocked = set()
    for (pos, word, offset), rank in ranks.items():
        count = counts[pos, word, rank]
        if (pos, offset) in bad:
            harmful[word] += count + 1
            if (pos, offset) in slurs:
                blocked.add(word)
        else:
            harmless[word] += count
    blocked |= {word for word, count in harmful.items() if harmless[word] <= 4 * count}
    return blocked - HARMLESS


def hashes(words: set[str]) -> str:
    """The first 8 bytes of each word's BLAKE2b, in hexadecimal: enough to look a word up, and nothing to read."""
    hashed = {hashlib.blake2b(word.encode(), digest_size=8).hexdigest() for word in words}
    return "\n".join(sorted(hashed | set(EXTRA_HASHES.split()))) + "\n"


def exceptions(folder: Path) -> str:
    lines = set()
    for pos, name in POS_FILES.items():
        for line in (folder / f"{name}.exc").read_text(encoding="utf-8").splitlines():
            surface, lemma, *_ = line.split()
            if "_" not in surface:
                lines.add(f"{pos} {surface} {lemma}")
    return "\n".join(sorted(lines)) + "\n"


def caption_words(path: Path, least: int) -> str:
    """How often each word occurs in a file of captions (column `title` or `caption`), for words in `least` or more."""
    counts: Counter[str] = Counter()
    with open(path, encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle, delimiter="\t"):
            counts.update(re.findall(r"[a-z]+(?:[-'][a-z]+)*", (row.get("title") or row["caption"]).lower()))
    return "".join(f"{word} {count}\n" for word, count in sorted(counts.items()) if count >= least)


def caption_contexts(path: Path) -> str:
    """The runs of words that `compoclip.negatives.plausible` weighs swaps by, with their counts."""
    with open(path, encoding="utf-8", newline="") as handle:
        rows = csv.DictReader(handle, delimiter="\t")
        found = runs(row.get("title") or row["caption"] for row in rows)
    return "".join(f"{run}\t{count}\n" for run, count in found.items())


def write(name: str, text: str) -> None:
    path = TABLES / f"{name}.xz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    print(f"{path.name}: {len(text.splitlines())} lines, {path.stat().st_size} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wordnet", type=Path, help="folder with data.noun, index.noun, noun.exc, cntlist.rev, ...")
    parser.add_argument("--captions", type=Path, help="TSV with a column title or caption: the default vocabulary")
    parser.add_argument("--least", type=int, default=2, help="drop caption words seen fewer times than this")
    arguments = parser.parse_args()
    synsets, blocked = table(arguments.wordnet)
    write("wordnet", synsets)
    write("exceptions", exceptions(arguments.wordnet))
    write("blocked", hashes(blocked))
    if arguments.captions:
        write("caption_words", caption_words(arguments.captions, arguments.least))
        write("caption_contexts", caption_contexts(arguments.captions))


if __name__ == "__main__":
    main()

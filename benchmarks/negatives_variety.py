"""How varied replacements are, how well text alone tells them, and how many captions get content.

    python benchmarks/negatives_variety.py CAPTIONS [--limit 5000] [--per-caption 2] [--parts words,blind,coverage]

words: different words that the replacing kinds bring in (`--per-caption` of each kind), and their effective number, the
exponential of the entropy of their shares; how many words the negatives have more often than the captions.
blind: percent of single texts and of pairs that a held-out 1-3-gram classifier tells, by kind and for all together.
coverage: captions with any negative of content, and the shuffles among the negatives of the `degla` and `fsc-clip`
bundles at `--bundle` a caption. CAPTIONS is any file that `compoclip negatives build` takes.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Sequence

from compoclip.negatives import BUNDLES, KINDS, Generator, Vocabulary
from compoclip.negatives.blind import accuracy, classifier_margins, single_accuracy
from compoclip.negatives.captions import read_captions
from compoclip.negatives.types import Negative
from compoclip.negatives.vocabulary import WORD

REPLACING = [name for name in KINDS if name.startswith("replace-")]
CONTENT = [name for name, kind in KINDS.items() if not kind.order]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captions")
    parser.add_argument("--limit", type=int, default=5000)
    parser.add_argument("--per-caption", type=int, default=2)
    parser.add_argument("--bundle", type=int, default=4)
    parser.add_argument("--parts", default="words,blind,coverage")
    options = parser.parse_args()
    captions = [caption.text for caption in read_captions(options.captions)[0]][: options.limit]
    vocabulary = Vocabulary.from_captions(captions)
    parts = options.parts.split(",")
    if {"words", "blind"} & set(parts):
        made = {kind: run([kind], captions, vocabulary, options.per_caption) for kind in REPLACING}
        if "words" in parts:
            variety(captions, made)
        if "blind" in parts:
            blind(captions, made)
    if "coverage" in parts:
        coverage(captions, vocabulary, options.bundle)


def run(kinds: Sequence[str], captions: list[str], vocabulary: Vocabulary, most: int) -> list[list[Negative]]:
    generator = Generator(kinds, most, vocabulary=vocabulary)
    return list(generator.run(captions, [str(number) for number in range(len(captions))]))


def variety(captions: list[str], made: dict[str, list[list[Negative]]]) -> None:
    said = Counter(word for caption in captions for word in WORD.findall(caption.lower()))
    together: Counter[str] = Counter()
    for kind, negatives in made.items():
        new = Counter(edit.new.lower() for own in negatives for negative in own for edit in negative.edits if edit.new)
        together += new
        print(f"{kind:24}{report(new, said)}")
    print(f"{'all':24}{report(together, said)}")


def report(new: Counter[str], said: Counter[str]) -> str:
    total = sum(new.values())
    if not total:
        return "nothing made"
    effective = math.exp(-sum(count / total * math.log(count / total) for count in new.values()))
    over = sum(count > said[word] for word, count in new.items() if " " not in word)
    words = f"{len(new):>6} words, effective {effective:>6.0f}; {over} commoner than in the captions"
    return f"{total:>8} negatives, {words}"


def blind(captions: list[str], made: dict[str, list[list[Negative]]]) -> None:
    everything = []
    for kind, negatives in made.items():
        pairs = [(caption, negative.text) for caption, own in zip(captions, negatives) for negative in own]
        everything += pairs
        tell(kind, pairs)
    tell("all", everything)


def tell(name: str, pairs: list[tuple[str, str]]) -> None:
    if len(pairs) > 50:
        single, pair = single_accuracy(pairs), accuracy(classifier_margins(pairs))
        told = f"text alone tells {single:.1f} % of single texts, {pair:.1f} % of pairs"
        print(f"{name:24}{len(pairs):>8} negatives; {told}")


def coverage(captions: list[str], vocabulary: Vocabulary, most: int) -> None:
    content = run(CONTENT, captions, vocabulary, 1)
    plain = [name for name in CONTENT if name != "negation"]
    without = run(plain, captions, vocabulary, 1)
    for label, found in (("any content", content), ("any but negation", without)):
        print(f"{label:24}{100 * sum(map(bool, found)) / len(captions):>8.1f} % of {len(captions)} captions")
    for bundle in ("degla", "fsc-clip"):
        made = Counter(negative.kind for own in run(BUNDLES[bundle], captions, vocabulary, most) for negative in own)
        orders = sum(count for kind, count in made.items() if KINDS[kind].order)
        full = 100 * sum(made.values()) / (most * len(captions))
        print(f"{bundle:24}{100 * orders / sum(made.values()):>8.1f} % shuffles, {full:.0f} % of {most} places filled")


if __name__ == "__main__":
    main()

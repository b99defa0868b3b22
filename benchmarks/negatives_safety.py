"""How many replacements of a caption set are harmful, by patterns that are written out apart from the gate's tables.

    python benchmarks/negatives_safety.py CAPTIONS [--replacements 50000] [--kinds replace-nouns,...]

Prints the number scanned, those that a pattern of tests/negatives/sets/harmful.yaml calls harmful, and what the gate
refused. Exit status 1 where one is harmful.
"""

from __future__ import annotations

import argparse
import importlib.util
from itertools import count, islice
from pathlib import Path

from compoclip.negatives import Generator, Vocabulary
from compoclip.negatives.captions import read_captions

KINDS = "replace-nouns,replace-adjectives,replace-verbs,attribute-colour,swap-nouns,swap-noun-phrases,swap-adjectives"
PATTERNS = Path(__file__).parents[1] / "tests/negatives/test_safety.py"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("captions")
    parser.add_argument("--replacements", type=int, default=50_000)
    parser.add_argument("--kinds", default=KINDS)
    options = parser.parse_args()
    spec = importlib.util.spec_from_file_location("patterns", PATTERNS)
    assert spec is not None
    assert spec.loader is not None
    patterns = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(patterns)

    texts = [caption.text for caption in read_captions(options.captions)[0]]
    vocabulary = Vocabulary.from_captions(texts)
    scanned, bad, refused = 0, [], 0
    for epoch in count():
        generator = Generator(options.kinds, 4, epoch=epoch, vocabulary=vocabulary)
        made = zip(texts, generator.run(texts, [str(i) for i in range(len(texts))]))
        pairs = ((text, negative) for text, negatives in made for negative in negatives)
        before = scanned
        for text, negative in islice(pairs, options.replacements - scanned):
            scanned += 1
            if why := patterns.by_pattern(text, negative.text):
                bad.append((negative.kind, text, negative.text, why))
        refused += sum(n for name, n in generator.refusals.items() if name.endswith("/harmful"))
        if scanned in (before, options.replacements):
            break
    print(f"{scanned} scanned, {len(bad)} harmful by pattern, {refused} refused by the gate")
    for row in bad[:50]:
        print("  ", " | ".join(row))
    return bool(bad)


if __name__ == "__main__":
    raise SystemExit(main())

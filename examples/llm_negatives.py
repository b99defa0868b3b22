"""Negatives by a language model, DeGLA's way, from a server on this machine.

    vllm serve meta-llama/Llama-3.1-8B-Instruct &         # http://localhost:8000/v1, or
    llama-server -m model.gguf --port 8080 &              # http://localhost:8080/v1
    python examples/llm_negatives.py captions.csv out http://localhost:8000/v1 meta-llama/Llama-3.1-8B-Instruct

What the model writes goes through the same judge as the rules' negatives. A build that is stopped goes on where it
was (`resume=True`), without asking again for what it has.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from compoclip.config import LLMOptions
from compoclip.negatives import read_negatives
from compoclip.negatives.build import build


def main(captions: Path, out: Path, url: str, model: str) -> Counter[str]:
    options = LLMOptions(model=model, url=url, rewrites=1, concurrency=16, budget=None)
    build(captions, out, kinds="llm:swap-nouns,llm:replace-nouns", per_caption=2, llm=options)
    kinds: Counter[str] = Counter()
    for caption, negatives in list(read_negatives(out).values()):
        kinds.update(negative.kind for negative in negatives)
        if negatives and sum(kinds.values()) < 12:
            print(f"+ {caption}")
            for negative in negatives:
                print(f"- {negative.text}    ({negative.kind}, {negative.source})")
    return kinds


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:5]))

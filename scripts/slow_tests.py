"""Write tests/slow.txt: the tests that `make test-fast` leaves out, from the durations that pytest printed.

Run:  make test 2>&1 | tee log      (with --durations=0 --durations-min=0.4 for pytest)
      python scripts/slow_tests.py log
A test function is slow where its calls, with what they set up, took more than `--over` seconds in all.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from pathlib import Path

LINE = re.compile(r"^ *([0-9.]+)s (?:call|setup|teardown) +(tests/[^\[\s]+)")


def slow_tests(log: str, over: float) -> list[str]:
    """Names as file::function, whose printed durations add up to more than `over` seconds."""
    spent: Counter[str] = Counter()
    for line in log.splitlines():
        if found := LINE.match(line):
            spent[found[2]] += float(found[1])  # type: ignore[assignment]
    return sorted(name for name, seconds in spent.items() if seconds > over)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("--over", type=float, default=2.0)
    parser.add_argument("--add", action="store_true", help="keep those there are: the log is one of `make test-fast`")
    given = parser.parse_args()
    out = Path(__file__).parents[1] / "tests" / "slow.txt"
    before = out.read_text(encoding="utf-8").split() if given.add else []
    names = sorted({*before, *slow_tests(given.log.read_text(encoding="utf-8"), given.over)})
    out.write_text("\n".join(names) + "\n", encoding="utf-8")
    print(f"{len(names)} tests in {out}")


if __name__ == "__main__":
    main()

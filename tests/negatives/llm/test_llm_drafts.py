"""Candidate examples: asked for until there are enough, checked, written for people and read back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_server import Does, FakeServer, caption, rewrite

from compoclip.cli import main
from compoclip.config import LLMOptions
from compoclip.errors import InputError, RunError
from compoclip.negatives.llm.drafts import read_pairs, write_candidates
from compoclip.negatives.llm.examples import read_examples


def pairs_of(numbers: range) -> str:
    lines = ["Of course! Here they are:", "```yaml", "swap-nouns:"]
    for number in numbers:
        text = caption(number)
        lines += [f"- caption: {json.dumps(text)}", f'  rewrite: "{rewrite("swap-nouns", text.split(), 0)}"']
    return "\n".join([*lines, "```"])


def test_enough_are_asked_for_and_the_bad_ones_dropped(tmp_path: Path) -> None:
    """Every reply repeats one pair of the reply before and has one that breaks the rule."""
    served = 0

    def behave(_: int, body: dict) -> Does:
        nonlocal served
        served += 1
        start = 20 * (served - 1)
        bad = '\n- caption: "A man in a hat."\n  rewrite: "Two large trucks."\n- caption: "broken\n  rewrite: "x"\n'
        return Does(text=pairs_of(range(max(0, start - 1), start + 20)) + bad)

    with FakeServer(behave) as server:
        found = write_candidates("swap-nouns", LLMOptions(model="m", url=server.url), tmp_path / "e.yaml", 60)
    assert found["examples"] == 60
    assert found["refused"]["breaks-rule"] == served
    assert found["refused"]["repeated"] == served - 1
    own = read_examples(tmp_path / "e.yaml")["swap-nouns"]
    assert len(own) == 60
    assert len({pair.caption for pair in own}) == 60
    assert all(pair.rewrite == rewrite("swap-nouns", pair.caption.split(), 0) for pair in own)


def test_a_model_that_repeats_itself_is_not_asked_for_ever(tmp_path: Path) -> None:
    with FakeServer(lambda *_: Does(text=pairs_of(range(10)))) as server:
        found = write_candidates("swap-nouns", LLMOptions(model="m", url=server.url), tmp_path / "e.yaml", 100)
    assert found["examples"] == 10
    assert server.requests < 12


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (lambda *_: Does(text="I'd rather not."), RunError, "no usable example"),
        (lambda *_: Does("status", status=401), RunError, "401"),
    ],
)
def test_nothing_is_written_where_nothing_came(
    reply: Callable[..., Does], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with FakeServer(reply) as server, pytest.raises(error, match=message):
        write_candidates("swap-nouns", LLMOptions(model="m", url=server.url), tmp_path / "e.yaml", 10)
    assert not list(tmp_path.iterdir())


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text("mine")
    with pytest.raises(InputError, match="is there already"):
        write_candidates("swap-nouns", LLMOptions(model="m", url="http://127.0.0.1:9/v1"), tmp_path / "e.yaml")
    with pytest.raises(InputError, match="no-such"):
        write_candidates("no-such", LLMOptions(model="m", url="http://127.0.0.1:9/v1"), tmp_path / "f.yaml")


def test_pairs_in_any_dress() -> None:
    text = "- caption: A dog's bone\r\n  rewrite: 'A bone''s dog'\n"
    text += '1. caption: "x: y"\n   rewrite: z\ncaption: {}\nrewrite: a'
    assert [tuple(pair) for pair in read_pairs(text)] == [("A dog's bone", "A bone's dog"), ("x: y", "z")]


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeServer(lambda *_: Does(text=pairs_of(range(25)))) as server:
        arguments = ["negatives", "examples", "llm:swap-nouns", "--llm-url", server.url, "--llm-model", "m"]
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--count", "20", "--out", str(tmp_path / "e.yaml")])
    assert ended.value.code == 0
    assert "examples: 20" in capsys.readouterr().out
    assert len(read_examples(tmp_path / "e.yaml")["swap-nouns"]) == 20
    with pytest.raises(SystemExit):
        main(["negatives", "examples", "--help"])
    assert "Example: compoclip negatives examples" in " ".join(capsys.readouterr().out.split())

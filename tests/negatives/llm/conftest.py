"""Captions for a language model, and what comes of them when nothing goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_server import FakeServer, caption
from llm_builds import COUNT, run


@pytest.fixture(scope="session")
def some_captions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("captions") / "captions.txt"
    path.write_text("\n".join(map(caption, range(COUNT))) + "\n")
    return path


@pytest.fixture(scope="session")
def undisturbed(some_captions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    with FakeServer() as server:
        run(some_captions, out, server.url)
    return out

"""Compiled blocks: the same training, few shapes, and nothing compiled outside a step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from compoclip.config import resolve
from compoclip.errors import InputError
from compoclip.models import Model, load
from compoclip.training import compiled, train
from compoclip.training.compiled import CompiledBlocks
from training.test_processes import SMALL


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Graphs that torch captures; they then run as they are, as no machine code is needed to see what is captured."""
    found: list[Any] = []

    def backend(graph: Any, inputs: Any) -> Any:
        found.append(graph)
        return graph.forward

    real = torch.compile
    monkeypatch.setattr(compiled.torch, "compile", lambda call, dynamic: real(call, dynamic=dynamic, backend=backend))
    torch._dynamo.reset()
    return found


def test_a_run_of_compiled_blocks_trains_alike(graphs: list[Any], tmp_path: Path) -> None:
    losses, captured = {}, []
    for compile_ in (False, True):
        changes = {
            "compile": compile_,
            "steps": 3,
            "batch_size": 8,
            "micro_batch": 4,
            "output_dir": str(tmp_path / str(compile_)),
        }
        run = train(resolve("fsc-clip", {**SMALL, **changes}))
        losses[compile_] = [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]
        captured.append(len(graphs))
    assert losses[True] == pytest.approx(losses[False], rel=1e-5)
    assert captured[0] == 0
    assert 0 < captured[1] <= 8  # two towers, with and without gradient, few shapes of texts; not one a step and block
    model = load("tiny")
    blocks = CompiledBlocks(model, True)
    seen = len(graphs)
    model.encode_text(["a red square"])
    with blocks.on():
        model.encode_text(["a red square"])
        assert len(graphs) > seen
        seen = len(graphs)
    model.encode_text(["a blue square beside a circle"])
    assert len(graphs) == seen


def test_towers_without_blocks_are_refused(clip: Any) -> None:
    with pytest.raises(InputError, match="no transformer blocks"):
        CompiledBlocks(_without_blocks(clip("vit")), True)


def _without_blocks(model: Model) -> Model:
    model.clip.visual, model.clip.transformer = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    model.clip.transformer.resblocks = []
    return model

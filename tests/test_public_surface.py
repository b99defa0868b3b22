"""What users import does not change by accident: names and signatures are those of tests/public_surface.txt."""

from __future__ import annotations

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "scripts" / "public_surface.py"


def test_the_public_surface_is_the_one_written_down() -> None:
    spec = importlib.util.spec_from_file_location("public_surface", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    now, before = script.surface().splitlines(), script.TEXT.read_text(encoding="utf-8").splitlines()
    gone, new = sorted(set(before) - set(now)), sorted(set(now) - set(before))
    assert (gone, new) == ([], []), "meant? then `python scripts/public_surface.py`, and CONTRIBUTING on deprecation"
    assert len(now) > 250
    assert "compoclip.load = compoclip.models.load.load" in now

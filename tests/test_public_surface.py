"""What users import does not change by accident: names and signatures are those of tests/public_surface.txt."""

from __future__ import annotations

from tests.script_module import load


def test_the_public_surface_is_the_one_written_down() -> None:
    script = load("scripts/public_surface.py")
    now, before = script.surface().splitlines(), script.TEXT.read_text(encoding="utf-8").splitlines()
    gone, new = sorted(set(before) - set(now)), sorted(set(now) - set(before))
    assert (gone, new) == ([], []), "meant? then `python scripts/public_surface.py`, and CONTRIBUTING on deprecation"
    assert len(now) > 250
    assert "compoclip.load = compoclip.models.load.load" in now

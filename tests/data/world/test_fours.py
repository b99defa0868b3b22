"""Scenes in fours: the hard images of the built-in world."""

from __future__ import annotations

from world_truth import true_of

from compoclip.data import world
from compoclip.data.sources.builtin import WorldSource


def test_scenes_in_fours_differ_in_what_belongs_to_what_alone():
    """Each of four holds the same colours, shapes and places; its caption is true of it and of none of the others."""
    source = WorldSource(3, 42, fours=True)
    plain = WorldSource(3, 11)
    for group in range(10):
        scenes = [world.finetune_scene(3, group, exchange) for exchange in range(4)]
        assert scenes[0] == world.finetune_scene(3, group)
        for name in ("colour", "shape"):
            assert {frozenset(getattr(t, name) for t in s.things) for s in scenes} == {
                frozenset(getattr(t, name) for t in scenes[0].things)
            }
        assert {frozenset((t.x, t.y) for t in s.things) for s in scenes} == {
            frozenset((t.x, t.y) for t in scenes[0].things)
        }
        assert len({frozenset((t.colour, t.shape, t.x, t.y) for t in s.things) for s in scenes}) == 4
        for told in scenes:
            assert [true_of(told.caption, scene) for scene in scenes] == [scene is told for scene in scenes]
        samples = [source[4 * group + member] for member in range(4)]
        assert [sample.captions for sample in samples] == [scene.captions for scene in scenes]
        assert samples[0].captions == plain[group].captions
        for member, sample in enumerate(samples):
            assert sample.negative_rows is not None
            assert set(sample.negative_rows) == {tuple(4 * group + k for k in range(4) if k != member)}
    assert source[41].negative_rows == ((40,),) * len(source[41].captions)
    assert (source.place_of_row(41), source.place_of_row(42)) == ((41, -1), None)
    assert plain[0].negative_rows is None

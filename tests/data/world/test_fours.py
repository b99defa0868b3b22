"""Scenes in fours: the hard images of the built-in world."""

from __future__ import annotations

from world_truth import true_of

from compoclip.data import world
from compoclip.data.sources.builtin import WorldSource


def test_scenes_in_fours_differ_in_what_belongs_to_what_alone():
    """Each of four holds the same colours, shapes and places; its captions are true of it and of none of the others."""
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
        samples = [source[4 * group + member] for member in range(4)]
        assert [sample.captions for sample in samples] == [scene.captions[:3] for scene in scenes]
        assert samples[0].captions == plain[group].captions[:3]
        for told, sample in zip(scenes, samples):
            assert len(sample.captions) == 3
            for caption in sample.captions:
                assert [true_of(caption, scene) for scene in scenes] == [scene is told for scene in scenes], caption
        for member, sample in enumerate(samples):
            assert sample.negative_rows is not None
            for number, rows in enumerate(sample.negative_rows):
                alike = [(4 * group + k, number) for k in range(4) if k != member]
                assert [source.place_of_row(row) for row in rows] == alike  # the same wording of the other three
    assert [source.place_of_row(rows[0]) for rows in source[41].negative_rows] == [(40, n) for n in range(3)]
    assert (source.place_of_row(3 * 42), plain.place_of_row(0)) == (None, None)
    assert plain[0].negative_rows is None

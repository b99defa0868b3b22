"""What reading replaced adverbs turned up, one row a mend."""

from __future__ import annotations

import pytest

from compoclip.negatives import generate


def texts(caption: str) -> set[str]:
    """All negatives over many seeds: common adverbs give way in some draws only."""
    return {n.text for seed in range(60) for n in generate([caption], ["replace-adverbs"], per_caption=9, seed=seed)[0]}


@pytest.mark.parametrize(
    "caption",
    [
        "A zebra looking down at the ground.",
        "A cat looking up in the air.",
        "A man downhill skiing down a slope.",
        "A man reading on the lawn outside.",
        "People on boats as it is getting dark outside.",
        "A child holds a box with pizza inside.",
        "Two men are playing tennis together.",
        "Two giraffes standing outside near a building.",
        "A brightly decorated room.",
        "Two women look down on a city.",
        "An eagle is flying low to the ground.",
        "A woman looking up towards a ring that she holds over her head.",
        "A girl looking down from atop a wall.",
        "A boy jumps high on a trampoline.",
        "A dog is slowly crossing a log.",
        "A dog looks up from the snow.",
        "Cars parked high in the mountains.",
        "Two boys roll down a hill.",
        "A man is holding his paddle up high.",
        "A boy in the great outdoors.",
        "A boy skates up the ramp again.",
        "People run down a highway with mountains in the background.",
    ],
)
def test_opposites_that_make_no_sense_there(caption):
    assert texts(caption) == set()


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A girl sits on a wall looking down at her phone.", "A girl sits on a wall looking up at her phone."),
        ("A woman sitting outside with a dog.", "A woman sitting inside with a dog."),
        ("Two cows are grazing together.", "Two cows are grazing apart."),
        ("A man in a dimly lit room.", "A man in a brightly lit room."),
    ],
)
def test_opposites_that_do(caption, expected):
    assert expected in texts(caption)

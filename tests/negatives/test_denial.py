"""What reading negations turned up, one row a fix."""

from __future__ import annotations

import re

import pytest

from compoclip.negatives import generate


def texts(caption: str) -> set[str]:
    """All negations of a caption."""
    return {negative.text for negative in generate([caption], ["negation"], per_caption=60)[0]}


@pytest.mark.parametrize(
    ("caption", "some"),
    [
        ("A hot dog with some mustard.", "A hot dog with no mustard."),
        ("A table with two pizzas.", "A table with no pizzas."),
        ("A dog is sitting on some rocks.", "A dog is not sitting on any rocks."),
        ("A man is holding bananas.", "A man is holding no bananas."),
        ("A car and a bus behind a fence.", "No car and no bus behind a fence."),
        ("Several trams are parked.", "No trams are parked."),
        ("A room has wooden chairs.", "A room has no wooden chairs."),
        ("A man has two dogs.", "A man has no dogs."),
        ("A room with chairs and tables.", "A room without chairs and tables."),
        ("A woman with her dog.", "A woman without her dog."),
    ],
)
def test_a_negation_is_among_them(caption, some):
    assert some in texts(caption)


@pytest.mark.parametrize(
    ("caption", "never"),
    [
        ("Some cows are standing together in a field with a dog.", r"not"),
        ("Some children who are playing video games together.", r"no"),
        ("A lot of people that are standing in a room with a dog.", r"not"),
        ("A plate is on a table along with a dog.", r"along (without|with no)"),
        ("A man lies with his head on a pillow.", r"without"),
        ("A sink and some shelves are in a bathroom.", r"No sink and some"),
        ("A tower has a vane and two clocks.", r"no vane"),
        ("A bathroom with a rack, a dryer and a mirror.", r"no rack"),
        ("A picture that is a bit out of focus.", r"not a bit"),
        ("A dog is also on the bed.", r"not also"),
        ("A man standing in a room not wearing a shirt.", r"not.*not"),
        ("A cat with white paws on some boards.", r"without.*any"),
        ("A table with different toys.", r"without"),
        ("A skier skiing down a slope.", r"down no"),
        ("Equipment in a room with vending machines.", r"vending no"),
        ("A group of people wearing blue uniforms some of gloves on their hands.", r"any"),
        ("A girl tries to operate a camera.", r"operate no"),
        ("A blurred picture showing a dog.", r"No blurred"),
        ("A group of boys watch a skateboarder jump a distant staircase.", r"no skateboarder.* no"),
        ("Two girls with no hats stand in a city.", r"No girls"),
        ("One woman carrying a cake and another woman in the background.", r"not"),
    ],
)
def test_what_is_not_said(caption, never):
    assert not [text for text in texts(caption) if re.search(never, text)]


def test_edits_tell_all_that_changed():
    caption = "A dog is sitting on some rocks."
    for negative in generate([caption], ["negation"], per_caption=60)[0]:
        text = caption
        for edit in sorted(negative.edits, reverse=True):
            assert caption[edit.start : edit.end] == edit.old
            gap = " " if edit.start == edit.end else ""
            text = text[: edit.start] + edit.new + gap + text[edit.end :]
        assert text.lower() == negative.text.lower()

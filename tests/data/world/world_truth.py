"""An independent reader of the world's captions: what a caption says, and whether that is so in a scene.

It shares no code with the captions' writer: it splits words, and measures pixels' coordinates itself.
"""

from __future__ import annotations

import dataclasses
import re

SHAPES = ["circle", "square", "triangle", "diamond", "star", "cross"]
SHAPES += ["heart", "moon", "arrow", "hexagon", "flower", "house"]
COLOURS = ["red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white"]
TEXTURES = ["solid", "hollow", "striped", "dotted"]
COUNTS = {"one": 1, "two": 2, "three": 3, "four": 4}
OPENINGS = ("a picture of ", "there is ", "a drawing of ", "a drawing with ", "a photo of ")
OPENINGS += ("this is ", "we see ", "the ")
NAMED = r"(?:(small|large) )?(?:(solid|hollow|striped|dotted) )?(?:(\w+) )?(\w+)"
SIDES = r"(?:(?:is|sits) )?(?:(?:to the |on the )?(left|right) of|(?:directly )?(above|over|below|under))"
PLACE = r"(?:on|at) the (left|right)(?: side)?|(?:at|on|in) the (top|bottom)(?: side| half)?"
PLACED = (re.compile(rf"(?P<named>.+?) (?:{PLACE})"), re.compile(rf"(?:{PLACE}) (?P<named>.+)"))
STATED = re.compile(rf"(?:a|an) {NAMED} {SIDES} (?:a|an) {NAMED}")


class Unreadable(ValueError):
    """The caption is no sentence of the world."""


def true_of(caption: str, scene) -> bool:
    """Whether `caption` holds of `scene`. Raises Unreadable for words in no order that means anything."""
    text = caption
    for opening in OPENINGS:
        text = text.removeprefix(opening)
    if text.endswith(" in the dark"):
        return scene.style == "noisy" and true_of(text.removesuffix(" in the dark"), scene)
    if placed := PLACED[0].fullmatch(text) or PLACED[1].fullmatch(text):
        *_, side = filter(None, placed.group(*(i for i in (1, 2, 3) if placed.re.groupindex["named"] != i)))
        there = [thing for thing in scene.things if _off(thing, side)]
        return any(true_of(placed["named"], dataclasses.replace(scene, things=(thing,))) for thing in there)
    found = STATED.fullmatch(text)
    if found:
        size_a, texture_a, colour_a, shape_a, across, upright, size_b, texture_b, colour_b, shape_b = found.groups()
        first = [t for t in scene.things if _fits(scene, t, size_a, texture_a, colour_a, shape_a)]
        second = [t for t in scene.things if _fits(scene, t, size_b, texture_b, colour_b, shape_b)]
        return any(_stands(a, b, across or upright) for a in first for b in second if a is not b)
    number, _, rest = text.partition(" ")
    counted = re.fullmatch(r"(\w+) (\w+)", rest)
    if number in COUNTS and counted and (number != "one" or len(scene.things) == 1 or scene.things[0].shape in rest):
        colour, noun = counted.groups()
        noun = noun if number == "one" else noun.removesuffix("es" if noun == "crosses" else "s")
        if colour in COLOURS and noun in SHAPES:
            return COUNTS[number] == sum(t.colour == colour and t.shape == noun for t in scene.things)
    parts = [re.sub(r"^(a|an|one) ", "", part) for part in re.split(r", | and | with | next to ", text)]
    named = [re.fullmatch(NAMED, part) for part in parts]
    if any(match is None for match in named):
        raise Unreadable(caption)
    return all(any(_fits(scene, t, *match.groups()) for t in scene.things) for match in named if match)


def _fits(scene, thing, size, texture, colour, shape) -> bool:
    if shape not in SHAPES or (colour is not None and colour not in COLOURS):
        raise Unreadable(f"{colour} {shape}")
    big = thing.half_radius / 2
    return (
        thing.shape == shape
        and colour in (None, thing.colour)
        and (size is None or (size == "small" and big < 7) or (size == "large" and big > 8.75))
        and texture in (None, scene.style)
    )


def _off(thing, word) -> bool:
    """Clearly off the middle of a picture of 48 pixels: by 6 or more."""
    right, down = thing.x - 24, thing.y - 24
    return {"left": -right, "right": right, "top": -down, "bottom": down}[word] >= 6


def _stands(a, b, word) -> bool:
    """Clearly so: at least 20 pixels apart that way, and at most 4 across."""
    right, down = b.x - a.x, b.y - a.y
    along, across = {
        "left": (right, down),
        "right": (-right, down),
        "above": (down, right),
        "over": (down, right),
        "below": (-down, right),
        "under": (-down, right),
    }[word]
    return along >= 20 and abs(across) <= 4

"""Another number of things (SVLC's counts, Doveh et al. 2023, section 3.1)."""

from __future__ import annotations

from collections.abc import Iterator

from compoclip.language.inflect import inflect
from compoclip.language.lexicon import lemma, shared_lexicon
from compoclip.language.places import GROUND, ROOMS, WATER
from compoclip.language.words import words
from compoclip.negatives.candidates import visible_field
from compoclip.negatives.draw import Draw
from compoclip.negatives.types import Edit
from compoclip.negatives.view import CaptionView, Noun
from compoclip.negatives.vocabulary import Vocabulary

NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
DIGITS = tuple(str(number) for number in range(1, 11))
TIED = words("kinds", "counts.tied")
SINGLE = words("kinds", "counts.single")
SO_MANY = words("kinds", "counts.so_many")
HANDLING = words("kinds", "counts.handling")
LONE = words("kinds", "counts.lone")
BESIDE = words("kinds", "counts.beside")
_FINITE = words("kinds", "counts.finite")
VERBS = words("kinds", "counts.verbs")
POSES = frozenset(f"{verb}s" for verb in VERBS) | {"poses"}  # "a man wearing a tie poses", read as "tie poses"
_AFTER_VERBS = words("kinds", "counts.after_verbs")
SOME = words("kinds", "counts.some")
ONWARD = words("kinds", "counts.onward")
_VISIBLE = frozenset({5, 6, 13, 18, 20})  # animal, artifact, food, person, plant
UNCOUNTED = words("kinds", "counts.uncounted")


def count(view: CaptionView, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """Another number of things: "three dogs" or "one dog" for "two dogs"; "two dogs" for "a dog".

    Never "a dog" for "two dogs": where there are two there is one.
    """
    numerals = [(n, i) for n in view.nouns if _has_singular(view, n) and (i := _numeral(view, n)) is not None]
    for noun, i in draw.shuffled(numerals):
        after = view.lower[noun.head + 1 :]
        if not LONE.isdisjoint(view.lower[i : noun.head]) or _some_of_them(after):
            continue
        if not SO_MANY.isdisjoint(after) or ("one" in after and (after.count("one") > 1 or "other" in after)):
            continue
        scale = NUMBERS if view.lower[i] in NUMBERS else DIGITS
        at = scale.index(view.lower[i])
        near = [other for other in range(max(0, at - 2), min(len(scale), at + 3)) if other != at]
        others = any(tag == "NNS" for tag in view.parsed.tags[noun.head + 1 :])  # "two men dressed as soldiers"
        if view.lower[i - 1 : i] == ["between"] or "other" in view.lower[i : noun.head]:
            others = True
        if not noun.plural or others or _agrees(view, noun) or not TIED.isdisjoint(after):
            near = [other for other in near if (other == 0) == (at == 0)]  # the rest speaks of one, or of several
        weights = {scale[other]: vocabulary.word(scale[other]) for other in near}
        if i and view.lower[i - 1] in ("of", "some"):  # "one of two boards", "a set of three plates"
            weights.pop("one", None)
            near = [other for other in near if other]
        for number in draw.by_weight(weights):
            yield _with_count(view, noun, i, number)
    for noun in draw.shuffled([noun for noun in view.nouns if _one_of_its_kind(view, noun)]):
        several = {number: vocabulary.word(number) for number in NUMBERS[1:4]}
        # "a dog" is said far more often than "two dogs": text alone would tell if each gave way.
        if draw.chance(3 * sum(several.values()), vocabulary.word("a")):
            yield _with_count(view, noun, noun.article, next(draw.by_weight(several), "two"))


def _has_singular(view: CaptionView, noun: Noun) -> bool:
    """Is it a noun with a form for one and a form for several, as far as the lexicon knows?"""
    return noun.lemma not in VERBS and not (
        noun.plural and noun.lemma == view.lower[noun.head] and noun.lemma[-1] == "s"
    )


def _one_of_its_kind(view: CaptionView, noun: Noun) -> bool:
    """Is it "a" thing of which there could be several, with no verb or place that speaks of one?"""
    parsed, lower = view.parsed, view.lower
    if noun.mass or noun.plural or noun.lemma in VERBS or noun.lemma in UNCOUNTED | GROUND | ROOMS | WATER:
        return False
    if noun.article != noun.phrase or lower[noun.article] not in ("a", "an"):
        return False
    if not LONE.isdisjoint(lower[noun.article : noun.head]):
        return False
    after = noun.head + 1
    if after < len(lower) and (
        parsed.tags[after].startswith(("NN", "VBZ", "VBD", "VBP", "POS")) or lower[after] in ("of", "-", "and")
    ):
        return False
    if not {"and", ","}.isdisjoint(lower[noun.article : noun.head]) or any(
        tag.startswith("NN") for tag in parsed.tags[noun.article : noun.start]
    ):
        return False  # "a couch, table"
    if not SINGLE.isdisjoint(lower[after:]):
        return False  # "a cart with some people in it"
    if visible_field(noun.lemma) not in _VISIBLE:
        return False
    head, dep = parsed.heads[noun.head], parsed.deps[noun.head]
    if dep == "dobj":
        return lemma(lower[head], "v") in HANDLING
    if dep == "pobj":
        return lower[head] in BESIDE
    # the caption's own subject, of which nothing finite is said: "a dog sitting on grass"
    if dep != "ROOT" or noun.phrase or _agrees(view, noun) or _verb_taken_for_noun(view, after):
        return False
    return TIED.isdisjoint(lower) and POSES.isdisjoint(lower)


def _some_of_them(after: list[str]) -> bool:
    """Does the rest speak of a number of these ("four men, two of them", "one sitting, two standing")?"""
    return any(
        after[i + 1 : i + 2] == ["of"] or (word != "one" and "".join(after[i + 1 : i + 2]).endswith("ing"))
        for i, word in enumerate(after)
        if word in NUMBERS
    )


def _verb_taken_for_noun(view: CaptionView, after: int) -> bool:
    """Does a singular verb follow that the parser read as a noun: "a bike rider in a helmet corners a trail"?"""
    parsed, lower = view.parsed, view.lower
    for i in range(after, len(lower) - 1):
        if parsed.tags[i] == "VBZ":
            return True
        if parsed.tags[i] not in ("NNS", "NN") or lower[i][-1] != "s" or parsed.tags[i + 1] not in _AFTER_VERBS:
            continue
        one = any(lower[c] in ("a", "an") and lower[c + 1] not in SOME for c in view.children[i] if c < i)
        one = one or parsed.tags[i - 1] in ("NN", "NNS", "NNP", "RB") or lower[i + 1] in ONWARD
        if one and shared_lexicon().senses(lemma(lower[i], "v"), "v"):
            return True
    return False


def _agrees(view: CaptionView, noun: Noun) -> bool:
    """Does a finite verb of the caption agree with the noun in number?"""
    parsed = view.parsed
    head = parsed.heads[noun.head]
    verbs = [head] if parsed.deps[noun.head] in ("nsubj", "nsubjpass", "attr") else []
    verbs += [c for c in view.children[noun.head] if parsed.deps[c] in ("relcl", "acl")]
    near = range(noun.head + 1, min(noun.head + 4, len(view.lower)))
    if any(parsed.tags[i] in _FINITE for i in near) or "there" in view.lower[: noun.head]:
        return True
    return any(parsed.tags[v] in _FINITE or any(parsed.tags[c] in _FINITE for c in view.children[v]) for v in verbs)


def _numeral(view: CaptionView, noun: Noun) -> int | None:
    for child in view.children[noun.head]:
        if child < noun.head and view.parsed.deps[child] == "nummod":
            if noun.article >= 0 and view.lower[noun.article] in ("a", "an"):
                return None  # "a two layer cake"
            if not noun.plural and view.lower[child] not in ("one", "1"):
                return None  # "three mass transit trains", cut by the parser
            if noun.plural and view.lower[child] in ("one", "1"):
                return None  # "as one paddles to the wave"
            return child if view.lower[child] in (*NUMBERS, *DIGITS) else None
    return None


def _with_count(view: CaptionView, noun: Noun, at: int, number: str) -> tuple[str, tuple[Edit, ...]]:
    changes, edits = [(at, at + 1, number)], [view.edit(at, at + 1, number)]
    plural = number not in ("one", "1", "a")
    if plural != noun.plural:
        form = inflect(noun.lemma, "NNS") if plural else noun.lemma
        changes.append((noun.head, noun.head + 1, form))
        edits.append(view.edit(noun.head, noun.head + 1, form))
    text = view.rewrite(changes)
    return text, tuple(edits)

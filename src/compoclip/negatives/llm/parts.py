"""Which part of speech a word may be where it stands, from its neighbours and the lexicon, without a parse."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from compoclip.language.classes import members
from compoclip.language.lexicon import POS, lemma, shared_lexicon
from compoclip.language.words import word_set

DETERMINERS = word_set("a an the this that these those his her its their my your our some any each every no another")
SPATIAL = word_set(
    """
    above across against ahead along alongside amid among amidst apart around aside at atop away back backward
    before behind below beneath beside besides between beyond bottom by close direction distance down edge end
    facing far forward forwards from front high in inside into left low middle near nearby next of off on onto
    opposite out outside over outdoors indoors past right round side through throughout to together top toward
    towards under underneath up upon upside with within without corner center centre backwards upstairs downstairs
    """
)
_CONTENT_TOO = word_set(
    """
    back bottom top side edge end corner center centre front middle distance round high low left right far near
    opposite past inside outside upstairs downstairs
    """
)
FUNCTION = (
    DETERMINERS
    | SPATIAL - _CONTENT_TOO
    | word_set(
        """
        and or but nor while as if than then who which whose whom that where when what there here is are was were be
        been being am has have had do does did could will would may might must should not it he she they them
        him i you we me us for like during about until after because so very too also just only 's 't 're 'll 've .
        """
    )
)
COUNTS = word_set("one two three four five six seven eight nine ten dozen several many few both most all half single")
_PREPOSITIONS = word_set("of in on at with from by between over under into onto above behind beside near for without")
_BE = word_set("is are was were be been being")
_LEAST_SHARE = 0.08  # of a word's uses in WordNet's concordance; below, it is not taken for that part of speech


def is_phrase(text: Sequence[str], start: int, end: int, part: str) -> bool:
    """Could words `start` to `end` be one noun ("n"), adjective ("a") or verb ("v") with what belongs to it?

    "fire hydrant" and "hot dog" are nouns; "picks up" and "is standing" are verbs.
    """
    content = [at for at in range(start, end) if text[at] not in FUNCTION]
    if not content:
        return False
    if part == "n":
        *before, head = content
        named = _noun(text, head) or (len(before) > 0 and _uses(text[head])["n"] > 0)  # "french fries"
        return named and all(can_be(text[at], "n") or can_be(text[at], "a") for at in before)
    if part == "v":
        return len(content) == 1 and _verb(text, content[0])
    return all(_adjective(text, at) for at in content)


@lru_cache(maxsize=50_000)
def can_be(word: str, part: str) -> bool:
    """Is the word used as this part of speech often enough? Words that the lexicon does not know may be any."""
    if word in FUNCTION:
        return False
    if word[0].isdigit() or (part in "an" and word in members(part)):
        return True
    uses = _uses(word)
    if not any(uses.values()):
        return "-" not in word or part == "a" or can_be(word.rpartition("-")[2] or word[:-1], part)
    return uses[part] >= _LEAST_SHARE * sum(uses.values()) or (part == "a" and _participle(word))


def _noun(text: Sequence[str], at: int) -> bool:
    word, after = text[at], _next(text, at)
    if _only_places(text, at):
        return False
    if adjectival(word) and ((at and text[at - 1] in _BE) or _may_be_described(after)):
        return False  # "the door is orange", "an orange door"
    if _noun_place(text, at):
        return _uses(word)["n"] > 0 or can_be(word, "n")
    return can_be(word, "n") and not _verb_place(text, at)


def _verb(text: Sequence[str], at: int) -> bool:
    word = text[at]
    if _noun_place(text, at) or (at == 0 and not word.endswith("ing")):
        return False
    if at and text[at - 1] in _BE and not _participle(word):
        return False  # "the street is dry"
    return can_be(word, "v") or _verb_place(text, at)


def _adjective(text: Sequence[str], at: int) -> bool:
    word, after = text[at], _next(text, at)
    is_said = at > 0 and text[at - 1] in _BE
    if not can_be(word, "a"):
        attribute = can_be(word, "n") and lemma(word, "n") == word and not _verb_place(text, at)  # "a brick house"
        return attribute and _may_be_described(after) and not _verb_place(text, at + 1)
    if _only_places(text, at) and not is_said:
        return False
    if _participle(word) and (word.endswith("ing") or not adjectival(word)):
        before_noun = _may_be_described(after) or can_be(after, "a")
        return (is_said and not word.endswith("ing")) or (before_noun and (not at or _noun_place(text, at)))
    return is_said or not _verb_place(text, at)


def _next(text: Sequence[str], at: int) -> str:
    return text[at + 1] if at + 1 < len(text) else "."


def _may_be_described(word: str) -> bool:
    return word not in FUNCTION and _uses(word)["n"] > 0 and not _participle(word)


def _only_places(text: Sequence[str], at: int) -> bool:
    """ "To the left of", "inside the garage": a place, not a thing or a property."""
    return text[at] in _CONTENT_TOO and _next(text, at) in FUNCTION


def _noun_place(text: Sequence[str], at: int) -> bool:
    """After a determiner, a numeral, a preposition or an adjective no verb stands but as an attribute."""
    if not at:
        return False
    before = text[at - 1]
    if before in _PREPOSITIONS:
        return not text[at].endswith("ing")
    described = before in members("a") and not (at > 1 and text[at - 2] in _PREPOSITIONS | _BE)  # "the team in red"
    return before in DETERMINERS or before in COUNTS or described


def _verb_place(text: Sequence[str], at: int) -> bool:
    """Does the word agree in number with a noun right before it ("dog sleeps", "dogs sleep"), or follow "is"?"""
    word = text[at]
    if not at or not _uses(word)["v"]:
        return False
    before = text[at - 1]
    if before in _BE:
        return _participle(word)
    if before in FUNCTION or adjectival(before) or not (can_be(before, "n") or _noun_place(text, at - 1)):
        return False
    ends = word.endswith("s") and not word.endswith("ss")
    if ends == (lemma(before, "n") != before) or (ends and _start(text, at) in COUNTS - {"one", "single"}):
        return False
    return _uses(word)["v"] * 4 > _uses(word)["n"] or (ends and _start(text, at) in ("a", "an"))


def _start(text: Sequence[str], at: int) -> str:
    """The determiner or numeral that the words before `at` belong to: after "a" no plural noun can come."""
    for back in range(at - 1, max(at - 5, -1), -1):
        if text[back] in FUNCTION or text[back] in COUNTS:
            return text[back]
    return ""


@lru_cache(maxsize=50_000)
def _participle(word: str) -> bool:
    return not word.endswith("s") and lemma(word, "v") != word and "v" + lemma(word, "v") in shared_lexicon()


@lru_cache(maxsize=50_000)
def adjectival(word: str) -> bool:
    """More often an adjective than a noun."""
    return word in members("a") or _uses(word)["a"] > _uses(word)["n"]


@lru_cache(maxsize=50_000)
def _uses(word: str) -> dict[str, int]:
    """How often WordNet's concordance has the word as each part of speech, plus one a sense."""
    known = shared_lexicon()
    return {part: sum(sense.tagged + 1 for sense in known.senses(lemma(word, part), part)) for part in POS}

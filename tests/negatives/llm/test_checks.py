"""Replies as models write them, read or refused; and rewrites, kept or refused with their reason."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compoclip.negatives.llm.checks import REASONS, check, parse_reply
from compoclip.negatives.llm.kinds import LLM_KINDS

GOOD = '{"rewrites": ["A cat.", "A cow."]}'
HORSE = "A man rides a brown horse along the beach."


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"```\n{GOOD}```",
        f"Sure! Here is the JSON you asked for:\n\n```json\n{GOOD}\n```\nLet me know if you need more.",
        f"Here you go: {GOOD} Hope this helps!",
        f'<think>I could write {{"rewrites": []}} but no [really]</think>\n{GOOD}',
        f'The example was {{"rewrites": ["A dog."]}}. Mine: {GOOD}',
        f"First [a], then {{b}}: {GOOD}",
        '["A cat.", "A cow."]',
        '{"rewrites": [" A  cat.\\n", "A cow."], "note": "two"}',
        '\ufeff{"rewrites": ["A cat.", "A cow."]}',
    ],
)
def test_json_is_found_in_what_stands_round_it(text):
    assert parse_reply(text, "json") == ["A cat.", "A cow."]


def test_one_text_is_a_list_of_one():
    assert parse_reply('{"rewrites": "A cat."}', "json") == ["A cat."]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("<think>hm</think>", "empty"),
        ("<think>I should", "mid-thought"),
        ("A cat.", "no JSON"),
        ('{"rewrites": ["A cat.", "A cow.",]}', "broken"),
        ('{"rewrites": ["A cat.", "A c', "broken"),
        ("{'rewrites': ['A cat.']}", "broken"),
        ('{"rewrite": ["A cat."]}', 'no "rewrites"'),
        ('{"result": {"rewrites": ["A cat."]}}', 'no "rewrites"'),
        ('{"rewrites": []}', "no list of texts"),
        ('{"rewrites": {"1": "A cat."}}', "no list of texts"),
        ('{"rewrites": ["A cat.", ["A cow."]]}', "no list of texts"),
        ('{"rewrites": ["A cat.", 3]}', "no list of texts"),
        ('{"rewrites": null}', "no list of texts"),
        ('{"rewrites": ["A cat.", "  "]}', "is empty"),
        ('{"rewrites": ["A \\ud800 cat."]}', "broken characters"),
        ("[" * 40_000, "broken"),
        ('{"a":' * 9_000, "broken"),
        ("x" * 60_000, "run away"),
    ],
)
def test_what_is_no_json_is_refused_with_a_reason(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse_reply(text, "json")


@pytest.mark.parametrize(
    "text",
    [
        "A cat.\nA cow.",
        "1. A cat.\n2. A cow.",
        "1) A cat.\n\n2) A cow.\n",
        "(1) A cat.\r\n(2) A cow.",
        "- A cat.\n- A cow.",
        "• A cat.\n• A cow.",
        "* A cat.\n* A cow.",
        '"A cat."\n"A cow."',
        "“A cat.”\n‘A cow.’",
        '1. "A cat."\n2. **A cow.**',
        "Here are the rewrites:\n\nA cat.\nA cow.",
        "Rewrite 1: A cat.\nRewrite 2: A cow.",
        "```\nA cat.\nA cow.\n```",
        "<think>\nA dog?\n</think>\n\nA cat.\nA cow.",
        GOOD,
        f"```json\n{GOOD}\n```",
    ],
)
def test_plain_lines_lose_numbers_bullets_and_quotation_marks(text):
    assert parse_reply(text, "plain") == ["A cat.", "A cow."]


def test_numbers_that_belong_to_a_caption_stay():
    assert parse_reply("2 cats sit on a wall.\n3.5 miles of road\n'50s cars", "plain") == [
        "2 cats sit on a wall.",
        "3.5 miles of road",
        "'50s cars",
    ]


@pytest.mark.parametrize(("text", "reason"), [("", "empty"), ("Here you go:\n", "no line"), ("''\n-", "no line|empty")])
def test_plain_replies_without_a_line_are_refused(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse_reply(text, "plain")


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match="xml"):
        parse_reply("A cat.", "xml")


PIECES = st.sampled_from(
    [
        '{"rewrites": [',
        '"A cat."',
        "]}",
        "{",
        "}",
        "[",
        "]",
        ",",
        "```",
        "```json\n",
        "<think>",
        "</think>",
        "\n",
        "1. ",
        '"',
    ]
)
REPLIES = st.one_of(
    st.text(),
    st.lists(PIECES | st.text(max_size=4), max_size=20).map("".join),
    st.recursive(st.none() | st.text() | st.integers() | st.floats(), st.lists).map(json.dumps),
)


@given(REPLIES, st.sampled_from(["json", "plain"]))
@settings(max_examples=400, deadline=None)
def test_reading_raises_nothing_but_valueerror(text, form):
    try:
        found = parse_reply(text, form)
    except ValueError as error:
        found = [str(error)]  # a reason is one line, too
    assert found
    assert all(rewrite and rewrite == " ".join(rewrite.split()) for rewrite in found)


@given(st.lists(st.text(min_size=1).filter(lambda text: text.strip() and "\ud800" not in text), min_size=1))
@settings(max_examples=100, deadline=None)
def test_a_clean_reply_is_read_whatever_it_says(rewrites):
    found = parse_reply(json.dumps({"rewrites": rewrites}), "json")
    assert found == [" ".join(text.split()) for text in rewrites]


@given(st.sampled_from(list(LLM_KINDS)), st.text(), st.text())
@settings(max_examples=300, deadline=None)
def test_checking_never_fails(kind, caption, rewrite):
    assert check(kind, caption, rewrite) in {None, *REASONS}


@pytest.mark.parametrize(
    ("rewrite", "reason"),
    [
        ("", "empty"),
        ("...", "empty"),
        ("I'm sorry, but I can't help with that.", "refusal"),
        ("I’m sorry, I cannot do this", "refusal"),
        ("As an AI language model, I cannot see photos.", "refusal"),
        ("Unfortunately, the caption has one noun only.", "refusal"),
        ("The caption has only one adjective.", "refusal"),
        ("I cannot swap anything here.", "refusal"),
        ("N/A", "refusal"),
        ("None.", "refusal"),
        ("Sure! A man rides a brown cow along the beach.", "chat"),
        ("Here is a rewritten caption", "chat"),
        ("Rewritten: A man rides a brown cow along the beach.", "chat"),
        ("Caption: A man rides a brown cow along the beach.", "chat"),
        ("A man rides a brown cow along the beach. The horse was replaced.", "chat"),
        ("A man rides a brown cow along the beach. (horse -> cow)", "chat"),
        ("A man rides a brown cow (was horse) along the beach.", "chat"),
        ("A man rides a brown **cow** along the beach.", "chat"),
        ("horse → cow", "chat"),
        ('"A man rides a brown cow along the beach."', "chat"),
        ("A man rides a brown cow\nalong the beach.", "chat"),
        ("Un homme à cheval, été où là-bas, éèà ùçéè.", "not-english-letters"),
        ("一个男人骑着一头牛。", "not-english-letters"),
        ("A man rides a brown cow \u200balong the beach.", "not-english-letters"),
        ("A man rides a brown cow 🐄 along the beach.", "not-english-letters"),
        ("a man rides a brown horse along the beach", "same-as-caption"),
        ("A man rides a brown horse, along the beach!", "same-as-caption"),
        ("A man in a straw hat slowly rides a brown cow along the sunny and empty beach in May.", "too-long"),
        ("A cow.", "too-short"),
        ("A man rides a brown cow along the", "word-salad"),
        ("A man rides a brown the along horse beach.", "word-salad"),
        ("A woman feeds a white cow beside the barn.", "breaks-rule"),
        ("A man rides a black horse along the beach.", "breaks-rule"),
        ("A man and a dog ride a brown horse along the beach.", "breaks-rule"),
        ("A horse rides a brown man along the beach.", "breaks-rule"),
        ("A man rides a brown cow along the beach.", None),
        ("A woman rides a brown horse along the beach.", None),
        ("A man rides a brown horse along the railway line.", None),
    ],
)
def test_a_noun_for_a_noun(rewrite, reason):
    assert check("replace-nouns", HORSE, rewrite) == reason


@pytest.mark.parametrize(
    ("kind", "caption", "rewrite", "reason"),
    [
        ("swap-nouns", "A dog bites a man.", "A man bites a dog.", None),
        ("swap-nouns", "An old dog chases two cats.", "Two old cats chase a dog.", None),
        (
            "swap-nouns",
            "Donuts in a box and a piece of cake on a plate.",
            "A piece of cake in a box and donuts on a plate.",
            None,
        ),
        ("swap-nouns", "A man rests on grass.", "Grass rests on a man.", None),
        ("swap-nouns", "A dog bites a man.", "A cat bites a man.", "breaks-rule"),
        ("swap-nouns", "A dog bites a man.", "A man bites a big dog.", "breaks-rule"),
        ("swap-nouns", "Dogs bite a man.", "A dog bites men.", "breaks-rule"),
        ("swap-nouns", "A keyboard and a monitor on a desk", "A monitor and a keyboard on a desk", "keeps-meaning"),
        ("swap-nouns", "A dog is sitting next to a cat.", "A cat is sitting next to a dog.", "keeps-meaning"),
        ("swap-nouns", "A man eats rice and beans.", "A man eats beans and rice.", "keeps-meaning"),
        ("swap-nouns", "A red keyboard and a monitor", "A red monitor and a keyboard", None),
        ("swap-nouns", "A dog near a cat eating fish", "A cat near a dog eating fish", None),
        ("swap-nouns", "A boy hits a ball with a bat.", "A boy hits a bat with a ball.", None),
        ("swap-adjectives", "A tall man in a red car.", "A red man in a tall car.", None),
        ("swap-adjectives", "A tall man in a red car.", "A tall car in a red man.", "breaks-rule"),
        ("swap-adjectives", "A tall man in a red car.", "A tall man in a blue car.", "breaks-rule"),
        ("swap-adjectives", "Fried eggs beside a boiled sausage", "Boiled eggs beside a fried sausage", None),
        ("shuffle", "The man with a hat sees a dog.", "The dog with a hat sees a man.", None),
        ("shuffle", "The man with a hat sees a dog.", "The man sees a dog with a hat.", None),
        ("shuffle", "The man with a hat sees a dog.", "The man with a hat sees a cat.", "breaks-rule"),
        ("shuffle", "A nice motel with a clean bathroom.", "Motel a nice, with bathroom clean a.", "word-salad"),
        ("replace-adjectives", "A small dog in wet grass.", "A small dog in dry grass.", None),
        ("replace-adjectives", "A small dog in wet grass.", "A small cat in wet grass.", "breaks-rule"),
        ("replace-adjectives", "The shop is closed.", "The shop is open.", None),
        ("replace-adjectives", "A boy is running home.", "A boy is walking home.", "breaks-rule"),
        ("replace-verbs", "A boy is running home.", "A boy is walking home.", None),
        ("replace-verbs", "A girl picks up a cup.", "A girl drops a cup.", None),
        ("replace-verbs", "A girl picks up a cup.", "A girl picks up a bowl.", "breaks-rule"),
        ("replace-verbs", "A teenager talks.", "A teenager types.", None),
        ("replace-verbs", "A crowd sits on the lawn.", "A crowd stands on the lawn.", None),
        ("replace-relations", "A cat on the bed.", "A cat under the bed.", None),
        ("replace-relations", "A cat in front of the bed.", "A cat behind the bed.", None),
        ("replace-relations", "A cup to the left of a fork.", "A cup to the right of a fork.", None),
        ("replace-relations", "A cat on the bed.", "A cat on the chair.", "breaks-rule"),
        ("replace-relations", "A cat sits on the bed.", "A cat sleeps under the bed.", "breaks-rule"),
        ("replace-nouns", "A can of paint on a ladder", "A bucket of paint on a ladder", None),
        ("replace-nouns", "A woman pats her dog.", "A man pats his dog.", None),
        ("replace-nouns", "Ice cream on a plate", "French fries on a plate", None),
        ("replace-nouns", "A bird lies on two leaves.", "A bird lies on two branches.", None),
        ("replace-nouns", "An orange door", "A purple door", "breaks-rule"),
        ("replace-nouns", "An orange on a plate", "An apple on a plate", None),
        ("replace-nouns", 'A sign that says: "Stop" (in red)', 'A wall that says: "Stop" (in red)', None),
        ("replace-nouns", "I'm sorry is what the card says.", "I'm sorry is what the sign says.", None),
        ("replace-nouns", "A man. A dog. A tree.", "A man. A cat. A tree.", None),
    ],
)
def test_each_kind_by_hand(kind, caption, rewrite, reason):
    assert check(kind, caption, rewrite) == reason


def test_no_insult_comes_in():
    from compoclip.language.lexicon import is_blocked

    insult = next(word for word in ("bastard", "moron", "idiot") if is_blocked(word))
    assert check("replace-nouns", HORSE, HORSE.replace("man", insult)) == "blocked-word"
    told = HORSE.replace("man", insult)  # the caption's own words are not the model's doing
    assert check("replace-nouns", told, told.replace("horse", "cow")) is None


@pytest.mark.parametrize(
    ("file", "kind", "least"),
    [
        ("swap_obj", "shuffle", 0.75),
        ("swap_obj", "swap-nouns", 0.70),
        ("swap_att", "swap-adjectives", 0.50),
        ("replace_obj", "replace-nouns", 0.88),
        ("replace_att", "replace-adjectives", 0.70),
    ],
)
def test_good_rewrites_of_others_mostly_pass(shared, file, kind, least):
    """SugarCrepe's hard negatives, which keep to these rules less strictly than we ask."""
    path = shared / "reference" / "annotations" / "sugarcrepe" / f"{file}.json"
    rows = list(json.loads(path.read_text("utf-8")).values())
    passed = sum(check(kind, row["caption"], row["negative_caption"]) is None for row in rows)
    assert passed >= least * len(rows)


@pytest.mark.parametrize("file", ["add_obj", "add_att"])
def test_rewrites_by_another_rule_are_refused(shared, file):
    """SugarCrepe's added things and properties are no replacements."""
    path = shared / "reference" / "annotations" / "sugarcrepe" / f"{file}.json"
    rows = list(json.loads(path.read_text("utf-8")).values())
    for kind in LLM_KINDS:
        passed = sum(check(kind, row["caption"], row["negative_caption"]) is None for row in rows)
        assert passed <= 0.04 * len(rows), kind


def test_checks_need_no_parser():
    import subprocess
    import sys

    script = (
        "import sys; from compoclip.negatives.llm.checks import check;"
        "check('replace-nouns', 'A dog runs home.', 'A cat runs home.');"
        "assert not {'spacy', 'torch', 'openai'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env=dict(os.environ))

"""The page: self-contained, escaped, and saying what the figures say."""

from __future__ import annotations

import copy
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from rich.console import Console
from tests.evaluation.fakes import RandomModel
from tests.evaluation.test_tasks import JUDGE, crepe
from tests.report.made import BASE, GAINS, KEEPS, SAME, flags, results

from compoclip.errors import InputError
from compoclip.evaluation.statistics import Interval
from compoclip.report import table, write_report
from compoclip.report.blocks import marked, thumbnail
from compoclip.report.compare import standings
from compoclip.report.page import _column, lead
from compoclip.report.pool import Cell, Method, pool, with_own_base
from compoclip.report.summary import advice, headline, listed, signed, without_looking

VOID = {"meta", "img", "br", "line", "circle", "polygon", "polyline"}


class Checker(HTMLParser):
    """Collects text and addresses, and whether every tag is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.addresses: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(path: Path) -> tuple[Checker, str]:
    checker = Checker()
    checker.feed(path.read_text(encoding="utf-8"))
    assert not checker.open
    return checker, " ".join(" ".join(checker.words).split())


EXAMPLE = {
    "image": Image.new("RGB", (48, 48), (200, 0, 0)),
    "caption": "a red <b>square</b>",
    "negative": "a blue square",
    "kind": "swap",
    "choices": {"base": False, "negclip": True, "mix": 0.25, "plain": -0.5},
}


def test_the_page_stands_alone(tmp_path: Path) -> None:
    curves = {"negclip": [(0.0, 55.0, 80.0), (0.5, 80.0, 70.0), (1.0, 90.0, 50.0)]}
    path = write_report(
        [BASE, GAINS, KEEPS, SAME], tmp_path, curves=curves, examples=[EXAMPLE], title="A & B", notes="N."
    )
    assert path == tmp_path / "report.html"
    checker, words = read(path)
    assert "script" not in checker.tags
    assert "link" not in checker.tags
    assert all(a.startswith("data:image/png;base64,") for a in checker.addresses)
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org)", path.read_text())
    assert "A & B" in words
    assert "a red <b>square</b>" in words
    for text in (
        "negclip is best at composition",
        "90.0",
        "+35.0",
        "hard negative",
        "0123456789ab",
        "✗ false (−0.500)",
    ):
        assert text in words, text
    assert 'name="viewport"' in path.read_text()
    assert "prefers-color-scheme:dark" in path.read_text()
    assert "polyline" in checker.tags


def test_the_plot_is_also_a_picture_of_its_own(tmp_path: Path) -> None:
    curves = {"negclip": [(0.0, 55.0, 80.0), (0.5, 80.0, 70.0), (1.0, 90.0, 50.0)]}
    write_report([BASE, GAINS], tmp_path, curves=curves)
    plot = ElementTree.parse(tmp_path / "tradeoff.svg").getroot()
    words = " ".join(plot.itertext())
    assert "negclip" in words
    assert "prefers-color-scheme:dark" in words  # its colours come with it
    assert [part.get("class") for part in plot.iter() if part.tag.endswith("polyline")] == ["curve"]
    write_report([BASE], tmp_path / "alone")
    assert not (tmp_path / "alone" / "tradeoff.svg").exists()


def test_a_run_directory_alone_brings_its_base(tmp_path: Path) -> None:
    run = tmp_path / "fsc"
    run.mkdir()
    assert with_own_base([run]) == [run]
    (run / "results-base.json").write_text("{}")
    assert with_own_base([run]) == [run / "results-base.json", run]
    assert with_own_base([run, run / "results.json"]) == [run, run / "results.json"]  # who names two says what is base


def test_text_from_results_is_escaped(tmp_path: Path) -> None:
    evil = copy.deepcopy(GAINS)
    evil["label"] = "<img src=x onerror=alert(1)>"
    evil["model"]["name"] = "<script>alert(2)</script>"
    evil["skipped"] = {"<i>": "<u>"}
    checker, words = read(write_report([BASE, evil], tmp_path))
    assert not {"script", "i", "u", "img"} & checker.tags
    assert "<img src=x onerror=alert(1)>" in words


def test_headline_names_gain_price_and_keeper() -> None:
    sentences = " ".join(_headline([BASE, GAINS, KEEPS, SAME]))
    assert (
        "negclip is best at composition: it prefers the true caption in 90.0 % of the rows, where base does in 55.0 %"
        in sentences
    )
    assert "2 methods pay with zero-shot recognition, negclip most, −30.0 points" in sentences
    assert "mix keeps the most" in sentences


def test_headline_does_not_claim_what_may_be_luck() -> None:
    sentences = " ".join(_headline([BASE, SAME]))
    assert "No method is significantly better at composition than base" in sentences
    assert "There is a price: plain pays with zero-shot recognition, −5.0 points" in sentences
    alone = " ".join(_headline([BASE]))
    assert "55.0 %" in alone
    assert "Give a second model" in alone


def _headline(runs: list) -> list[str]:
    methods = pool(runs)
    return headline(methods, _column(methods, "comp"), _column(methods, "zeroshot"))


def test_one_method_that_is_both_best_and_keeps_most_is_named_once() -> None:
    best = results("ours", [flags(100, 95), flags(50, 49)], [flags(200, 159)])
    base = results("base", [flags(100, 60), flags(50, 25)], [flags(200, 160)])
    other = results("negclip", [flags(100, 90), flags(50, 45)], [flags(200, 100)])
    assert any("ours also keeps the most of what base knew" in s for s in _headline([base, other, best]))


def test_the_advice_names_the_method_that_gains_most() -> None:
    some = results("some", [flags(100, 75), flags(50, 38)], [flags(200, 100)])
    methods = pool([BASE, some, GAINS])
    comp, zeroshot = _column(methods, "comp"), _column(methods, "zeroshot")
    assert [cell.verdict for cell in comp[1:]] == ["better", "better"]
    assert (comp[2].value or 0) > (comp[1].value or 0)
    assert advice(methods, comp, [zeroshot]) == [
        "Advice: blend negclip with base (compoclip blend --sweep): a sure gain, and a sure loss."
    ]


def test_a_kind_that_is_surely_lost_is_named_beside_an_average_that_may_be_luck() -> None:
    base = results("base", [flags(100, 60), flags(100, 60)], [flags(9, 5)])
    mixed = results("mixed", [flags(100, 90), flags(100, 30)], [flags(9, 5)])
    told = " ".join(lead(pool([base, mixed])))
    assert "Surely worse, of 2 kinds of false captions: k1 (60.0 to 30.0 %)." in told
    assert "mixed has 60.0 %: 0.0 points" in told
    assert "Surely worse" not in " ".join(lead(pool([base, {**base, "label": "same"}])))


def test_guessing_is_what_tricks_are_held_against() -> None:
    methods, cells = pool([BASE]), [Cell(60.0)]
    assert "much better than guessing, 43.3 %" in without_looking(methods, cells, {"shorter": 48.0}, 43.3)[0]
    assert "can be had without the image" in without_looking(methods, cells, {"shorter": 48.5}, 43.3)[0]


def test_nothing_measured_is_said() -> None:
    assert "Neither" in headline(pool([BASE]), [], [])[0]
    assert "not measured" in " ".join(headline(pool([BASE, GAINS]), [Cell(None), Cell(None)], []))


def test_page_without_zeroshot_has_no_plot(tmp_path: Path) -> None:
    runs = [results(name, [flags(40, n)], []) for name, n in (("base", 20), ("x", 30))]
    path = write_report(runs, tmp_path)
    read(path)
    assert "What was gained" not in path.read_text()


def test_small_pictures_are_enlarged_without_smoothing() -> None:
    import base64

    image = Image.new("RGB", (2, 2))
    image.putpixel((0, 0), (255, 0, 0))
    shown = Image.open(io.BytesIO(base64.b64decode(thumbnail(image).split(",")[1])))
    assert shown.size == (288, 288)
    assert set(shown.getdata()) == {(0, 0, 0), (255, 0, 0)}
    photo = Image.open(io.BytesIO(base64.b64decode(thumbnail(Image.new("RGB", (1000, 500))).split(",")[1])))
    assert photo.size == (288, 144)


def test_standing_among_published_models(tmp_path: Path) -> None:
    from compoclip.evaluation import evaluate

    data = crepe(tmp_path / "data")
    perfect, random = evaluate(JUDGE, "sugarcrepe", data, label="judge"), evaluate(RandomModel(), "sugarcrepe", data)
    (standing,) = standings(pool([random, perfect]))
    assert standing.key == "sugarcrepe"
    assert len(standing.cloud) == 202
    first = standing.neighbours[0]
    assert (first.rank, first.label, first.mine) == (1, "judge", True)
    assert standing.neighbours[-1].rank == 204
    assert any(n.label == "ViT-B-32 openai" and abs(n.value - 73.026) < 1e-3 for n in standing.neighbours)
    _, words = read(write_report([random, perfect], tmp_path, against="published"))
    assert "Among published models: SugarCrepe" in words
    assert "202 published models" in words


def test_standing_warns_of_missing_rows_and_of_nothing_in_common(tmp_path: Path) -> None:
    from compoclip.evaluation import evaluate

    run = evaluate(JUDGE, "sugarcrepe", crepe(tmp_path / "data"), limit=1, label="judge")
    assert "Measured on 7 of 7 rows" in standings(pool([run]))[0].warning
    _, words = read(write_report([BASE], tmp_path, against="published"))
    assert "None of the benchmarks measured here is in the published table" in words
    with pytest.raises(InputError, match="use published"):
        write_report([BASE], tmp_path, against="others")


def test_terminal_table_shows_differences() -> None:
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(table([BASE, GAINS]))
    text = console.export_text()
    assert "90.0" in text
    assert "+35.0" in text
    assert "negclip" in text
    console.print(table([BASE], detail=True))
    assert "k1" in console.export_text()


def test_words() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert (signed(3.25), signed(-1.5), signed(0.04), signed(-0.04)) == ("+3.2", "−1.5", "0.0", "0.0")


def test_composition_that_needs_the_picture_leads_and_the_rest_stands_apart(tmp_path: Path) -> None:
    kinds = ["swap-object", "word-order", "replace-object"]
    base = results("base", [flags(100, 50), flags(100, 50), flags(100, 80)], [flags(200, 160)], kinds=kinds)
    tuned = results("negclip", [flags(100, 80), flags(100, 99), flags(100, 82)], [flags(200, 150)], kinds=kinds)
    _, words = read(write_report([base, tuned], tmp_path))
    told = "negclip is best at composition that needs the image: it prefers the true caption in 80.0 % of 100 rows"
    assert f"{told}, where base does in 50.0 %: +30.0 points" in words
    assert "composition: needs the image n = 100 text alone can do it n = 100 zero-shot" in words
    places = [words.index(f"{title} ") for title in ("Needs the image", "Text alone can do it", "A bag of words can")]
    assert places == sorted(places)
    assert "mean n = 100 swap-object n = 100 base 50.0" in words[places[0] :]
    assert "mean n = 100 word-order n = 100 base 50.0" in words[places[1] :]
    assert words.count("composition that needs the image (%)") == 2  # the plot's axis, wide and narrow


def test_every_average_and_mcnemar_stand_below_for_every_model(tmp_path: Path) -> None:
    _, words = read(write_report([BASE, GAINS, KEEPS], tmp_path))
    assert "average base negclip mix mean of composition kinds 55.0 90.0 86.5" in words
    assert "row by row only base right only negclip right p (McNemar) k0 0 30 <0.001" in words
    assert "only mix right p (McNemar) k0 0 25 <0.001 k1 0 19 <0.001 zeroshot/s0 2 0 0.500" in words


def test_retrieval_sets_have_a_table_each(tmp_path: Path) -> None:
    run = copy.deepcopy(BASE)
    subsets = run["tasks"]["world"]["subsets"]
    for way in ("i2t", "t2i"):
        subsets[f"photos/{way}"] = copy.deepcopy(subsets[f"retrieval/{way}"])
    _, words = read(write_report([run], tmp_path))
    assert "photos model image → text R@1 n = 100 image → text R@5 n = 100" in words
    one, _ = read(write_report([BASE], tmp_path))
    assert "h3" not in one.tags


def test_the_tricks_are_named_after_the_model_that_they_use(tmp_path: Path) -> None:
    run = copy.deepcopy(BASE)
    for name in ("k0", "k1"):
        run["tasks"]["world"]["subsets"][name]["controls"] = {"shuffled": 51.5, "shorter": 49.0}
    _, words = read(write_report([run], tmp_path))
    assert "base, shown another image 51.5" in words
    assert "always the shorter caption 49.0" in words


def test_many_benchmarks_stand_in_lines_with_their_subsets_folded_away(tmp_path: Path) -> None:
    run, other = copy.deepcopy(BASE), copy.deepcopy(GAINS)
    for r in (run, other):
        entry = r["tasks"]["second"] = copy.deepcopy(r["tasks"]["world"])
        entry["subsets"] = {n: s for n, s in entry["subsets"].items() if s["part"] == "composition"}
    checker, words = read(write_report([run, other], tmp_path))
    assert "Composition, by benchmark benchmark base negclip guessing world n = 150 55.0" in words
    assert "second n = 150 55.0 [" in words
    assert re.search(r"second n = 150 55\.0 \[[\d., ]+\] 90\.0 ▲ \+35\.0", words)
    assert "details" in checker.tags
    _, said = read(write_report([BASE, GAINS], tmp_path))
    assert "Composition, by kind" in said
    assert "by benchmark" not in said


def test_the_headline_names_who_is_surely_better_though_another_is_higher() -> None:
    methods = [Method(name, (), place) for place, name in enumerate(("base", "sure", "lucky"))]
    cells = [
        Cell(60.0),
        Cell(61.6, delta=Interval(1.6, 0.3, 2.9)),
        Cell(62.1, delta=Interval(2.1, -1.8, 6.0)),
    ]
    [said] = headline(methods, cells, [])
    assert said.startswith("sure is significantly better at composition than base")
    assert "lucky with 62.1 %" in said
    assert "may be luck" in said


def test_the_words_that_differ_are_marked() -> None:
    true, false = "a red <square> left of A blue circle", "a blue <square> left of a red circle"
    assert marked(true, false) == "a <mark>red</mark> &lt;square&gt; left of A <mark>blue</mark> circle"
    assert marked("a dog", "a small dog") == "a dog"
    assert marked("a small dog", "a dog") == "a <mark>small</mark> dog"
    assert marked("dog blue a the", "the a blue dog") == "dog blue a the"  # most differs: nothing is marked


def test_the_glossary_explains_what_the_page_has(tmp_path: Path) -> None:
    terms = [f"<dt>{term}</dt>" for term in ("zero-shot recognition", "blend (WiSE-FT)", "composition")]
    page = write_report([BASE, GAINS], tmp_path).read_text()
    assert [term in page for term in terms] == [True, True, True]  # its advice is to blend
    own = [results(name, [flags(100, n)], []) for name, n in (("base", 60), ("tuned", 61))]
    page = write_report(own, tmp_path).read_text()
    assert [term in page for term in terms] == [False, False, True]

"""The published report, as a person's browser shows it: all of it, from the one file."""

from copy import deepcopy
from functools import lru_cache
from pathlib import Path

import pytest

from tasks.evaluate_model.stage import measure
from tasks.publish_model.lineage import Lineage
from tasks.publish_model.report import gains, report
from tasks.records import (
    CachedDataset,
    DocsSnapshot,
    EmbeddedModel,
    EvaluatedModel,
    PublishedModel,
    TrainedModel,
)
from tasks.retrieval.told import KINDS, SYSTEMS, advice, systems_of
from tests.browser import empty_page, needs_chromium
from tests.tasks.evaluate_model.making import COUNTS, given_with

pytestmark = needs_chromium
WIDE, NARROW = 1100, 400
"""Pixels of a window on a small screen, and of a telephone."""
MANY = 12_345
"""Queries of each kind: the widest head that a table has."""
HELD_OUT = {"loss": 2.5, "perplexity": 12.2, "accuracy": 0.4, "masked_tokens": 12_345.0}
HISTORY = [{"step": 5.0 * step, "loss": 3.0 - step / 10} for step in range(1, 9)]


@lru_cache
def evaluated() -> EvaluatedModel:
    """What the probes make of tiny models and their documents, as if many queries had been asked."""
    figures = {"not_measured": {}}
    measure(given_with(), figures)
    figures = deepcopy(figures)
    for name, found in figures["retrieval"].items():
        for of_kind in found.values() if name != "paired" else ():
            of_kind["queries"] = MANY
    return EvaluatedModel(uri="u", key="k", **figures)


def lineage() -> Lineage:
    """What a run made that trained both models and measured them."""
    source = "https://github.com/MicrosoftDocs/azure-docs"
    made = {kind: kind(uri="u", key="k", **counts) for kind, counts in COUNTS.items()}
    trained = COUNTS[TrainedModel] | {
        "history": HISTORY, "eval_before": HELD_OUT, "eval_after": HELD_OUT | {"loss": 2.0},
    }  # fmt: skip
    embedded = {"base": "sentence-transformers/all-MiniLM-L6-v2", "pairs": 7_029, "history": HISTORY}
    snapshot = {"source": source, "commit_sha": "a" * 40, "found": 24, "read": 24, "bytes_read": 1}
    return Lineage(
        snapshot=DocsSnapshot(uri="u", key="k", licenses=["MIT"], **snapshot),
        dataset=CachedDataset(uri="u", key="k", train_documents=16, eval_documents=8),
        trained=TrainedModel(uri="u", key="k", **trained),
        embedded=EmbeddedModel(uri="u", key="k", **embedded),
        evaluated=evaluated(),
        **{kind.stage: made[kind] for kind in made if kind not in (TrainedModel, EmbeddedModel)},
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    """The report alone in a folder."""
    path = tmp_path_factory.mktemp("published") / PublishedModel.REPORT
    path.write_text(report(lineage(), "bert-base-uncased-azure-docs"), encoding="utf-8")
    return path


@pytest.fixture
def opened(file, request):
    """The page in a window of the width that is asked for, what it asked for, and its errors."""
    with empty_page(request.param) as page:
        asked, errors = [], []
        page.on("request", lambda one: asked.append(one.url))
        page.on("console", lambda one: errors.append(one.text))
        page.on("pageerror", lambda one: errors.append(str(one)))
        page.goto(file.as_uri(), wait_until="networkidle")
        yield page, asked, errors


def sides(found) -> tuple[float, float]:
    """Where something begins and ends from left to right, in pixels of the window."""
    box = found.bounding_box()
    return box["x"], box["x"] + box["width"]


@pytest.mark.parametrize("opened", [WIDE, NARROW], indirect=True)
def test_it_needs_nothing_but_its_own_file(opened, file):
    """Nothing else is asked for, not even what its policy would refuse, which is an error of the console."""
    page, asked, errors = opened
    assert asked == [file.as_uri()]
    assert errors == []
    assert page.title() == "bert-base-uncased-azure-docs"


@pytest.mark.parametrize("opened", [WIDE], indirect=True)
def test_it_shows_what_was_measured(opened):
    """The advice, each system's figures of each kind, and what was asked with what was found."""
    page, _, _ = opened
    record = evaluated()
    assert page.locator(".advice").inner_text() == advice(record).replace("`", "")

    table = page.locator("table").first
    kinds = [kind for kind in KINDS if kind in record.retrieval["bm25"]]
    assert set(kinds) == set(KINDS)
    head = [f"{KINDS[kind]} ({MANY:,})" for kind in kinds]
    assert table.locator("thead th").all_inner_texts() == ["nDCG@10", *head]
    systems = systems_of(record)
    assert {"bm25", "mlm_base", "base", "adapted", "retrieval", "hybrid"} <= systems.keys()
    rows = table.locator("tbody tr").all()
    for (name, found), row in zip(systems.items(), rows, strict=True):
        cells = row.locator("td").all_inner_texts()
        assert cells[0] == f"{name} {SYSTEMS[name]}"
        assert [cell.split()[0] for cell in cells[1:]] == [f"{found[kind]['ndcg@10']:.3f}" for kind in kinds]

    assert len(record.samples) == 6
    for sample in record.samples:
        query = page.locator("p", has=page.get_by_text(sample["query"], exact=True)).first
        assert query.is_visible()
        hits = query.locator("xpath=following-sibling::ul[1]/li").all_inner_texts()
        assert [hit.split(":")[0] for hit in hits] == ["before", "after"]
        for hit, when in zip(hits, ("before", "after"), strict=True):
            assert sample[when]["path"] in hit
            assert sample[when]["text"] in hit
    assert page.get_by_text("not measured: general: no general texts are given").is_visible()


@pytest.mark.parametrize("opened", [WIDE], indirect=True)
def test_its_pictures_are_drawn_whole(opened):
    """A dot for each difference, each word within the picture; and both loss curves, which are images."""
    page, _, _ = opened
    picture = page.locator("svg")
    assert picture.is_visible()
    bars = gains(evaluated())
    assert picture.locator("circle").count() == len(bars) > 10
    left, right = sides(picture)
    for words in picture.locator("text").all():
        begins, ends = sides(words)
        assert left <= begins < ends <= right, words.text_content()
    images = page.locator("img").all()
    assert len(images) == 2
    for image in images:
        assert image.is_visible()
        assert image.evaluate("image => image.complete && image.naturalWidth") == 720


@pytest.mark.parametrize("opened", [WIDE], indirect=True)
def test_all_is_seen_on_a_small_screen(opened):
    """Nothing is beyond the window, and nothing must be scrolled sideways."""
    page, _, _ = opened
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDE
    for box in page.locator(".wide").all():
        assert box.evaluate("box => box.scrollWidth - box.clientWidth") == 0
    for cell in page.locator("td, th, svg, img, p, li").all():
        begins, ends = sides(cell)
        assert 0 <= begins < ends <= WIDE
        assert cell.evaluate("cell => cell.scrollWidth <= cell.clientWidth || !cell.clientWidth")


@pytest.mark.parametrize("opened", [NARROW], indirect=True)
def test_a_telephone_scrolls_the_table_and_not_the_page(opened):
    """The table's last column can be had within its own box; all else keeps to the window."""
    page, _, _ = opened
    assert page.evaluate("document.documentElement.scrollWidth") == NARROW
    last = page.locator("table").first.locator("thead th").last
    assert sides(last)[1] > NARROW
    page.locator(".wide").first.evaluate("box => box.scrollTo(box.scrollWidth, 0)")
    assert sides(last)[1] <= NARROW
    for words in page.locator("p, li, h2").all():
        begins, ends = sides(words)
        assert 0 <= begins < ends <= NARROW

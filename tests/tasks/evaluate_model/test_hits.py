"""The queries that are shown are told as they are, those that got worse too."""

from tasks.evaluate_model.hits import SHOWN, Place, sample_hits, shortened
from tasks.retrieval.passages import Queries
from tasks.retrieval.probe import Asked

PLACES = {n: Place(f"page-{n}.md", f"Heading {n}", f"Text of {n}. " * 30) for n in range(40)}
KINDS = ["title", "heading", "anchor", "description"]


def asked(firsts, documents=None):
    """Queries whose answer has their own number, and the first hits of two systems."""
    count = len(firsts)
    queries = Queries(
        [f"query {n}" for n in range(count)],
        [KINDS[n % 4] for n in range(count)],
        [[n] for n in range(count)],
        documents or [f"page-{n}.md" for n in range(count)],
    )
    first = {"base": [before for before, _ in firsts], "retrieval": [after for _, after in firsts]}
    return Asked(queries, first, {}, [])


def sorts(samples):
    """Whether each was right before and after."""
    return [tuple(bool(s[when] and s[when]["right"]) for when in ("before", "after")) for s in samples]


def test_those_that_changed_are_shown_first_and_one_that_got_worse():
    """Of many queries three gained, one lost, one that stayed right and one that stayed wrong."""
    firsts = [(39, n) if n % 2 else (n, n) if n % 4 else (n, 39) if n % 8 else (39, 39) for n in range(32)]
    samples = sample_hits(asked(firsts), "base", "retrieval", PLACES)
    assert sorts(samples) == [(False, True)] * 3 + [(True, False), (True, True), (False, False)]
    assert len({sample["path"] for sample in samples}) == SHOWN
    assert len({sample["kind"] for sample in samples}) > 1
    assert sample_hits(asked(firsts), "base", "retrieval", PLACES) == samples


def test_where_nothing_changed_others_are_shown():
    """All six are of those that there are, and no query twice."""
    samples = sample_hits(asked([(39, 38)] * 9), "base", "retrieval", PLACES)
    assert sorts(samples) == [(False, False)] * 6
    assert len({sample["query"] for sample in samples}) == 6
    assert len(sample_hits(asked([(0, 1)] * 2), "base", "retrieval", PLACES)) == 2


def test_a_document_is_shown_once():
    """However many of its queries gained."""
    samples = sample_hits(asked([(39, n) for n in range(9)], ["a.md"] * 9), "base", "retrieval", PLACES)
    assert [sample["path"] for sample in samples] == ["a.md"]


def test_a_hit_is_told_with_its_place():
    """Path, heading and the beginning of the passage; None where a system found nothing."""
    (sample,) = sample_hits(asked([(-1, 0)]), "base", "retrieval", PLACES)
    assert sample["before"] is None
    assert sample["after"]["system"] == "retrieval"
    assert (sample["after"]["path"], sample["after"]["heading"]) == ("page-0.md", "Heading 0")
    assert sample["after"]["right"] is True
    assert len(sample["after"]["text"]) <= 160
    assert sample["after"]["text"].endswith("…")


def test_a_short_text_stays():
    """One line, and no mark of a cut where nothing was cut."""
    assert shortened("a\n  b") == "a b"
    assert shortened("x" * 300) == "x" * 159 + "…"

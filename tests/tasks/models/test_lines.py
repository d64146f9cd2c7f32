"""A line is one repository and one name, told in the same way by a plan and by what is stored."""

import json
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tasks.models.lines import Line, line_of
from tasks.store.folders import Store
from tasks.store.manifest import Manifest

URL = "https://github.com/MicrosoftDocs/azure-docs"
SOURCES = st.one_of(
    st.text(max_size=80),
    st.builds("https://{}/{}/{}".format, st.sampled_from("ab"), st.text("oO-", min_size=1), st.text("rR.")),
)


def test_a_person_and_a_program_each_have_a_name_for_it() -> None:
    """The name has the repository's and the model's; the slug is safe as a name of a file."""
    line = Line.of([f"{URL}.git"], "bert-azure-docs")
    assert line.name == "MicrosoftDocs/azure-docs · bert-azure-docs"
    assert re.fullmatch(r"azure-docs-bert-azure-docs-[0-9a-f]{10}", line.slug)
    assert Line.of(["handbook", "git@host:o/a.git"], "bert").name == "o/a + handbook · bert"
    assert Line.of(["d", "c", "b", "a"], "bert").name == "a + b + 2 more · bert"


@pytest.mark.parametrize("spelling", [URL, f"{URL}/", f"{URL}.git", f"{URL}.git/"])
def test_spellings_of_a_repository_are_one_line(spelling: str) -> None:
    """What the documents' key takes for one repository is one line."""
    assert Line.of([spelling], "bert") == Line.of([URL], "bert")


@pytest.mark.parametrize(
    "other",
    [Line.of([f"{URL}-pr"], "bert"), Line.of([URL.replace("github", "gitlab")], "bert"),
     Line.of([URL], "Bert"), Line.of([URL, "handbook"], "bert"), Line.of([URL, URL], "bert"),
     Line.of(["azure-docs"], "bert")],
)  # fmt: skip
def test_what_differs_is_another_line(other: Line) -> None:
    """Another repository, host, name or set of sources is another line with another slug."""
    line = Line.of([URL], "bert")
    assert (other == line, other.slug == line.slug) == (False, False)


def test_a_set_of_sources_has_no_order() -> None:
    """However a joint corpus' sources are listed, they are one line."""
    assert Line.of(["b", "a", URL], "bert") == Line.of([URL, "a", "b"], "bert")


@given(st.lists(SOURCES, min_size=1, max_size=5), st.text(max_size=120), st.lists(SOURCES, min_size=1))
def test_every_slug_is_safe_and_its_own(sources: list[str], name: str, others: list[str]) -> None:
    """Whatever names hold, a slug is of lower case letters, digits and dashes, and of one line alone."""
    line = Line.of(sources, name)
    assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?", line.slug)
    assert Line.from_json(json.loads(json.dumps(line.as_json()))) == line
    other = Line.of(others, name)
    assume(other != line)
    assert other.slug != line.slug


@pytest.mark.parametrize("wrong", [{}, {"sources": "a", "model_name": "b"}, {"sources": ["a"]}])
def test_what_is_no_line_is_none(wrong: dict[str, object]) -> None:
    """A pointer of another form names no line."""
    assert Line.from_json(wrong) is None


@pytest.mark.parametrize(
    ("record", "chosen", "summary", "expected"),
    [
        ({"name": "of-the-record"}, None, {"name": "of-the-summary"}, "of-the-record"),
        ({}, "chosen", {"name": "of-the-summary"}, "chosen"),
        ({}, None, {"name": "of-the-summary"}, "of-the-summary"),
        ({}, None, {}, "bert-azure-docs"),
        ({}, None, None, "bert-azure-docs"),
    ],
)
def test_a_stored_model_tells_its_line(tmp_path, record, chosen, summary, expected) -> None:
    """Of this version and of earlier ones: by its record, its settings or its summary, which may be torn."""
    store = Store(str(tmp_path / "store"))
    place = tmp_path / "store" / "models" / "k"
    place.mkdir(parents=True)
    (place / "summary.json").write_text("{" if summary is None else json.dumps(summary))
    manifest = Manifest(
        stage="models", key="k", record=record, settings={"model_name": chosen},
        ancestors={"documents": {"source": f"{URL}.git", "parts": []}},
    )  # fmt: skip
    assert line_of(store, manifest) == Line.of([URL], expected)
    parts = {"documents": {"source": "a+b", "parts": [{"source": "b"}, {"source": "a"}]}}
    joint = Manifest(stage="models", key="k", record={"name": "x"}, ancestors=parts)
    assert line_of(store, joint) == Line.of(["a", "b"], "x")

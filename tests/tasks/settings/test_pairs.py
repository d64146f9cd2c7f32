"""Which pairs of query and passage are mined."""

from pathlib import Path

import pytest

from tests.tasks.pair_documents.corpora import corpus, mined

PAGES = {
    f"{name}.md": f"---\ntitle: Rotate the {name} key\ndescription: How a {name} key is rotated\n---\n"
    f"# Rotate the {name} key\n\nFirst open the {name} vault. Then take a new key from it.\n\n"
    f"## Revoke the old {name} key\n\nSee [all about the master vault](master.md) for the {name} vault.\n"
    for name in ("master", "spare", "house", "car")
}


@pytest.mark.setting("pairs.kinds")
@pytest.mark.parametrize("kind", ["title", "anchor", "heading", "description"])
def test_only_chosen_kinds_are_mined(tmp_path: Path, kind: str) -> None:
    """Each kind by itself."""
    found = mined(corpus(tmp_path, PAGES, {"car.md"}), kinds=[kind])
    assert set(found.counts.by_kind) == {kind}


@pytest.mark.setting("pairs.max_targets")
@pytest.mark.parametrize(("most", "stays"), [(3, False), (4, True)])
def test_a_query_of_more_targets_is_left_out(tmp_path: Path, most: int, stays: bool) -> None:
    """Four pages have the same title."""
    pages = {path: text.replace(path[:-3], "any") for path, text in PAGES.items()}
    pages = {path: f"{text}\nThis is {path}.\n" for path, text in pages.items()}
    found = mined(corpus(tmp_path, pages, set()), kinds=["title"], max_targets=most)
    assert ("Rotate the any key" in found.asked()) is stays


@pytest.mark.setting("pairs.passage_characters")
@pytest.mark.parametrize("most", [100, 150, 1000])
def test_no_passage_is_longer(tmp_path: Path, most: int) -> None:
    """A longer section is cut, and nothing of it is lost."""
    text = "# One\n\n" + " ".join(f"This is sentence number {n} of the section." for n in range(20))
    found = mined(corpus(tmp_path, {"a.md": text}, set()), passage_characters=most)
    longest = max(len(row["text"]) for row in found.passages)
    assert min(most, len(text) - 7) - 60 < longest <= most
    assert " ".join(row["text"] for row in found.passages) == text.partition("\n\n")[2]

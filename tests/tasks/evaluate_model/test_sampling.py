"""A sample of documents follows from their paths, so that runs of a line can be compared."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluate_model.sampling import beginning, read_sample, rough_tokens, tokens_by_path


@pytest.fixture
def file(tmp_path):
    """Thirty documents of different lengths, every third held out."""
    return write(tmp_path, range(30))


def write(folder, numbers):
    """A corpus of some numbered documents."""
    rows = [
        {"path": f"{n}.md", "split": "train" if n % 3 else "eval", "text": f"word{n} " * (10 + n)}
        for n in numbers
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "corpus.parquet")
    return folder / "corpus.parquet"


@pytest.mark.parametrize("most", [5, 100, 300])
def test_a_bound_is_kept(file, most):
    """Documents are whole but for the last, which is cut so that the bound is reached."""
    found = read_sample(file, "eval", most, 0)
    texts = {f"{n}.md": f"word{n} " * (10 + n) for n in range(0, 30, 3)}
    assert all(page.text == texts[page.path] for page in found[:-1])
    assert texts[found[-1].path].startswith(found[-1].text)
    assert most - 2 <= sum(rough_tokens(page.text) for page in found) <= most + 2


def test_without_a_bound_all_are_read(file):
    """Of one side, or of both."""
    assert len(read_sample(file, "eval", None, 0)) == 10
    assert len(read_sample(file, None, None, 0)) == 30
    assert len(read_sample(file, "train", None, 0, documents=7)) == 7
    assert tokens_by_path(file, "eval").keys() == {f"{n}.md" for n in range(0, 30, 3)}


def test_the_order_follows_from_path_and_seed(file, tmp_path):
    """Another document more leaves the others' order, and another seed makes another one."""
    order = [page.path for page in read_sample(file, None, None, 0)]
    assert [page.path for page in read_sample(file, None, None, 1)] != order
    fewer = write(tmp_path, range(29))
    assert [page.path for page in read_sample(fewer, None, None, 0)] == [p for p in order if p != "29.md"]


@given(st.text(), st.floats(0, 50))
def test_a_beginning_is_one(text, tokens):
    """The first words, at least one where there is any, and no more than were asked for."""
    cut = beginning(text, tokens)
    assert text.startswith(cut)
    assert rough_tokens(cut) <= max(2, tokens + 1)
    assert bool(cut.split()) == bool(text.split())

"""The tables are read as they are written."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.retrieval.passages import Passages, distinct, read_passages, read_queries


def test_tables_are_read(tmp_path):
    """Passages with their numbers, and the queries of one side of the split."""
    passages = {"passage": [4, 9], "path": ["a.md", "b.md"], "text": ["one", "two"]}
    pq.write_table(pa.table(passages), tmp_path / "passages.parquet")
    pairs = {
        "query": ["who", "what"],
        "kind": ["title", "anchor"],
        "passages": [[4], [4, 9]],
        "path": ["a.md", "b.md"],
        "split": ["train", "eval"],
    }
    pq.write_table(pa.table(pairs), tmp_path / "pairs.parquet")
    found = read_passages(tmp_path / "passages.parquet")
    assert (found.ids.tolist(), found.texts) == ([4, 9], ["one", "two"])
    queries = read_queries(tmp_path / "pairs.parquet")
    assert (queries.texts, queries.kinds, queries.relevant) == (["what"], ["anchor"], [[4, 9]])
    assert queries.documents == ["b.md"]
    assert read_queries(tmp_path / "pairs.parquet", "train").texts == ["who"]


def test_numbers_that_do_not_rise_are_refused():
    """Equal scores are ranked by them."""
    with pytest.raises(ValueError, match="do not rise"):
        Passages(np.array([1, 1]), ["a", "b"])
    with pytest.raises(ValueError, match="1 numbers of 2 passages"):
        Passages(np.array([1]), ["a", "b"])


def test_equal_texts_share_a_place():
    """In the order in which they first came."""
    texts, places = distinct(["b", "a", "b"])
    assert (texts, places.tolist()) == (["b", "a"], [0, 1, 0])
    assert distinct(["b", "a"]) == (["b", "a"], None)

"""Records survive JSON, and sources have short names."""

import json

import pytest

from tasks.records import Corpus, TokenizedDataset, short_name


def test_a_record_survives_json():
    """What is written into a manifest comes back the same, and unknown members do not hurt."""
    record = Corpus(
        uri="u", key="k", found=3, kept=2, dropped_by_reason={"too_short": 1}, characters=9, eval_documents=1
    )
    values = json.loads(json.dumps(record.as_json())) | {"of_a_later_version": 1}
    assert Corpus.from_json(values) == record


def test_coverage_is_trained_tokens_over_the_documents_tokens():
    """Half of the tokens trained is a coverage of a half; no tokens at all is none."""
    counts = dict.fromkeys(
        ("vocab_size", "max_seq_length", "train_windows", "eval_windows", "eval_tokens"), 1
    )
    record = TokenizedDataset(
        uri="u", key="k", corpus_tokens=12, train_document_tokens=10, train_tokens=5, **counts
    )
    assert record.coverage == 0.5
    empty = TokenizedDataset(
        uri="u", key="k", corpus_tokens=0, train_document_tokens=0, train_tokens=0, **counts
    )
    assert empty.coverage == 0.0


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("https://github.com/MicrosoftDocs/azure-docs.git", "MicrosoftDocs/azure-docs"),
        ("http://127.0.0.1:36897/docs.git", "docs"),
        ("ssh://git@host.example:22/team/docs/", "team/docs"),
        ("git@host.example:team/docs.git", "team/docs"),
        ("azure-management-docs.bundle", "azure-management-docs"),
        ("handbook", "handbook"),
    ],
)
def test_sources_have_short_names(source, expected):
    """Owner and repository of a URL without host, port or suffix; a file's own name."""
    assert short_name(source) == expected

"""The model card: whose documents they are, under which licence, and what the model is called."""

import pytest

from tasks.models.pinned import PinnedModel
from tasks.publish_model.card import Origin, common_license, languages
from tasks.publish_model.settings import PublishSettings
from tasks.records import Corpus


@pytest.mark.parametrize(
    ("found", "named"),
    [
        ([["MIT"]], "mit"),
        ([["other", "MIT"], ["MIT"]], "mit"),
        ([["MIT"], ["Apache-2.0"]], "other"),
        ([["MIT"], []], "other"),
        ([["other"]], "other"),
        ([[], []], None),
    ],
)
def test_one_licence_is_named_where_all_sources_share_it(found, named):
    """The card names a licence only if each source has it, and none where none was found."""
    assert common_license(found) == named


@pytest.mark.parametrize(
    ("base", "source", "chosen", "name"),
    [
        ("google-bert/BERT-base", "https://h/Owner/Docs.git", None, "bert-base-docs"),
        (None, "https://h/owner/docs.git", None, "bert-docs"),
        (None, "a+b+2-more", None, "bert-a-b-2-more"),
        ("x/y", "https://h/o/docs.git", "My-Model", "My-Model"),
    ],
)
def test_a_model_is_named_after_its_base_and_its_documents(base, source, chosen, name):
    """The chosen name, or one that a hub takes."""
    pinned = PinnedModel(
        name=base or "a BERT from scratch",
        fingerprint="f",
        tokenizer_fingerprint="t",
        location=base,
        max_positions=512,
    )
    assert Origin(base=pinned, publish=PublishSettings(model_name=chosen)).model_name(source) == name


@pytest.mark.parametrize(
    ("counts", "named"),
    [
        ({"en": 90, "de": 2, "und": 20}, "en"),
        ({"de": 60, "en": 40}, ["de", "en"]),
        ({"zh": 5}, "zh"),
        ({"und": 5}, None),
        ({}, None),
    ],
)
def test_the_languages_are_those_of_the_documents(counts, named):
    """Those of one document in twenty and more, the most frequent first; none where none is told."""
    corpus = Corpus(
        uri="u",
        key="k",
        found=9,
        kept=9,
        dropped_by_reason={},
        characters=9,
        eval_documents=1,
        languages=counts,
    )
    assert languages(corpus) == named

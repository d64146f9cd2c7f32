"""What a person reads of the probes says what the figures say, and no more."""

from dataclasses import replace

import pytest

from tasks.evaluate_model.card import advice, evaluation_card, probes_table, retrieval_table, samples_listed
from tasks.records import EvaluatedModel


def figures(value, low=0.4, high=0.6):
    """Of one system and kind."""
    return {"ndcg@10": value, "low": low, "high": high, "mrr@10": 0.5, "recall@10": 0.7, "queries": 1234}


def pair(system, over, value, low, high):
    """A difference of all queries."""
    return {"system": system, "over": over, "all": {"ndcg@10": value, "low": low, "high": high}}


RECORD = EvaluatedModel(
    uri="u",
    key="k",
    retrieval={
        "bm25": {"title": figures(0.7), "all": figures(0.55)},
        "base": {"title": figures(0.5), "all": figures(0.45)},
        "retrieval": {"title": figures(0.6), "all": figures(0.58)},
        "hybrid": {"title": figures(0.6), "all": figures(0.6234, 0.58, 0.66)},
        "paired": [
            pair("retrieval", "base", 0.13, 0.05, 0.2),
            pair("hybrid", "bm25", 0.0734, 0.03, 0.11),
        ],
    },
    general={"before": 2.0, "after": 2.5, "difference": 0.5, "low": 0.4, "high": 0.6, "masked_tokens": 9000},
    domain_words={
        "before": 0.2, "after": 0.35, "difference": 0.15, "low": 0.1, "high": 0.2,
        "words": 800, "different_words": 90,
    },
    not_measured={"tags": "there are 0 classes"},
    best="hybrid",
    samples=[
        {
            "query": "rotate a *key*",
            "kind": "title",
            "path": "a|b.md",
            "before": None,
            "after": {
                "system": "retrieval", "path": "k`.md", "heading": "[Keys]", "right": True,
                "text": "<b>Rotate",
            },
        }
    ],
)  # fmt: skip


def with_pairs(*pairs, best="hybrid"):
    """The record with other differences."""
    return replace(RECORD, retrieval={**RECORD.retrieval, "paired": list(pairs)}, best=best)


def test_the_table_has_systems_down_and_kinds_across():
    """The best of each kind is in bold, with its interval."""
    lines = retrieval_table(RECORD).splitlines()
    assert lines[0] == "| nDCG@10 | titles (1,234) | all (1,234) |"
    assert lines[2] == "| `bm25` BM25 (words) | **0.700** (0.40–0.60) | 0.550 (0.40–0.60) |"
    assert lines[5].endswith("| 0.600 (0.40–0.60) | **0.623** (0.58–0.66) |")
    assert len(lines) == 6


def test_the_advice_names_the_system_and_the_gain():
    """In plain sentences, with the interval."""
    assert advice(RECORD) == (
        "To find things use `hybrid`: nDCG@10 0.62 beside BM25's 0.55 (+0.07, 95 % interval 0.03 to 0.11). "
        "The adaptation paid: `retrieval` over the model before: nDCG@10 +0.13, 95 % interval 0.05 to 0.20. "
        "For filling masks: it knows more of the domain's own words (20% → 35%), but its loss on general "
        "text rose by 0.50."
    )


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.01, 0.2, "It was not shown that the adaptation paid, as the interval includes 0"),
        (0.0, 0.2, "It was not shown that the adaptation paid, as the interval includes 0"),
        (-0.2, -0.01, "The adaptation made it worse"),
        (None, None, "One document was asked about, which does not show"),
        (0.01, 0.2, "The adaptation paid:"),
    ],
)
def test_the_advice_says_what_was_not_shown(low, high, said):
    """An interval that includes 0 shows nothing, whatever the mean."""
    assert said in advice(with_pairs(pair("retrieval", "base", 0.1, low, high)))


def test_words_alone_may_be_best():
    """Then nothing else is recommended; without a model before, nothing is said of a gain."""
    said = advice(with_pairs(best="bm25"))
    assert said.startswith("To find things use `bm25`: no model found more (nDCG@10 0.55).")
    assert "is not known: there is no model before" in said


def test_the_adapted_model_is_compared_with_its_own_base():
    """Not with what another model began from."""
    record = with_pairs(pair("adapted", "mlm_base", 0.2, 0.1, 0.3), pair("adapted", "base", -0.2, -0.3, -0.1))
    one = dict(record.retrieval)
    one["adapted"], one["mlm_base"] = one.pop("retrieval"), figures(0.1)
    assert "The adaptation paid: `adapted`" in advice(replace(record, retrieval=one))


def test_texts_are_harmless():
    """Queries, paths and passages are texts, whatever marks they hold."""
    shown = samples_listed(RECORD)
    assert "**rotate a \\*key\\*** (title of `a|b.md`)" in shown
    assert "- before: nothing was found" in shown
    assert "- after: `k'.md`, \\[Keys\\] (right): \\<b\\>Rotate" in shown


def test_the_other_probes_are_in_a_table_and_what_is_missing_below():
    """Each with its figures' own form."""
    shown = probes_table(RECORD)
    assert "9,000 masked tokens | 2.0000 | 2.5000 | +0.5000 (+0.4000 to +0.6000) |" in shown
    assert "800 masked words | 20.0% | 35.0% | +15.0% (+10.0% to +20.0%) |" in shown
    assert shown.endswith("\n\n- not measured: tags: there are 0 classes")
    scratch = {"before": None, "after": 0.5, "difference": None, "low": None, "high": None}
    tags = scratch | {"field": "ms.topic", "classes": 3, "documents": 40}
    assert "ms.topic of 40 documents, 3 classes | – | 50.0% | – |" in probes_table(replace(RECORD, tags=tags))


def test_nothing_measured_is_a_card_too():
    """It says so, and why."""
    reasons = {"retrieval": "no query", "general": "no texts"}
    card = evaluation_card(None, EvaluatedModel(uri="u", key="k", not_measured=reasons))
    assert "No retrieval was measured: no query." in card
    assert "so there is no advice" in card
    assert "- not measured: general: no texts" in card
    assert all(part in evaluation_card(None, RECORD) for part in (advice(RECORD), retrieval_table(RECORD)))

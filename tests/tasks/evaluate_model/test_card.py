"""The artifact of what the models are good for."""

from tasks.evaluate_model.card import evaluation_card
from tasks.records import EvaluatedModel
from tasks.retrieval.told import advice, retrieval_table
from tests.tasks.retrieval.test_told import RECORD


def test_nothing_measured_is_a_card_too():
    """It says so, and why."""
    reasons = {"retrieval": "no query", "general": "no texts"}
    card = evaluation_card(None, EvaluatedModel(uri="u", key="k", not_measured=reasons))
    assert "No retrieval was measured: no query." in card
    assert "so there is no advice" in card
    assert "- not measured: general: no texts" in card
    assert all(part in evaluation_card(None, RECORD) for part in (advice(RECORD), retrieval_table(RECORD)))

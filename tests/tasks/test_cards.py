"""Tables, text and code in the Markdown that the Prefect UI shows."""

from tasks.cards import code, figures_table, text
from tasks.records import TrainedModel


def test_text_and_code_hold_any_characters():
    """Line breaks, pipes and unprintable characters do not break a table."""
    assert text("a\n| b") == "a \\| b"
    assert code("a\n\x00b") == "`a��b`"


def test_without_held_out_documents_the_training_loss_is_told():
    """A run that evaluates nothing still says how it ended."""
    trained = TrainedModel(
        uri="u", key="k", global_step=1, resumed_from_step=0, tokens_per_second=1.0, loss=2.5,
        eval_before=None, eval_after=None, device="cpu", history=[], fill_samples=[],
    )  # fmt: skip
    assert "2.5000" in figures_table(trained)

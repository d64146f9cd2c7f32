"""The training's cards: masked sentences, before and after."""

from tasks.train_model.card import masks_card


def test_masks_are_shown_around_the_mask():
    """A long text is cut around its mask, markup in it is plain text, and a right guess is bold."""
    long = "x " * 200 + "see the [MASK] | **here** " + "y " * 200
    card = masks_card([{"text": long, "answer": "portal", "before": ["the", "*"], "after": ["portal", "a"]}])
    assert "\\[MASK\\]" in card
    assert "\\*\\*here\\*\\*" in card
    assert len(card.splitlines()[0]) < 140
    assert "before: `the`, `*`; after: **`portal`**, `a`" in card
    assert "No documents were held out" in masks_card([])

"""Dropout as a training is asked to have it; what is saved keeps the checkpoint's own rates."""

DROPOUTS = {
    "attention_dropout": ("attention_probs_dropout_prob", "attention_dropout"),
    "hidden_dropout": ("hidden_dropout_prob", "dropout"),
}
"""What model families call their dropout rates: BERT's name, then DistilBERT's and ModernBERT's."""


def set_dropout(config: object, **rates: float | None) -> dict[str, float]:
    """Set a configuration's dropout rates, and return those that it had.

    Args:
        rates: by the names of `DROPOUTS`; None keeps the checkpoint's.
    """
    own = {}
    for kind, rate in rates.items():
        for name in DROPOUTS[kind]:
            if rate is not None and hasattr(config, name):
                own[name] = getattr(config, name)
                setattr(config, name, rate)
    return own

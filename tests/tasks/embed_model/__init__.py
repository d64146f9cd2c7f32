"""A retrieval model, trained on pairs."""

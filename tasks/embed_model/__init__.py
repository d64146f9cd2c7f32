"""A retrieval model, trained on pairs of query and passage."""

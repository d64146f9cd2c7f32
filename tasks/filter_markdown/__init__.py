"""Stage 2: which documents are worth learning from, and their words."""

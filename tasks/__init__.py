"""The rooms of docs-mlm: what a stage is, the stages themselves, and what they have in common."""

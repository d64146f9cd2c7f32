"""An index of a published model's documents, which `docs-mlm search` reads."""

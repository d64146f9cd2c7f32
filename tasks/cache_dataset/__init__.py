"""Stage 3: the corpus as a Hugging Face dataset."""

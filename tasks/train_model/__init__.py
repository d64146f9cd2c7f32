"""Stage 5: a masked language model, trained on the windows."""

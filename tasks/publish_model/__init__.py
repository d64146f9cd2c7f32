"""Stage 6: the version that anyone can load."""

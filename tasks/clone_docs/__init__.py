"""Stage 1: the bytes of every document at one commit."""

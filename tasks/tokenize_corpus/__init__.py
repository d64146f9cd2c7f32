"""Stage 4: texts as windows of tokens."""

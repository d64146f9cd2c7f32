"""Stage 4: texts become windows of tokens.

`cutting` finds the best places for cuts, `windows` makes the table of windows, `wordpiece` trains a
tokenizer for a model from scratch, `stage` does it for a corpus.
"""

from tasks.tokenize_corpus.stage import tokenize_corpus

__all__ = ["tokenize_corpus"]

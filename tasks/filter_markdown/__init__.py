"""Stage 2: from raw bytes to a corpus of clean texts.

`decoding` reads bytes, `cleaning` (with `docfx`, `html_text` and `layout`) takes markup away, `judging` keeps
or drops one document, `dropping` compares them all, `stage` writes the corpus.
"""

from tasks.filter_markdown.stage import filter_markdown

__all__ = ["filter_markdown"]

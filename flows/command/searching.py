"""What `docs-mlm search` prints: for each hit its place, the sentence that matched, and where to read it."""

import re

from rich.text import Text

from flows.command.display import OUT, print_json
from tasks.index_documents.choosing import evaluation
from tasks.index_documents.searching import AUTO, Found, Searchable
from tasks.retrieval.bm25 import words_of

WAYS = {
    "bm25": "By words (BM25)",
    "dense": "By meaning (the model's vectors)",
    "hybrid": "By words and by meaning (hybrid)",
}
"""How each mode searches, in a person's words."""


def show_found(asked: Searchable, query: str, found: list[Found], mode: str, chosen: str) -> None:
    """The hits for a person, best first, and how they were found where the probe chose that.

    Args:
        mode: how it was searched.
        chosen: what was typed: a mode, or `auto`.
    """
    if chosen == AUTO:
        OUT.print(Text(f"{WAYS[mode]}: {why(asked)}", "dim"), soft_wrap=True)
        OUT.print()
    if not found:
        OUT.print(f"Nothing in {asked.record.source} has one of these words.")
        return
    width = len(str(len(found)))
    for rank, hit in enumerate(found, 1):
        place = f"{hit.path} › {hit.heading}" if hit.heading else hit.path
        OUT.print(Text.assemble(f"{rank:>{width}}  ", (OUT.writable(place), "cyan")), soft_wrap=True)
        indent = " " * (width + 2)
        OUT.print(Text(indent) + with_words(OUT.writable(hit.text), query), soft_wrap=True)
        if hit.url is not None:
            OUT.print(Text(indent) + Text(OUT.writable(hit.url), f"dim link {hit.url}"), soft_wrap=True)


def show_json(found: list[Found]) -> None:
    """The hits for a program: a list."""
    print_json([hit.as_json() for hit in found])


def why(asked: Searchable) -> str:
    """Why `auto` searches as it does."""
    if evaluation(asked.model) is not None:
        return "the probe found it best here"
    if asked.record.model is None:
        return "this model has no retrieval model"
    return "no probe has measured what is best here"


def with_words(text: str, query: str) -> Text:
    """A sentence in which the query's words are bold."""
    shown = Text(" ".join(text.split()))
    for word in dict.fromkeys(words_of(query)):
        shown.highlight_regex(re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE), "bold")
    return shown

"""A page as it comes out, with its code between marks."""

from tasks.filter_markdown.cleaning import clean_text


def shown(page: str, *dialects: str) -> str:
    """The cleaned text, code blocks between `<<` and `>>`; of the dialects alone, where some are named."""
    cleaned = clean_text(page, dialects=dialects or None)
    text, end, parts = cleaned.text, 0, []
    for start, stop in cleaned.code_spans:
        parts += (text[end:start], "<<", text[start:stop], ">>")
        end = stop
    return "".join((*parts, text[end:]))

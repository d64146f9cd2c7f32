"""Which builders' rules one document is read by: those that are chosen and whose marks it has."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tasks.filter_markdown.attributes import without_attributes, without_heading_id
from tasks.filter_markdown.blocks import Page
from tasks.filter_markdown.dialects.dialect import Dialect, line_pattern
from tasks.filter_markdown.html_text import closed_tags
from tasks.filter_markdown.tags import SUBSCRIPT, SUPERSCRIPT, scripts
from tasks.filter_markdown.templates import OPEN, Templates

_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
"""Soft hyphens, zero-width spaces and joiners, which would cut a word in two tokens."""
_GUARD = re.compile("\0([0-9]+)\0")
SPECIAL = re.compile(rf"[:\[{{@+=^~{OPEN}]")
"""What a mark of a builder has; code without any needs no guard."""
_ROLE = re.compile(r"\{([A-Za-z][\w:.+-]*)\}\0([0-9]{1,9})\0")
_DEFINITION = r":[ \t]"
_ATTRIBUTES = re.compile(r"\{(?::|[ \t]*[#.][\w:.-]|[^{}\n]*=)")


@dataclass(slots=True)
class Rules:
    """What is done to the words of one document."""

    source: str
    """What is parsed: template tags put aside, builders' blocks rewritten."""
    templates: Templates
    texts: tuple[Callable[[str], str], ...] = ()
    role: Callable[[str, str], str] | None = None
    reference: Callable[[str], str] = str
    """The name that an address of an API's documentation is read as."""
    attributes: bool = False
    definitions: bool = False
    """Whether there may be a definition list."""
    touches: bool = False
    """Whether anything is done to words, and code among them must be kept out of reach."""
    only_change: Callable[[str], str] | None = None
    """What is done to words, where it is one thing alone."""
    guarded: list[str] = field(default_factory=list)
    """Code in the block that is being read, out of the marks' reach."""
    _closed: frozenset[str] | None = None

    def is_closed(self, name: str) -> bool:
        """Whether the document has a closing tag of that name."""
        if self._closed is None:
            self._closed = closed_tags(self.source)
        return name in self._closed

    def guard(self, code: str) -> str:
        """What stands for code of a sentence until the marks around it are gone."""
        if self.templates.found:
            code = self.templates.written(code)
        self.guarded.append(code)
        return f"\0{len(self.guarded) - 1}\0"

    def applied(self, text: str, *, heading: bool = False) -> str:
        """A block's words as a reader sees them."""
        if self.role and "}\0" in text:
            text = _ROLE.sub(self._in_role, text)
        for change in self.texts:
            text = change(text)
        if self.attributes:
            text = without_heading_id(text) if heading else without_attributes(text)
        if self.templates.found:
            text = self.templates.read(text)
        return self.unguarded(text) if self.guarded else text

    def unguarded(self, text: str) -> str:
        """Words with the code back in its places."""
        return _GUARD.sub(self._unguarded, text)

    def visible(self, text: str) -> str:
        """Words without characters that nobody sees, and with raised and lowered ones told apart."""
        text = text.translate(_INVISIBLE)
        return scripts(text) if SUPERSCRIPT in text or SUBSCRIPT in text else text

    def _in_role(self, mark: re.Match[str]) -> str:
        number = int(mark[2])
        if self.role and number < len(self.guarded):
            self.guarded[number] = self.role(mark[1].lower(), self.guarded[number])
        return f"\0{number}\0"

    def _unguarded(self, mark: re.Match[str]) -> str:
        # An address may hold such a mark of its own, `%007%00`, with a number of any length.
        number = mark[1].lstrip("0") or "0"
        known = len(number) < 9 and int(number) < len(self.guarded)
        return self.guarded[int(number)] if known else mark[0]


def rules_for(source: str, chosen: Iterable[Dialect]) -> Rules:
    """The rules for a document without its front matter."""
    dialects = tuple(chosen)
    concerned = [dialect for dialect in dialects if dialect.concerns(source)]
    lined = "\n" + source
    readers = []
    marked = line_pattern(dialects, _DEFINITION).search(lined) is not None
    if marked:
        of_lines = [dialect for dialect in dialects if line_pattern((dialect,)).search(lined)]
        readers = [dialect.blocks for dialect in of_lines if dialect.blocks]
        concerned = [dialect for dialect in dialects if dialect in concerned or dialect in of_lines]
    templates = Templates()
    for dialect in concerned:
        if dialect.templates:
            source = templates.put_aside(source, dialect.templates)
    if readers or templates.found:
        source = Page(source, templates).rewritten(readers)
    attributes = bool(dialects) and "}" in source and _ATTRIBUTES.search(source) is not None
    role = next((dialect.role for dialect in concerned if dialect.role), None)
    texts = tuple(dialect.text for dialect in concerned if dialect.text)
    return Rules(
        source=source,
        templates=templates,
        texts=texts,
        role=role,
        reference=next((dialect.reference for dialect in dialects if dialect.reference), str),
        attributes=attributes,
        definitions=marked
        and ":::" not in source
        and line_pattern((), _DEFINITION).search(source) is not None,
        only_change=texts[0] if len(texts) == 1 and not (role or attributes or templates.found) else None,
        touches=bool(texts or attributes or templates.found),
    )

"""The lines of a document before they are parsed, as the builders read them: where their blocks are.

Builders add blocks that Markdown takes for text or for code: admonitions whose content is indented,
containers between colons, directives in fences. Here every line is told apart as Markdown tells it (fence,
indented code, HTML that goes on until a mark of its own, list item, quote), in one pass; a builder's reader
is asked about the lines that are neither code nor HTML, and says what they become. What stands in a block
that it opens is moved to the left, so that the parser finds the prose, lists and fences that a reader of the
page sees.
"""

import re
from collections.abc import Callable, Iterable

from tasks.filter_markdown.frames import Fence, Frame, is_fence_end, quote_marks, shifted
from tasks.filter_markdown.templates import ONLY_MARKS, OPEN, Template, Templates

DEEPEST = 32
"""Blocks in each other; what is deeper stays as it is."""
MOST_ITEMS = 32
"""List items that begin on one line, each in the other."""
_ITEM = re.compile(r"(?:[-*+]|[0-9]{1,9}[.)])(?:[ \t]{1,4}(?=\S)|[ \t]*\Z)")
_FENCE = re.compile(r"(`{3,}+|~{3,}+)(.*)")
_RAW = (("<!--", "-->"), ("<pre", "</pre>"), ("<script", "</script>"), ("<style", "</style>"))
"""HTML that Markdown reads on to a mark of its own, blank lines and all."""
_RULE = re.compile(r"(?:(?:\*[ \t]*+){3,}|(?:-[ \t]*+){3,}|(?:_[ \t]*+){3,})\Z")
_NEW = re.compile(r"[-*+#<>|:=!?/{%`~]|[0-9]{1,9}[.)]")
"""What a line may begin with that goes on with no paragraph of a list item above it."""
_WHOLE = re.compile(rf"#{{1,6}}(?:[ \t]|\Z)|=++[ \t]*+\Z|{_RULE.pattern}")
"""A heading, what is below one, or a rule: no paragraph goes on after it."""
_LONGEST_FENCE = 50


class Page:
    """A document that is read line by line; a reader of blocks is called with it, and uses what is public."""

    def __init__(self, source: str, templates: Templates) -> None:
        self.source = source
        self.text = ""
        """The present line, from its first character on."""
        self.indent = 0
        """The columns before it, in its block."""
        self.begins = True
        """Whether a blank line, or nothing, is before it."""
        self.notes: set[str] = set()
        """What readers remember of the page."""
        self._templates = templates
        self._lines = source.split("\n")
        self._at = 0
        self._out: list[str] = []
        self._lead = self._margin = ""
        self._quotes = self._column = 0
        self._frames: list[Frame] = []
        self._items: list[int] = []
        self._fence: Fence | None = None
        self._raw = ""
        self._code = False
        self._last: dict[str, int] = {}

    def rewritten(self, readers: Iterable[Callable[["Page"], bool]]) -> str:
        """The source as Markdown without the builders' blocks."""
        asked = tuple(readers)
        while self._at < len(self._lines):
            self._read_line(asked)
            self._at += 1
        return "\n".join(self._out)

    # What a reader of blocks may do with the line it is asked about.

    def say(self, text: str) -> None:
        """Put a paragraph in the line's place; nothing where it has no words."""
        if not text:
            self._out.append(self._lead.rstrip() or self._margin)
        elif self._lead.strip(" \t>"):  # behind a list's mark
            self._out += (self._lead + text, self._margin)
        else:
            self._out += (self._margin, self._lead + text, self._margin)

    def enter(self, columns: int) -> None:
        """The lines that follow belong to the block while they are indented by so many columns more."""
        column = self._column + columns
        self._push(Frame(self._quotes, self._column, column, columns))

    def enclose(self, ends: Callable[[str], bool], *, dedent: bool = False) -> None:
        """The lines that follow belong to the block up to one for which `ends` is true, which goes."""
        required = self._frames[-1].required if self._frames else 0
        self._push(Frame(self._quotes, self._column, required, None if dedent else 0, ends))

    def fence(self, ends: Callable[[str], bool], info: str = "") -> None:
        """The lines that follow are code, up to one for which `ends` is true, which goes."""
        longest = max(map(len, re.findall("~{3,}", self.source)), default=2)
        if longest < _LONGEST_FENCE:
            mark = "~" * (longest + 1)
            self._out += (self._margin, f"{self._lead}{mark}{info}")
            offset, ended = self._items[-1] if self._items else 0, self._margin + " " * self.indent + mark
            self._fence = Fence(ends, offset, ended, self._quotes, made=True)

    def following(self, ahead: int = 1) -> str | None:
        """A line further on without its indent, the next one or so many `ahead`; None where there is none."""
        place = self._at + ahead
        return self._lines[place].strip() if place < len(self._lines) else None

    def skip(self, lines: int = 1) -> None:
        """Leave the next lines out."""
        self._at += lines

    def comes_later(self, line: str) -> bool:
        """Whether a line matches the pattern `line` after this one."""
        if line not in self._last:
            ends = [found.start() for found in re.finditer(line, self.source, re.MULTILINE)]
            self._last[line] = self.source.count("\n", 0, ends[-1]) if ends else -1
        return self._last[line] > self._at

    # The lines.

    def _push(self, frame: Frame) -> None:
        if len(self._frames) < DEEPEST:
            self._frames.append(frame)

    def _read_line(self, readers: tuple[Callable[["Page"], bool], ...]) -> None:
        line = self._lines[self._at]
        margin, rest = "", line
        if ">" in line and (quoted := quote_marks(self._fence.quotes if self._fence else None).match(line)):
            margin, rest = quoted[0], line[quoted.end() :]
        text = rest.lstrip(" \t")
        if self._raw:
            self._read_raw(line, rest, text)
            return
        if not text.strip():
            self._out.append(line if self._fence else margin)
            self.begins = True
            return
        before = len(rest) - len(text)
        self._column = len(rest[:before].expandtabs(4)) if "\t" in rest[:before] else before
        self._margin = margin
        self._leave(margin.count(">"))
        shift = self._shift()
        self.indent = max(0, self._column - shift)
        if self._fence and self._in_fence(self._fence, line, margin, text, shift):
            return
        self.begins = self._block(line, margin, text, shift, readers)

    def _leave(self, quotes: int) -> None:
        """End what ends because the line stands further to the left, or in another quote."""
        frames, left = self._frames, False
        if quotes < self._quotes and self._fence and not frames:
            self._fence, self.begins = None, True
        while frames and (frames[-1].quotes > quotes or frames[-1].required > self._column):
            frames.pop()
            left = True
        if left:
            if self._fence:
                self._out.append(self._fence.mark)
                self._fence = None
            self._out.append("")
            self._code, self.begins = False, True
        if quotes != self._quotes:
            self._quotes, self._items = quotes, []

    def _shift(self) -> int:
        if not self._frames:
            return 0
        top = self._frames[-1]
        if top.shift is None:
            top.shift = max(0, self._column - top.column)
        return sum(frame.shift or 0 for frame in self._frames)

    def _in_fence(self, fence: Fence, line: str, margin: str, text: str, shift: int) -> bool:
        if self.indent < fence.offset:
            self._fence, self.begins = None, True
            return False
        ended = fence.ends(text)
        if ended:
            self._fence = None
        self.begins = ended
        if ended and fence.made:
            self._out.append(fence.mark)
        elif shift:
            self._out.append(margin + shifted(line[len(margin) :], shift))
        else:
            self._out.append(line)
        return True

    def _block(
        self, line: str, margin: str, text: str, shift: int, readers: tuple[Callable[["Page"], bool], ...]
    ) -> bool:
        """Read a line that is in no fence; whether a new block begins after it, whatever follows."""
        items = self._items
        while items and self.indent < items[-1] and (self.begins or _NEW.match(text)):
            items.pop()
        in_item = items[-1] if items else 0
        self._code = self.indent - in_item >= 4 and (self.begins or self._code)
        if self._code:
            self._out.append(margin + " " * self.indent + text if shift else line)
            return False
        lead = margin + " " * self.indent
        if not _RULE.match(text):
            lead, text = self._behind_items(lead, text)
        self.text, self._lead = text.rstrip(), lead
        if self._ended() or self._templates_alone() or any(reader(self) for reader in readers):
            return True
        self._open_raw(text)
        opening = _FENCE.match(text)
        if opening and not (opening[1][0] == "`" and "`" in opening[2]):
            mark = opening[1]
            ended = margin + " " * self.indent + mark
            self._fence = Fence(
                lambda end: is_fence_end(end, mark), items[-1] if items else 0, ended, self._quotes
            )
        self._out.append(lead + text if shift or lead.strip(" \t>") else line)
        return _WHOLE.match(text) is not None

    def _behind_items(self, lead: str, text: str) -> tuple[str, str]:
        """What stands before and behind the marks of list items that begin on a line."""
        for _ in range(MOST_ITEMS):
            item = _ITEM.match(text)
            if item is None or self.indent - (self._items[-1] if self._items else 0) >= 4:
                break
            lead, text = lead + item[0], text[item.end() :]
            self.indent += item.end()
            self._column += item.end()
            self._items.append(self.indent + (not text))
        return lead, text

    def _ended(self) -> bool:
        """Whether the line ends a block that is open, and those within it."""
        for place in range(len(self._frames) - 1, -1, -1):
            ends = self._frames[place].ends
            if ends and ends(self.text):
                del self._frames[place:]
                self.say("")
                return True
        return False

    def _templates_alone(self) -> bool:
        """Read a line of nothing but templates: they stand beside the prose, not in it."""
        if not self.text.startswith(OPEN) or not ONLY_MARKS.fullmatch(self.text):
            return False
        opened: Template | None = None
        shown = []
        for template in self._templates.in_line(self.text):
            shown.append(template.shown)
            if template.pair >= 0 and not template.is_ended_by(self.text):
                opened = template
        self.say(" ".join(filter(None, shown)))
        if opened and opened.code:
            self.fence(opened.is_ended_by)
        elif opened:
            self.enclose(opened.is_ended_by, dedent=opened.dedent)
        return True

    def _open_raw(self, text: str) -> None:
        if text.startswith("<"):
            lower = text[:8].lower()
            for opening, closing in _RAW:
                if lower.startswith(opening) and closing not in text.lower()[4:]:
                    ends = re.escape(closing)
                    self._raw = closing if self.comes_later(f"(?i:{ends})") else ""

    def _read_raw(self, line: str, rest: str, text: str) -> None:
        if self._raw in text.lower():
            self._raw = ""
        self._out.append(line)
        self.begins = False

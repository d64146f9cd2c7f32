"""Queries: what two of them have in common, and which say too little to find anything by."""

import re
import unicodedata
from hashlib import blake2b

_WORDS = re.compile(r"\w+(?:\+\+|#)?")
"""`C++` and `C#` are words of their own."""
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
"""Letters of scripts that put no space between words."""
_GENERIC = """
syntax|usage|example|examples|example N|examples N|see also|next step|next steps|what's next|whats next
prerequisite|prerequisites|requirements|overview|introduction|about|summary|conclusion|description|details
notes|note|remarks|parameters|arguments|options|flags|inputs|outputs|input|output|properties|methods|fields
attributes|return value|return values|returns|request|requests|response|responses|request body
request headers|response body|headers|header|body|uri parameters|status codes|response codes|error codes
errors|related|related content|related links|related articles|related topics|related information
related resources|references|reference|resources|additional resources|further reading|more information
learn more|read more|links|contents|table of contents|toc|index|installation|install|setup|getting started
get started|before you begin|quickstart|quick start|tutorial|configuration|configure|settings|limitations
current limitations|known issues|known limitations|known problems|troubleshooting|troubleshoot|faq
frequently asked questions|support|get help|help|contact|contact us|feedback|contributing|contribute|license
licence|credits|authors|acknowledgements|acknowledgments|changelog|change log|release notes|what's new
new features|new features and enhancements|features|fixed|fixes|bug fixes|improvements|breaking changes
deprecated|deprecations|changes|added|removed|security|architecture|background|motivation|goals|non goals
clean up|clean up resources|cleanup|deploy|deployment|test|tests|testing|verify|validation|step N|steps
part N|version N|vN|home|documentation|docs|untitled|readme|linux|windows|macos|azure cli|azure portal
azure powershell|powershell|portal|cli|bash|python|java|javascript|go|code|sample|samples|sample code
source code|terms|glossary
""".replace("\n", "|")
_POINTING = """
here|this|this page|this article|this document|this guide|this link|this section|this tutorial|this topic
this post|this repository|this repo|this example|this file|this issue|the documentation|the docs
documentation|click here|see here|link|the link|page|article|guide|more|read more|learn more|see more
more info|more information|more details|details|below|above|following|the following|previous|next|next page
previous page|back|back to top|top|go back|home|see this|download|download here|start here|go here
find out more|official documentation|official docs|see documentation|documentation here|found here
available here|listed here|described here|as described here|edit|edit this page|source|view source|try it
try it out|watch the video|video|see the documentation|see the docs|section|the section below
""".replace("\n", "|")


def normalised(query: str) -> str:
    """A query without differences of case, white space and punctuation."""
    return " ".join(_WORDS.findall(unicodedata.normalize("NFKC", query).casefold()))


def digest(query: str) -> int:
    """64 bits that are equal for equal normalised queries."""
    hashed = blake2b(query.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(hashed, "little")


def why_generic(query: str) -> str | None:
    """Why a normalised query of any kind finds nothing in particular, or None."""
    if not query:
        return "no_words"
    return "generic" if _numberless(query) in GENERIC else None


def why_no_anchor(query: str) -> str | None:
    """Why a link's normalised words say too little of what it leads to, or None."""
    if query in POINTING:
        return "pointing_anchor"
    if " " not in query and not (len(query) > 3 and _UNSPACED.search(query)):
        return "one_word_anchor"
    return None


def _numberless(query: str) -> str:
    return re.sub(r"\d+", "n", query)


GENERIC = frozenset(_numberless(normalised(words)) for words in _GENERIC.split("|") if words)
"""Headings and titles that stand in any documentation, normalised, `n` for a number."""
POINTING = frozenset(normalised(words) for words in _POINTING.split("|") if words)
"""Words of links that point and do not name, normalised."""

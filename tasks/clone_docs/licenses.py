"""Which licence a repository's documents are under, guessed from its licence files."""

import re
from collections.abc import Iterable

NAMES = re.compile(rb"(?:LICEN[CS]E|COPYING)(?:[._-][^/]*)?", re.IGNORECASE)
"""Names of licence files at the top of a repository."""

# In this order: the first that matches is the file's licence.
_PHRASES: tuple[tuple[str, str], ...] = (
    ("CC-BY-SA-4.0", r"attribution-sharealike 4\.0 international|licenses/by-sa/4\.0"),
    ("CC-BY-4.0", r"(?<!non)attribution 4\.0 international|licenses/by/4\.0"),
    ("CC0-1.0", r"cc0 1\.0 universal|publicdomain/zero/1\.0"),
    ("Apache-2.0", r"apache license,? version 2\.0"),
    ("MPL-2.0", r"mozilla public license,? (?:version|v\.) ?2\.0"),
    ("AGPL-3.0", r"gnu affero general public license,? version 3"),
    ("LGPL-3.0", r"gnu lesser general public license,? version 3"),
    ("LGPL-2.1", r"gnu lesser general public license,? version 2\.1"),
    ("GPL-3.0", r"gnu general public license,? version 3"),
    ("GPL-2.0", r"gnu general public license,? version 2"),
    ("Unlicense", r"free and unencumbered software released into the public domain"),
    ("BSD-3-Clause", r"redistribution and use in source and binary forms.*neither the names? of"),
    ("BSD-2-Clause", r"redistribution and use in source and binary forms"),
    ("MIT", r"permission is hereby granted, free of charge, to any person obtaining a copy"),
)


def license_of(text: bytes) -> str:
    """The SPDX identifier of a licence's text, or `other`."""
    words = " ".join(text.decode("utf-8", "replace").lower().split())
    return next((name for name, phrase in _PHRASES if re.search(phrase, words)), "other")


def licenses_of(texts: Iterable[bytes]) -> list[str]:
    """The licences of all the texts, each once, sorted."""
    return sorted({license_of(text) for text in texts})

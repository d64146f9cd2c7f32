"""Guessing licences."""

import pytest

from tasks.clone_docs.licenses import NAMES, license_of, licenses_of


@pytest.mark.parametrize(
    ("text", "spdx"),
    [
        ("Attribution 4.0 International\n\n====", "CC-BY-4.0"),
        ("Creative Commons Attribution-ShareAlike 4.0 International", "CC-BY-SA-4.0"),
        ("see https://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
        ("Attribution-NonCommercial 4.0 International", "other"),
        ("Creative Commons Attribution-NoDerivatives 4.0 International", "other"),
        ("CC0 1.0 Universal", "CC0-1.0"),
        ("        Apache License\n   Version 2.0, January 2004", "Apache-2.0"),
        ("Mozilla Public License Version 2.0", "MPL-2.0"),
        ("GNU GENERAL PUBLIC LICENSE\n Version 3, 29 June 2007", "GPL-3.0"),
        ("GNU GENERAL PUBLIC LICENSE\n Version 2, June 1991", "GPL-2.0"),
        ("GNU LESSER GENERAL PUBLIC LICENSE\n Version 2.1", "LGPL-2.1"),
        ("This is free and unencumbered software released\ninto the public domain.", "Unlicense"),
        ("Permission is hereby granted, free of charge,\nto any person obtaining a copy", "MIT"),
        ("Redistribution and use in source and binary forms", "BSD-2-Clause"),
        ("Redistribution and use in source and binary forms, … Neither the name of X", "BSD-3-Clause"),
        ("All rights reserved.", "other"),
        ("", "other"),
    ],
)
def test_well_known_licences_are_recognised(text: str, spdx: str) -> None:
    """A licence's own words give its SPDX identifier; anything else is `other`."""
    assert license_of(text.encode()) == spdx


def test_licences_are_listed_once() -> None:
    """Two files of one licence are one licence."""
    assert licenses_of([b"CC0 1.0 Universal", b"CC0 1.0 Universal", b"x"]) == ["CC0-1.0", "other"]


@pytest.mark.parametrize(
    ("name", "is_license"),
    [(b"LICENSE", True), (b"License.md", True), (b"LICENSE-CODE", True), (b"COPYING.LESSER", True),
     (b"LICENCE", True), (b"LICENSES/x", False), (b"docs/LICENSE", False), (b"licensing.md", False)],
)  # fmt: skip
def test_licence_files_are_at_the_top(name: bytes, is_license: bool) -> None:
    """Only the usual names, at the top of the repository, count as its licence."""
    assert bool(NAMES.fullmatch(name)) is is_license

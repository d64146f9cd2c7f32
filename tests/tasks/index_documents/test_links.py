"""A document's page on its host, at a commit and a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.index_documents.links import link

SHA = "0123456789abcdef0123456789abcdef01234567"
GITHUB = f"https://github.com/owner/docs/blob/{SHA}/a/b.md?plain=1#L7"
AZURE = (
    f"https://dev.azure.com/org/A%20project/_git/docs?path=/a/b.md&version=GC{SHA}"
    "&line=7&lineEnd=8&lineStartColumn=1&lineEndColumn=1&_a=contents"
)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("https://github.com/owner/docs.git", GITHUB),
        ("https://github.com/owner/docs/", GITHUB),
        ("git@github.com:owner/docs.git", GITHUB),
        ("ssh://git@github.com:22/owner/docs.git", GITHUB),
        (
            "https://github.example.org:8443/owner/docs",
            f"https://github.example.org:8443/owner/docs/blob/{SHA}/a/b.md?plain=1#L7",
        ),
        (
            "https://gitlab.com/group/inner/docs.git",
            f"https://gitlab.com/group/inner/docs/-/blob/{SHA}/a/b.md?plain=1#L7",
        ),
        (
            "git@gitlab.example.org:group/docs.git",
            f"https://gitlab.example.org/group/docs/-/blob/{SHA}/a/b.md?plain=1#L7",
        ),
        ("https://bitbucket.org/team/docs.git", f"https://bitbucket.org/team/docs/src/{SHA}/a/b.md#lines-7"),
        ("https://dev.azure.com/org/A%20project/_git/docs", AZURE),
        ("git@ssh.dev.azure.com:v3/org/A%20project/docs", AZURE),
        (
            "https://org.visualstudio.com/project/_git/docs",
            AZURE.replace("dev.azure.com/org/A%20project", "org.visualstudio.com/project"),
        ),
        ("https://dev.azure.com/org/project", None),
        ("https://example.org/owner/docs.git", None),
        ("https://notgithub.com/owner/docs.git", None),
        ("file:///srv/github.com/docs", None),
        ("/srv/docs", None),
        ("docs", None),
        ("docs.bundle", None),
        ("https://github.com:bad/owner/docs", None),
        ("https://github.com", None),
    ],
)
def test_each_host_has_its_own_pages(source, expected):
    """In whatever way Git was told the repository; what is no known host has no link."""
    assert link(source, SHA, "a/b.md", 7) == expected


def test_without_a_line_a_link_leads_to_the_file():
    """And without a commit of Git's there is none."""
    assert link("https://github.com/o/d", SHA, "a.md") == f"https://github.com/o/d/blob/{SHA}/a.md"
    assert link("https://dev.azure.com/o/p/_git/d", SHA, "a.md") == (
        f"https://dev.azure.com/o/p/_git/d?path=/a.md&version=GC{SHA}&_a=contents"
    )
    assert link("https://github.com/o/d", f"sha256:{SHA}", "a.md", 1) is None


@given(st.text(), st.text(min_size=1))
def test_a_link_is_one_word_of_ascii(source, path):
    """Whatever a source or a path is called, it can be printed and clicked."""
    for url in (link(source, SHA, path, 3), link(f"https://github.com/{source}", SHA, path, 3)):
        assert url is None or (url.isascii() and not any(sign.isspace() for sign in url))

"""Links lead where the builders have them lead."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.pair_documents.links import Documents, split_target

PATHS = [
    "README.md",
    "docs/index.md",
    "docs/guide/index.md",
    "docs/guide/install.md",
    "docs/guide/install/more.md",
    "docs/guide/a b.md",
    "docs/guide/use.mdx",
    "docs/ref/_index.md",
    "docs/ref/api.markdown",
    "docs/ref/README.md",
    "docs/ref/page.html",
    "docs/deep/er/most.md",
]
HERE = "docs/guide/install.md"


@pytest.mark.parametrize(
    ("path", "target", "found"),
    [
        # relative to the file: Git hosts, DocFX, MkDocs, Docusaurus
        (HERE, "use.mdx", "docs/guide/use.mdx"),
        (HERE, "./use.mdx", "docs/guide/use.mdx"),
        (HERE, "a%20b.md", "docs/guide/a b.md"),
        (HERE, "../ref/api.markdown", "docs/ref/api.markdown"),
        (HERE, "..\\ref\\api.markdown", "docs/ref/api.markdown"),
        (HERE, "../ref/api.md#names", "docs/ref/api.markdown"),
        (HERE, "use?tabs=cli#top", "docs/guide/use.mdx"),
        (HERE, "../../README.md", "README.md"),
        (HERE, "../../../README.md", None),
        (HERE, "#names", HERE),
        (HERE, "?view=1#names", HERE),
        # without an extension, or as an address ends
        (HERE, "use", "docs/guide/use.mdx"),
        (HERE, "../ref/api.html", "docs/ref/api.markdown"),
        (HERE, "../ref/page", "docs/ref/page.html"),
        (HERE, ".", "docs/guide/index.md"),
        (HERE, "./", "docs/guide/index.md"),
        (HERE, "../", "docs/index.md"),
        (HERE, "../guide", "docs/guide/index.md"),
        (HERE, "../ref/", "docs/ref/_index.md"),
        (HERE, "../ref/readme", "docs/ref/_index.md"),
        # relative to the page's address: Hugo, Jekyll, MkDocs in HTML
        (HERE, "../use/", "docs/guide/use.mdx"),
        (HERE, "../../ref/api/", "docs/ref/api.markdown"),
        (HERE, "more/", "docs/guide/install/more.md"),
        (HERE, "more.md", None),
        ("docs/guide/index.md", "install/", HERE),
        # from the root of the repository, or of the site
        (HERE, "/docs/guide/use.mdx", "docs/guide/use.mdx"),
        (HERE, "/guide/use", "docs/guide/use.mdx"),
        (HERE, "/guide/", "docs/guide/index.md"),
        (HERE, "/", "README.md"),
        (HERE, "~/docs/guide/use.mdx", "docs/guide/use.mdx"),
        (HERE, "@site/docs/guide/use.mdx", "docs/guide/use.mdx"),
        (HERE, "/guide/none", None),
        # templates
        (HERE, '{{< ref "use.mdx" >}}', "docs/guide/use.mdx"),
        (HERE, '{{% relref "/ref/api#x" %}}', "docs/ref/api.markdown"),
        (HERE, "{% link docs/guide/use.mdx %}#x", "docs/guide/use.mdx"),
        (HERE, "{{ site.baseurl }}/guide/use", "docs/guide/use.mdx"),
        (HERE, "{{ '/guide/use' | relative_url }}", "docs/guide/use.mdx"),
        # nothing of ours
        (HERE, "image.png", None),
        (HERE, "use.yml", None),
    ],
)
def test_a_link_leads_to_its_document(path: str, target: str, found: str | None) -> None:
    """In each builder's way, and to nothing else."""
    documents = Documents(PATHS)
    documents.find_roots([(HERE, "/guide/use"), (HERE, "/guide/install/"), (HERE, "/ref/api")])
    address, _, reason = split_target(target)
    assert reason is None
    number = documents.find(path, address)
    assert (None if number is None else PATHS[number]) == found


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("https://example.org/docs/guide/use", "absolute_address"),
        ("//example.org/x", "absolute_address"),
        ("HTTP://example.org", "absolute_address"),
        ("mailto:a@example.org", "other_address"),
        ("xref:System.String", "other_address"),
        ("tel:123", "other_address"),
    ],
)
def test_an_address_elsewhere_is_told(target: str, reason: str) -> None:
    """It is dropped for its own reason."""
    assert split_target(target)[2] == reason


def test_the_name_in_a_page_is_decoded() -> None:
    """What stands behind `#`, whatever query is before it."""
    assert split_target("a%20b.md?x=1#gr%C3%B6%C3%9Fe") == ("a b.md", "größe", None)


def test_a_sites_address_may_differ_from_its_folder() -> None:
    """Where most links begin `/azure` and the files lie in `articles`, that is what they mean."""
    documents = Documents(["articles/arc/a.md", "articles/arc/b.md", "other/arc/a.md"])
    documents.find_roots([("x.md", "/azure/arc/a"), ("x.md", "/azure/arc/b"), ("x.md", "/else/c")])
    assert documents.find("x.md", "/azure/arc/a") == 0
    assert documents.find("x.md", "/arc/a") is None


def test_each_source_of_a_joint_corpus_is_its_own() -> None:
    """A link leads to a document of the same source, never of another."""
    documents = Documents(["one/docs:a/b.md", "two/docs:a/b.md", "two/docs:c.md", "one/docs:docs/d.md"])
    documents.find_roots([("one/docs:a/b.md", "/d")])
    assert documents.find("two/docs:c.md", "a/b.md") == 1
    assert documents.find("one/docs:a/b.md", "../c.md") is None
    assert documents.find("one/docs:a/b.md", "/a/b") == 0
    assert documents.find("one/docs:a/b.md", "/d") == 3
    assert documents.find("two/docs:c.md", "/d") is None


@settings(deadline=None)
@given(st.text(alphabet="ab./#?%2{}<>:~@ \\\n", max_size=24))
def test_no_target_is_an_error(target: str) -> None:
    """Whatever an author writes leads somewhere or nowhere."""
    address, _, reason = split_target(target)
    if reason is None:
        assert Documents(PATHS).find(HERE, address) in (None, *range(len(PATHS)))

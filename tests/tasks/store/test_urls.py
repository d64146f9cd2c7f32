"""A store's URL names the same place as what a person typed, and every program reads it so."""

import os
from pathlib import Path
from urllib.request import url2pathname

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.errors import UserError
from tasks.store.folders import Store
from tasks.store.urls import parse_store, shown
from tests.tasks.store.conftest import contents, manifest_for

ODD = (
    "a b",
    "100%",
    "a%20b",
    "a#b",
    "a?b",
    "größe",
    "a:",
    "s3:",
    "日本",
    "~x",
    "a;b&c=d",
    "e\u0301",
    "%2e%2e",
    "'\"",
    "a\nb",
)
NAMES = st.binary(min_size=1, max_size=12).map(
    lambda raw: raw.replace(b"\0", b"0").replace(b"/", b"%").replace(b"\n", b"?")
)


@given(st.lists(NAMES, min_size=1, max_size=4))
@example([b"a b", b"100%", b"a%20b", b"a#b?c"])
@example([b"a:", b"", b"b"])
@example([b"", b"x"])
def test_a_url_is_the_same_place(names: list[bytes]) -> None:
    """The URL of any folder, of any bytes, opens that folder and no other."""
    path = os.fsdecode(b"/" + b"/".join(names))
    store = Store(path)
    protocol, place = parse_store(store.url)
    assert (protocol, place) == ("file", str(Path(path)))
    assert Store(store.url).url == store.url
    assert store.url.isascii()
    uri = store.uri("corpus", "k1")
    assert Store(store.url).path(uri) == "corpus/k1"
    assert shown(uri) == f"{place.rstrip('/')}/corpus/k1"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20))
def test_what_is_typed_is_one_place_or_refused(text: str) -> None:
    """Whatever is typed as a store is refused with a word, or its URL is the same store again."""
    for url in (text, f"file:///{text}", f"s3://{text}"):
        try:
            store = Store(url)
        except UserError:
            continue
        again = Store(store.url)
        assert (again.url, again.protocol) == (store.url, store.protocol)
        assert again.path(store.uri("corpus", "k1")) == "corpus/k1"


@pytest.mark.parametrize("name", ODD)
def test_results_lie_where_the_folder_says(tmp_path: Path, folder: Path, name: str) -> None:
    """What is committed through a path is found through the URL, in the folder of that very name."""
    store = Store(str(tmp_path / name))
    uri = Store(store.url).uri("corpus", "k1")
    written = Store(store.url).commit(folder, uri, manifest_for(documents={"uri": "x", "key": "k0"}))
    assert [path.name for path in tmp_path.iterdir() if path != folder] == [name]
    assert store.manifest(written.record["uri"]) == written
    assert store.path(written.ancestors["documents"]["uri"]) == "documents/k0"
    assert contents(Store(store.url).fetch(uri, tmp_path / "copy")) == contents(folder)
    assert url2pathname(store.url.removeprefix("file://")) == str(tmp_path / name)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("/srv/models", "/srv/models"),
        ("file:///srv/models", "/srv/models"),
        ("file:///srv/models/", "/srv/models"),
        ("file:/srv/models", "/srv/models"),
        ("file://localhost/srv/models", "/srv/models"),
        ("FILE:///srv/models", "/srv/models"),
        ("file:///a%20b", "/a b"),
        ("file:///a b", "/a b"),
        ("file:///a#b?c", "/a#b?c"),
        ("file:///100%", "/100%"),
        ("/a%20b", "/a%20b"),
        ("file:///gr%C3%B6%C3%9Fe", "/größe"),
        ("/a://b", "/a:/b"),
    ],
)
def test_each_way_to_write_a_folder(url: str, place: str) -> None:
    """A path is taken as it is, a URL is decoded, and a plain one keeps the text that it always had."""
    assert parse_store(url) == ("file", place)
    assert Store("/srv/models").url == "file:///srv/models"


def test_a_uri_may_be_typed_in_another_way(tmp_path: Path, folder: Path) -> None:
    """A result's URI with a blank instead of its escape is the same result."""
    store = Store(str(tmp_path / "my store"))
    store.commit(folder, store.uri("corpus", "k1"), manifest_for())
    for uri in (f"file://{tmp_path}/my store/corpus/k1", f"file://localhost{tmp_path}/my%20store/corpus/k1"):
        assert store.manifest(uri) is not None
    with pytest.raises(UserError, match="is not in the store"):
        store.manifest(f"file://{tmp_path}/my store/../my store/corpus/k1/../..")


def test_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is the home folder; a name that begins so and is nobody's is a folder's name."""
    monkeypatch.setenv("HOME", "/home/me")
    assert parse_store("~/store")[1] == parse_store("file://~/store")[1] == "/home/me/store"
    assert parse_store("~nobody-at-all")[1] == str(Path("~nobody-at-all").absolute())


@pytest.mark.parametrize(
    "url",
    [
        "file://host/x",
        "file://srv/models",
        "file://",
        "",
        "s3://",
        "s3:///",
        "s3:/bucket/x",
        "http:/x",
        "file:///a%00b",
        "/a\0b",
        "/\ud800",
    ],
)
def test_what_names_no_place_is_refused(url: str) -> None:
    """Another machine's folder, no folder at all, and names that cannot be are refused with a way out."""
    with pytest.raises(UserError, match=r"use .*(file:///|s3://)"):
        Store(url)

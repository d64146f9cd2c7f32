"""What is special to S3: two writers without a rename, parts, and unfinished uploads."""

import os
from pathlib import Path

import pytest

from tasks.errors import NetworkError, StoreError
from tasks.store.care import sweep
from tasks.store.folders import Store
from tasks.store.manifest import stored_files
from tasks.store.s3_client import request
from tests.s3_server import BUCKET, FaultProxy, Request, S3Server
from tests.tasks.store.conftest import KEY, contents, manifest_for
from tests.waiting import until


def other_folder(tmp_path: Path) -> Path:
    """Files of the same names and sizes as the fixture's, with other bytes."""
    made = tmp_path / "other"
    (made / "sub").mkdir(parents=True)
    (made / "config.json").write_text("[]")
    (made / "empty").touch()
    (made / "sub" / "texts.txt").write_text("TEXTS\n" * 1000)
    (made / "weights.bin").write_bytes(os.urandom(5 << 19))
    return made


@pytest.mark.parametrize("moment", ["config.json", "weights.bin", "manifest.json"])
def test_another_commit_in_the_middle(
    proxy: FaultProxy, server: S3Server, folder: Path, tmp_path: Path, moment: str
) -> None:
    """A whole other commit between any two of a commit's requests leaves one of the two, never a mixture."""
    store = Store(proxy.url(f"middle-{moment}"), patience=5)
    uri, other = store.uri("corpus", "k1"), other_folder(tmp_path)
    done: list[bool] = []

    def interfere(request: Request) -> str | None:
        # The last upload of a file of several parts is a POST.
        place = request.target.split("?")[0]
        if request.method in ("PUT", "POST") and place.endswith(f"/k1/{moment}") and not done:
            done.append(True)
            store.commit(other, uri, manifest_for())
        return None

    proxy.fault = interfere
    store.commit(folder, uri, manifest_for())
    assert done
    found = contents(store.fetch(uri, tmp_path / "copy"))
    assert found in (contents(folder), contents(other))


def test_a_file_put_over_a_committed_one_is_seen_by_its_writer(
    proxy: FaultProxy, folder: Path, tmp_path: Path
) -> None:
    """A commit that overwrote files of a finished one notices, and makes the folder agree with a manifest."""
    store = Store(proxy.url("over"), patience=5)
    uri, other = store.uri("corpus", "k1"), other_folder(tmp_path)
    listings: list[Request] = []

    def finish_first(request: Request) -> str | None:
        # After this commit has looked and found nothing, but before it sends its first file.
        if request.method == "PUT" and "/k1/" in request.target and not listings:
            listings.append(request)
            store.commit(folder, uri, manifest_for())
        return None

    proxy.fault = finish_first
    stands = store.commit(other, uri, manifest_for())
    assert store.manifest(uri) == stands
    copy = store.fetch(uri, tmp_path / "copy")
    assert stored_files(copy) == stands.files


def test_a_store_that_does_not_keep_its_files(
    proxy: FaultProxy, server: S3Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit to a place where its files keep changing ends with an error and without a manifest."""
    monkeypatch.setattr("tasks.store.s3.random.uniform", lambda low, high: low)
    store = Store(proxy.url("unsteady"), patience=5)
    uri = store.uri("corpus", "k1")
    stored = server.root / "docs" / "unsteady" / "corpus" / "k1" / "config.json"

    def alter(request: Request) -> str | None:
        if request.method == "GET" and "list-type" in request.target and stored.exists():
            stored.write_text(f"{len(proxy.requests) % 10}?")
        return None

    proxy.fault = alter
    with pytest.raises(StoreError, match="does not keep what is written"):
        store.commit(folder, uri, manifest_for())
    assert not (stored.parent / "manifest.json").exists()


def uploads(store: Store) -> list[str]:
    """What the server knows of unfinished uploads in the store, by key below its prefix."""
    prefix = store.url.removeprefix(f"s3://{BUCKET}/")
    page = request("list_multipart_uploads", Bucket=BUCKET, Prefix=f"{prefix}/")
    return [upload["Key"].removeprefix(f"{prefix}/") for upload in page.get("Uploads", [])]


def test_unfinished_uploads_are_swept(behind_proxy: Store, folder: Path) -> None:
    """The upload of a large file that was killed is removed once it is old enough, and no one else's."""
    prefix = behind_proxy.url.removeprefix(f"s3://{BUCKET}/")
    behind_proxy.commit(folder, behind_proxy.uri("corpus", "k1"), manifest_for())
    for name in (f"corpus/{KEY}/weights.bin", "corpus/mine/film.mov", "films/film.mov"):
        request("create_multipart_upload", Bucket=BUCKET, Key=f"{prefix}/{name}")
    assert sweep(behind_proxy) == []
    (found,) = sweep(behind_proxy, older_than=0)
    assert (found.kind, found.uri) == ("upload", behind_proxy.uri("corpus", KEY, "weights.bin"))
    assert sweep(behind_proxy, older_than=0) == []
    assert sorted(uploads(behind_proxy)) == ["corpus/mine/film.mov", "films/film.mov"]


def test_an_upload_that_fails_is_given_up(behind_proxy: Store, proxy: FaultProxy, folder: Path) -> None:
    """The parts of a large file whose upload failed are deleted, so that they cost nothing."""
    proxy.fault = lambda request: "500" if "partNumber=2" in request.target else None
    with pytest.raises(NetworkError):
        behind_proxy.commit(folder, behind_proxy.uri("corpus", KEY), manifest_for(KEY))
    until(lambda: any(request.method == "DELETE" for request in proxy.requests))
    until(
        lambda: not any(found.kind == "upload" for found in sweep(behind_proxy, older_than=0, remove=False))
    )


def test_a_file_sent_whole_is_read_in_parts(behind_proxy: Store, folder: Path, tmp_path: Path) -> None:
    """A file between one part and two, sent whole and read in ranges, comes back right."""
    (folder / "weights.bin").write_bytes(os.urandom(3 << 19))
    uri = behind_proxy.uri("corpus", "k1")
    behind_proxy.commit(folder, uri, manifest_for())
    assert contents(behind_proxy.fetch(uri, tmp_path / "copy")) == contents(folder)

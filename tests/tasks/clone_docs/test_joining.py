"""Several snapshots are one, without a byte copied."""

import json
from pathlib import Path

from tasks.clone_docs.joining import join_snapshots, joint_commit, joint_name
from tasks.records import DocsSnapshot, short_name
from tasks.stage.target import Target


def test_several_sources_have_one_name() -> None:
    """Up to three are named, by the last part of each; of more, the others are counted."""
    urls = [f"https://host/owner/{name}.git" for name in "abcd"]
    assert joint_name(urls[:1]) == "a"
    assert joint_name(urls[:3]) == "a+b+c"
    assert joint_name(urls) == "a+b+2-more"
    assert short_name(joint_name(urls)) == joint_name(urls)


def test_a_joint_commit_follows_the_set_of_sources() -> None:
    """The order in which sources are listed changes nothing; a commit or a name of one does."""
    commits = {"a": "1", "b": "2"}
    joint = joint_commit(commits)
    assert joint.startswith("sha256:")
    assert joint_commit({"b": "2", "a": "1"}) == joint
    assert len({joint, joint_commit(commits | {"b": "3"}), joint_commit({"a": "1", "c": "2"})}) == 3


def test_a_joint_snapshot_says_what_it_is_made_of(tmp_path: Path) -> None:
    """Counts are added up, licences named once, and each part is listed with its commit and key."""

    def target(key: str, record: DocsSnapshot | None = None) -> Target:
        store = (tmp_path / "store").as_uri()
        return Target(
            stage="documents",
            key=key,
            uri=f"{store}/documents/{key}",
            action="run" if record is None else "reuse",
            why="",
            store_url=store,
            work_dir=str(tmp_path / "work"),
            record=None if record is None else record.as_json(),
        )

    def part(name: str, count: int, licence: str) -> Target:
        made = DocsSnapshot(
            uri="u", key=name, source=f"https://h/o/{name}.git", commit_sha=name * 40, found=count,
            read=count, bytes_read=10 * count, licenses=["MIT", licence],
        )  # fmt: skip
        return target(name, made)

    parts = {"o/b": part("b", 2, "other"), "o/a": part("a", 1, "MIT")}
    joint = join_snapshots.make(target("j" * 32), parts)
    assert (joint.found, joint.read, joint.bytes_read) == (3, 3, 30)
    assert (joint.source, joint.licenses) == ("a+b", ["MIT", "other"])
    assert [(one["name"], one["commit_sha"], one["key"]) for one in joint.parts] == [
        ("o/a", "a" * 40, "a"),
        ("o/b", "b" * 40, "b"),
    ]
    stored = tmp_path / "store" / "documents" / ("j" * 32) / DocsSnapshot.PARTS
    assert json.loads(stored.read_text()) == joint.parts

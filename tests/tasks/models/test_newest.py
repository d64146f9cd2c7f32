"""Each line of a store has its own newest model, in stores of earlier versions too, for a few requests."""

import json
import logging
import shutil

import pytest

from tasks.errors import UserError
from tasks.models.lines import Line
from tasks.models.newest import LINE, lines_of, move_latest, newest_model, newest_of
from tasks.models.published import list_versions, local_model
from tasks.records import PublishedModel
from tasks.store.folders import Store
from tasks.store.manifest import Manifest
from tests.tiny import save_tiny_bert

A, B = "https://host/o/azure.git", "https://host/o/guides"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder with a tiny BERT."""
    return save_tiny_bert(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def store(tmp_path):
    """An empty store in a folder."""
    return Store(str(tmp_path / "store"))


class Publisher:
    """Publishes small models, as this version of docs-mlm does or as an earlier one did."""

    def __init__(self, store: Store, folder) -> None:
        self.store, self.folder, self.count = store, folder, 0

    def __call__(self, source: str, name: str | None = None, *, earlier: bool = False) -> PublishedModel:
        """One more version: the version's number is its place."""
        self.count += 1
        key = f"{self.count:032x}"
        uri, version = self.store.uri("models", key), f"202601{self.count:02}"
        derived = name or f"bert-{source.rpartition('/')[2].removesuffix('.git')}"
        (self.folder / "summary.json").write_text(json.dumps({"name": derived}))
        record = {"uri": uri, "key": key, "version": version} | ({} if earlier else {"name": derived})
        ancestors = {
            "documents": {"source": source, "commit_sha": "1" * 40, "parts": []},
            "corpus": {"kept": 5},
            "training": {"global_step": 3, "eval_before": None, "eval_after": None},
        }
        settings = {"model_name": name}
        manifest = Manifest(stage="models", key=key, record=record, ancestors=ancestors, settings=settings)
        self.store.commit(self.folder, uri, manifest)
        model = PublishedModel.from_json(record)
        if earlier:
            self.store.write_json(self.store.uri("models", "latest.json"), record)
        else:
            move_latest(self.store, model)
        return model


@pytest.fixture
def publish(store, tiny, tmp_path):
    """Publish one more model."""
    return Publisher(store, shutil.copytree(tiny, tmp_path / "made"))


def line(source: str, name: str | None = None) -> Line:
    """The line of what `publish` made."""
    return Line.of([source], name or f"bert-{source.rpartition('/')[2].removesuffix('.git')}")


def newest_version(store: Store, of: Line) -> str | None:
    """The newest version of a line."""
    found = newest_of(store, of)
    return found and found.record["version"]


@pytest.mark.parametrize("earlier", [(), (0, 1, 2, 3), (0, 1), (2, 3), (1, 3)])
def test_each_line_has_its_own_newest(store, publish, earlier):
    """Two repositories, and two names of one, do not mix, whichever versions of docs-mlm published them."""
    for number, (source, name) in enumerate([(A, None), (B, None), (A, "fine"), (B, None)]):
        publish(source, name, earlier=number in earlier)
    lines = {line(A): "20260101", line(B): "20260104", line(A, "fine"): "20260103"}
    assert {one: newest_version(store, one) for one in lines} == lines
    assert newest_model(store).record["version"] == "20260104"
    assert set(lines_of(store)) == set(lines)
    assert newest_of(store, line(A, "other")) is None
    assert {version.version: version.line for version in list_versions(store)} == {
        "20260101": line(A).slug, "20260102": line(B).slug, "20260103": line(A, "fine").slug,
        "20260104": line(B).slug,
    }  # fmt: skip


def pointers(store: Store) -> set[str]:
    """The pointers that are there."""
    return {name for name in store.names(store.uri("models")) if name.endswith(".json")}


def test_the_next_run_writes_the_pointers_of_all(store, publish):
    """A store of an earlier version is as good, and the first run, reusing or not, keeps its lines."""
    models = [publish(source, earlier=True) for source in (A, B, A)]
    assert pointers(store) == {"latest.json"}
    assert not move_latest(store, models[0]), "an old one, reused"
    assert pointers(store) == {"latest.json", f"latest-{line(A).slug}.json", f"latest-{line(B).slug}.json"}
    latest = store.read_json(store.uri("models", "latest.json"))
    assert {name: latest[name] for name in ("key", "version")} == {
        "key": models[2].key,
        "version": "20260103",
    }
    assert latest[LINE] == line(A).slug
    assert (newest_version(store, line(A)), newest_version(store, line(B))) == ("20260103", "20260102")


def test_a_reused_model_moves_no_pointer_back(store, publish):
    """Each pointer stays at the newest of its own."""
    old, other, _ = publish(A), publish(B), publish(A)
    for model in (old, other):
        assert not move_latest(store, model)
    assert (newest_version(store, line(A)), newest_version(store, line(B))) == ("20260103", "20260102")


def test_a_run_that_died_before_its_pointer_moved_is_put_right(store, publish):
    """The line's pointer is written by the next run that finds the model."""
    model = publish(A)
    publish(B)
    store.objects.remove(f"models/latest-{line(A).slug}.json")
    assert newest_of(store, line(A)) is None
    assert not move_latest(store, model), "the newest of all is another's"
    assert newest_version(store, line(A)) == "20260101"


def test_a_lost_model_is_replaced_by_one_of_its_line(store, publish, tmp_path, caplog):
    """Where a line's newest is gone the one before counts, never another line's; the next run says so too."""
    first, lost, _ = publish(A), publish(A), publish(B)
    shutil.rmtree(tmp_path / "store" / "models" / lost.key)
    with caplog.at_level(logging.WARNING, "docs_mlm"):
        assert newest_version(store, line(A)) == "20260101"
    assert f"latest-{line(A).slug}.json names" in caplog.text
    move_latest(store, first)
    assert store.read_json(store.uri("models", f"latest-{line(A).slug}.json"))["key"] == first.key
    shutil.rmtree(tmp_path / "store" / "models" / first.key)
    assert newest_of(store, line(A)) is None


def test_a_pointer_at_another_lines_model_is_not_believed(store, publish):
    """Whoever copied it: a line's newest is of the line."""
    publish(A)
    publish(B)
    wrong = store.read_json(store.uri("models", f"latest-{line(B).slug}.json"))
    store.write_json(store.uri("models", f"latest-{line(A).slug}.json"), wrong)
    assert newest_version(store, line(A)) == "20260101"
    assert lines_of(store) == [line(B)]


def looks(store: Store, monkeypatch) -> list[str]:
    """Every object that is read or listed from now on."""
    seen: list[str] = []
    for name in ("read", "entries", "folders", "own"):
        real = getattr(store.objects, name)
        monkeypatch.setattr(
            store.objects, name, lambda path, *a, real=real, **k: seen.append(path) or real(path, *a, **k)
        )
    return seen


@pytest.mark.parametrize(("of", "most"), [(line(A), 4), (line(B), 4), (line(A, "new"), 3)])
def test_a_plan_does_not_read_a_large_store(store, publish, monkeypatch, of, most):
    """A line's newest, and that a line is new, is known from a few looks, however many versions there are."""
    for number in range(12):
        publish(B if number < 2 else A)
    seen = looks(store, monkeypatch)
    newest_of(store, of)
    assert len(seen) <= most, seen


def test_a_line_is_chosen_by_its_names(store, publish, tmp_path, caplog):
    """Slug or name give a line's newest; without any, the newest of all, which says whose it is."""
    publish(A)
    with caplog.at_level(logging.WARNING, "docs_mlm"):
        assert local_model(store, None, tmp_path / "work").name == f"{1:032x}"
    assert caplog.text == "", "with one line there is nothing to choose"
    publish(B)
    for name in (line(A).slug, line(A).name):
        assert local_model(store, name, tmp_path / "work").name == f"{1:032x}"
    with caplog.at_level(logging.WARNING, "docs_mlm"):
        assert local_model(store, None, tmp_path / "work").name == f"{2:032x}"
    assert "o/guides · bert-guides, version 20260102" in caplog.text
    assert f"--model: {line(A).slug}" in caplog.text
    publish("https://elsewhere/o/azure")
    with pytest.raises(UserError, match=f"2 lines .*{line(A).slug}"):
        local_model(store, line(A).name, tmp_path / "work")
    with pytest.raises(UserError, match="docs-mlm models"):
        local_model(store, "o/other · bert-other", tmp_path / "work")


def test_a_damaged_newest_of_a_line_gives_way_to_its_own(store, publish, tmp_path):
    """Not to another line's."""
    publish(A), publish(A), publish(B)
    weights = tmp_path / "store" / "models" / f"{2:032x}" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert local_model(store, line(A).slug, tmp_path / "work").name == f"{1:032x}"
    shutil.rmtree(tmp_path / "store" / "models" / f"{1:032x}")
    shutil.rmtree(tmp_path / "store" / "models" / f"{2:032x}")
    with pytest.raises(UserError, match="no model of o/azure"):
        local_model(store, line(A).slug, tmp_path / "work")

"""`sweep` at a terminal and in a script: who is asked, and where it keeps out."""

import json
import os

import pytest

from tasks.store.folders import Store
from tasks.store.manifest import Manifest


@pytest.mark.parametrize(
    ("typed", "more", "gone"),
    [
        ("y\n", (), True),
        ("Yes\n", (), True),
        ("\n", (), False),
        ("n\n", (), False),
        ("no\n", ("--json",), False),
        ("y\n", ("--json",), True),
        ("", ("--yes",), True),
        ("y\n", ("--dry-run",), False),
    ],
)
def test_sweep_asks_at_the_terminal(command, monkeypatch, tmp_path, typed, more, gone):
    """A person at a terminal is shown what would go, and only their yes, or `--yes`, lets it."""
    store, made = Store(str(tmp_path / "store")), tmp_path / "made"
    made.mkdir()
    store.commit(made, store.uri("corpus", "k1"), Manifest(stage="corpus", key="k1", record={}))
    left = tmp_path / "store" / "corpus" / ("9" * 32) / "part.parquet"
    left.parent.mkdir()
    left.write_bytes(b"torn")
    keyboard, screen = os.openpty()
    with os.fdopen(screen) as stdin:
        os.write(keyboard, typed.encode())
        monkeypatch.setattr("sys.stdin", stdin)
        code, out, err = command("sweep", "--older-than", "0", "--store", tmp_path / "store", *more)
    os.close(keyboard)
    assert (code, left.exists()) == (0, not gone)
    assert ("[y/N]" in err) == ("--yes" not in more and "--dry-run" not in more)
    if "--json" in more:
        assert (json.loads(out)["removed"], len(json.loads(out)["leftovers"])) == (gone, 1)
    else:
        assert "corpus/99" in out
        assert ("deleted" in out) == gone


def test_sweep_keeps_out_of_other_folders(command, tmp_path):
    """A folder that is no store is refused with the code of a user's mistake, before anything is listed."""
    thesis = tmp_path / "documents" / ("9" * 32) / "thesis.tex"
    thesis.parent.mkdir(parents=True)
    thesis.write_text("irreplaceable")
    for more in ((), ("--yes",), ("--dry-run",)):
        code, out, err = command("sweep", "--older-than", "0", "--store", tmp_path, *more)
        assert (code, out, "docs-mlm-store.json" in err, thesis.exists()) == (2, "", True, True)

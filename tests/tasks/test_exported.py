"""A file of texts that docs-mlm exported says so."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.errors import UserError
from tasks.exported import FORMS, Form, Sealer, check_replaceable, exported_form


def export(texts: list[str], form: Form) -> bytes:
    """The bytes of an exported file."""
    sealer, stream = Sealer(), io.BytesIO()
    sealer.write(stream, json.dumps(texts, indent=2) + "\n")
    stream.write(sealer.seal(form))
    return stream.getvalue()


@given(texts=st.lists(st.text(max_size=20), max_size=5), form=st.sampled_from(FORMS), data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_seal_holds_for_these_bytes_alone(
    tmp_path: Path, texts: list[str], form: Form, data: st.DataObject
) -> None:
    """Any JSON reader gets the texts, the form is read back, and a file with another byte is no export."""
    written = export(texts, form)
    (tmp_path / "a.json").write_bytes(written)
    assert json.loads(written) == texts
    assert exported_form(tmp_path / "a.json") == form
    place = data.draw(st.integers(0, len(written) - 1))
    (tmp_path / "a.json").write_bytes(written[:place] + bytes([written[place] ^ 1]) + written[place + 1 :])
    assert exported_form(tmp_path / "a.json") is None


def test_only_an_export_or_a_new_file_may_be_written(tmp_path: Path) -> None:
    """Nothing there, or an export: free. Somebody's file, an empty one, a folder: the way out is told."""
    check_replaceable(tmp_path / "new" / "a.json")
    (tmp_path / "a.json").write_bytes(export(["a"], "raw"))
    check_replaceable(tmp_path / "a.json")
    (tmp_path / "b.json").write_text("[]")
    (tmp_path / "c.json").touch()
    for taken in (tmp_path / "b.json", tmp_path / "c.json", tmp_path, tmp_path / "b.json" / "d"):
        if taken.name == "d":
            check_replaceable(taken)
            continue
        with pytest.raises(UserError, match="give a new path"):
            check_replaceable(taken)

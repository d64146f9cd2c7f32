"""The windows that the tokenize stage wrote come back as they are."""

from pathlib import Path

import numpy as np
from datasets import load_from_disk

from tasks.train_model.reading import read_windows


def test_windows_are_those_that_were_written(tokenized: Path) -> None:
    """Tokens, code, boundaries and document of every window are those of its row, in every split."""
    found = read_windows(tokenized)
    stored = load_from_disk(str(tokenized / "windows"))
    assert found.keys() == stored.keys() == {"train", "eval"}
    for name, windows in found.items():
        assert len(windows) == len(stored[name])
        for number, row in enumerate(stored[name]):
            own = slice(*windows.offsets[number : number + 2])
            assert windows.ids[own].tolist() == row["input_ids"]
            assert windows.code[own].tolist() == row["code"]
            assert windows.levels[own].tolist() == row["boundaries"]
            assert windows.document[number] == row["document"]


def test_a_part_of_a_table_is_read_as_it_is(tokenized: Path, tmp_path: Path) -> None:
    """Windows of the middle of a longer table begin with their own first token."""
    stored = load_from_disk(str(tokenized / "windows"))
    stored["train"] = stored["train"].select(range(7, 19))
    stored.save_to_disk(str(tmp_path / "windows"))
    part, whole = read_windows(tmp_path)["train"], read_windows(tokenized)["train"]
    assert part.offsets[0] == 0
    assert np.array_equal(part.ids, whole.ids[whole.offsets[7] : whole.offsets[19]])

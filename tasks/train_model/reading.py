"""The token windows that the tokenize stage wrote, read into arrays."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from datasets import load_from_disk

from tasks.train_model.batches.windows import Windows


def read_windows(folder: Path) -> dict[str, Windows]:
    """The windows that the tokenize stage wrote, by split."""
    return {name: _flat(split) for name, split in load_from_disk(str(folder / "windows")).items()}


def _flat(split: Any) -> Windows:
    table = split.data.table.combine_chunks()
    lists = table.column("input_ids").combine_chunks()
    offsets = lists.offsets.to_numpy().astype(np.int64)

    def flat(name: str) -> npt.NDArray[np.generic]:
        values: npt.NDArray[np.generic] = (
            table.column(name).combine_chunks().flatten().to_numpy(zero_copy_only=False)
        )
        return values

    return Windows(
        ids=flat("input_ids").astype(np.int32),
        code=flat("code").astype(np.bool_),
        levels=flat("boundaries").astype(np.uint8),
        offsets=offsets - offsets[0],
        document=table.column("document").to_numpy().astype(np.int32),
    )

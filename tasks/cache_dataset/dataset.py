"""The corpus as a Hugging Face dataset, loadable with plain `datasets.load_from_disk`.

The same corpus gives the same bytes: the one random part of the format, a fingerprint, is made from the key.
Texts are copied a few hundred at a time, so memory stays small whatever the corpus.
"""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.errors import UserError
from tasks.exported import Form, Sealer, check_replaceable

SPLITS = ("train", "eval")
FEATURES = datasets.Features(
    {
        "text": datasets.Value("large_string"),
        "path": datasets.Value("string"),
        "blob_sha": datasets.Value("string"),
        "split": datasets.Value("string"),
        "code_spans": datasets.List({"start": datasets.Value("int32"), "end": datasets.Value("int32")}),
    }
)
"""`code_spans` are the character ranges of code blocks in `text`."""
_ROWS = 256


def build_dataset(corpus: Path, target: Path, *, fingerprint: str) -> dict[str, int]:
    """Save the Parquet file `corpus` as a `DatasetDict` in the folder `target`; documents by split.

    A split without documents is left out.
    """
    datasets.disable_progress_bars()
    counts = dict.fromkeys(SPLITS, 0)
    schema = FEATURES.arrow_schema
    streams = {split: target.with_name(f"{split}.arrow") for split in SPLITS}
    with ExitStack() as stack:
        file = stack.enter_context(pq.ParquetFile(corpus))
        writers = {
            split: stack.enter_context(pa.ipc.new_stream(str(path), schema))
            for split, path in streams.items()
        }
        for batch in file.iter_batches(_ROWS, columns=schema.names):
            for split in SPLITS:
                rows = batch.filter(pa.compute.equal(batch["split"], split))
                counts[split] += rows.num_rows
                if rows.num_rows:
                    writers[split].write_table(
                        pa.Table.from_batches([rows]).select(schema.names).cast(schema)
                    )
    parts = {
        split: datasets.Dataset(
            datasets.Dataset.from_file(str(path)).data,
            info=datasets.DatasetInfo(features=FEATURES),
            split=datasets.NamedSplit(split),
            fingerprint=f"{fingerprint}-{split}",
        )
        for split, path in streams.items()
        if counts[split]
    }
    datasets.DatasetDict(parts).save_to_disk(str(target))
    del parts
    for path in streams.values():
        path.unlink()
    return counts


def export_dataset(dataset: Path, target: Path, *, form: Form) -> int:
    """Write all texts of the dataset in the folder `dataset` to the JSON file `target`; how many.

    One list of strings in path order, indented, in UTF-8 with nothing escaped that need not be: the
    notebook's `docs_texts.json`. A seal in the white space behind it says that docs-mlm wrote it, and in
    which `form` the texts are. The file appears whole or not at all.

    Raises:
        UserError: `target` cannot be written, or is a file of somebody else's.
    """
    check_replaceable(target)
    count, sealer = 0, Sealer()
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            for text in texts_by_path(dataset):
                before = ",\n  " if count else "[\n  "
                sealer.write(stream, before + json.dumps(text, ensure_ascii=False))
                count += 1
            sealer.write(stream, "\n]\n" if count else "[]\n")
            stream.write(sealer.seal(form))
        partial.replace(target)
    except OSError as error:
        raise UserError(
            f"publish.export_texts cannot be written to {target} ({error.strerror or error}): "
            "choose a file in a folder that you can write to"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return count


def texts_by_path(dataset: Path) -> Iterator[str]:
    """The texts of all splits of the dataset in the folder `dataset`, in the order of their paths."""
    splits = datasets.load_from_disk(str(dataset))
    places = sorted(
        (path, row, split) for split, rows in splits.items() for row, path in enumerate(rows["path"])
    )
    for _, row, split in places:
        yield splits[split][row]["text"]

"""A tokenizer's files as earlier versions of transformers read them too."""

import json
from pathlib import Path
from typing import Any

FILE = "tokenizer_config.json"
OF_THIS_MACHINE = ("backend", "is_local", "local_files_only")
"""What transformers 5 notes of how a tokenizer was loaded; the keywords mean something else in 4."""
NEW_CLASSES = {"TokenizersBackend": "PreTrainedTokenizerFast"}
"""What transformers 5 calls a class that 4 knows by another name, which 5 goes on to take."""


def make_portable(folder: Path) -> None:
    """Let transformers 4 load a tokenizer that transformers 5 wrote; 5 loads the same as before."""
    path = folder / FILE
    if not path.is_file():
        return
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    portable = {name: value for name, value in config.items() if name not in OF_THIS_MACHINE}
    name = portable.get("tokenizer_class")
    if name in NEW_CLASSES:
        portable["tokenizer_class"] = NEW_CLASSES[name]
    # In transformers 4 these are a mapping, and a list of further special tokens has its earlier name.
    if isinstance(portable.get("extra_special_tokens"), list):
        portable["additional_special_tokens"] = portable.pop("extra_special_tokens")
    text = json.dumps(portable, indent=2, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")

"""`make golden`: pin what the present versions of the stages make, where that is not pinned yet."""

import tempfile
from pathlib import Path

from tests.golden import versions
from tests.golden.making import MAKERS, Line


def main() -> None:
    """Add what is missing; refuse to replace what is there."""
    pinned = before = versions.read()
    with tempfile.TemporaryDirectory() as folder:
        line = Line(Path(folder))
        for stage, make in MAKERS.items():
            pinned = versions.added(pinned, stage.make.__name__, stage.version, make(line))
    versions.write(pinned)
    print("Pinned anew" if pinned != before else "All versions are pinned already")


if __name__ == "__main__":
    main()

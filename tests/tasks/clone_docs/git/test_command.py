"""What a running Git prints is read as it comes, in bounds."""

import subprocess
import sys

from tasks.clone_docs.git.command import LONGEST_LINE, _lines


def test_a_line_without_end_is_cut() -> None:
    """Of a line that a server never ends only its end is kept, so that it cannot fill the memory."""
    script = "import os\nfor _ in range(200): os.write(2, b'x' * 10_000)"
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE) as process:
        assert [len(line) for line in _lines(process)] == [LONGEST_LINE]  # type: ignore[arg-type]

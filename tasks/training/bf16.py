"""Whether this machine computes bf16 fast: the processor is asked first, timed only if it may be, and once.

A processor without bf16 instructions computes it in software, a hundred times slower than fp32; and of those
that have them, not all are faster with them. What was found is remembered for the processor and torch.
"""

import json
import math
import os
import platform
import re
import tempfile
import time
from pathlib import Path

import torch

from tasks.stage.log import stage_logger

FLAGS = {"avx512_bf16", "amx_bf16", "bf16", "sve_bf16", "svebf16"}
"""Instructions that multiply matrices of bf16, as torch and Linux call them: of x86, then of ARM."""
WORTH = 1.2
"""How many times as fast as fp32 bf16 must be: less does not pay for its casts."""
FEW_ROWS = 32
CPUINFO = Path("/proc/cpuinfo")


def fast_bf16() -> bool:
    """Whether bf16 pays off here: by the GPU's word, or by a CPU's flags and one feed-forward product."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    log, (name, flags) = stage_logger(), processor()
    if flags is not None and not flags & FLAGS:
        log.info("The processor (%s) has no instructions for bf16", name)
        return False
    known_as, memory = f"{name}, torch {torch.__version__}", memory_file()
    known = remembered(memory)
    if known_as not in known:
        log.info("Timing whether bf16 is faster than fp32 on this processor (%s)", name)
        times = bf16_speedup()
        log.info("bf16 is %.2g times as fast as fp32 here; from %.2g on it is used", times, WORTH)
        known[known_as] = times >= WORTH
        remember(memory, known)
    elif known[known_as]:
        log.info("bf16 is faster than fp32 on this processor (%s), as %s remembers", name, memory)
    else:
        log.info("bf16 is no faster than fp32 on this processor (%s), as %s remembers", name, memory)
    return known[known_as]


def processor() -> tuple[str, set[str] | None]:
    """The processor's name, and what it can do; None where neither torch nor Linux says."""
    if hasattr(torch.cpu, "get_capabilities"):  # older torch has none
        told = torch.cpu.get_capabilities()
        has = {name for name, value in told.items() if value is True}
        return str(told.get("cpu_name") or told.get("architecture") or platform.machine()), has
    try:
        text = CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine(), None
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    listed = re.search(r"^(?:flags|Features)\s*:(.+)$", text, re.MULTILINE)
    return name[1] if name else platform.machine(), set(listed[1].split()) if listed else None


def bf16_speedup(rows: int = 512) -> float:
    """How many times as fast as in fp32 one feed-forward product is in bf16, on the GPU if there is one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    left, right = torch.ones(rows, 512, device=device), torch.ones(512, 2048, device=device)
    best = {torch.float32: math.inf, torch.bfloat16: math.inf}
    for attempt in range(7):
        for dtype in best:
            ours, theirs = left.to(dtype), right.to(dtype)
            start = time.perf_counter()
            torch.mm(ours, theirs)
            if device == "cuda":
                torch.cuda.synchronize()
            best[dtype] = min(best[dtype], time.perf_counter() - start)
        # The first product of a kind prepares its kernel; in software, each takes seconds.
        if attempt and best[torch.bfloat16] > 10 * best[torch.float32]:
            break
    return best[torch.float32] / best[torch.bfloat16]


def measured_speedup() -> float:
    """The same as a figure for people: of a small product where bf16 is computed in software, in a second."""
    flags = processor()[1]
    in_software = not torch.cuda.is_available() and flags is not None and not flags & FLAGS
    return bf16_speedup(FEW_ROWS) if in_software else bf16_speedup()


def memory_file() -> Path | None:
    """Where the answer is kept for this user, or None where there is no home for it."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "docs-mlm" / "bf16.json"
    except RuntimeError:
        return None


def remembered(memory: Path | None) -> dict[str, bool]:
    """What was found before, by processor and torch; nothing where the file is not there or not whole."""
    try:
        known = json.loads(memory.read_text(encoding="utf-8")) if memory else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return {k: v for k, v in known.items() if isinstance(v, bool)} if isinstance(known, dict) else {}


def remember(memory: Path | None, known: dict[str, bool]) -> None:
    """Keep what was found; where that cannot be, it is timed again the next time."""
    if memory is None:
        return
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=memory.parent, prefix=".bf16-") as folder:
            whole = Path(folder) / memory.name
            whole.write_text(json.dumps(known, indent=1, sort_keys=True), encoding="utf-8")
            whole.replace(memory)
    except OSError as error:
        stage_logger().debug("What was found of bf16 cannot be remembered: %s", error)

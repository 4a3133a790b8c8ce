"""The peak memory of a program of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# Not `getrusage`: what that gives includes the process that the program was forked from.
_STATUS = Path("/proc/self/status")
_REPORT = f"\nprint(open({str(_STATUS)!r}).read().split('VmHWM:')[1].split()[0])"


def run_measured(code: str) -> tuple[str, int]:
    """Run a program of Python. Returns what it prints, and its peak memory in bytes."""
    if not _STATUS.exists():
        pytest.skip("the system does not tell the peak memory of a process")
    done = subprocess.run([sys.executable, "-c", code + _REPORT], capture_output=True, text=True, check=True)
    said, _, peak_kb = done.stdout.rstrip().rpartition("\n")
    return said, int(peak_kb) * 1024

"""Measure the peak memory of a few training steps of one side, in a process that does nothing else.

    python benchmarks/memory.py ours SETTING IMAGES

Prints JSON: the peak, and how much of it the imports took. `speed.py` calls this.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from measuring import BENCHMARKS, Setting, peak_mb
from sides import our_run, our_step, plain_step

_STEPS = 3


def measure_memory(side: str, setting: Setting, images: Path) -> dict[str, float]:
    """Run this file for one side in a fresh process, whose memory holds nothing of the other side. Returns its JSON."""
    command = [sys.executable, str(BENCHMARKS / "memory.py"), side, json.dumps(asdict(setting)), str(images)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the memory of {side} could not be measured:\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main(side: str, setting_json: str, images: str) -> None:
    """Take the steps and print the memory that they needed."""
    setting = Setting(**json.loads(setting_json))
    imported_mb = peak_mb()  # torch alone takes some hundred MB, the same for both sides
    with tempfile.TemporaryDirectory() as folder:
        run = our_run(setting, Path(images), Path(folder) / "run")
        batch = run.data.train.batch(0)
        if side == "ours":
            step = our_step(run)
            for _ in range(_STEPS):
                step(batch)
        else:
            del run  # the yardstick needs only its batch
            call = plain_step(setting, batch)
            for _ in range(_STEPS):
                call()
    print(json.dumps({"peak_mb": round(peak_mb(), 1), "imported_mb": round(imported_mb, 1)}))


if __name__ == "__main__":
    main(*sys.argv[1:])

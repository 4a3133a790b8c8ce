"""A run whose terminal is closed saves itself."""

from __future__ import annotations

import os
import pty
import signal
import sys
import time
from pathlib import Path

from selfdepth.config import TrainConfig
from selfdepth.engine.checkpoint import newest_intact


def test_when_the_terminal_is_closed_the_run_is_saved_and_can_be_resumed(tiny: TrainConfig, tmp_path: Path) -> None:
    run = tmp_path / "run"
    options = "mono-192x64 --camera fov:60 --width 64 --batch-size 2 --steps 100000 --device cpu"
    options += " --encoder.name test_resnet --encoder.no-pretrained"
    words = ["train", *options.split(), "--data", tiny.data, "--out", str(run)]
    process, terminal = pty.fork()
    if process == 0:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup, which ignores it
        os.execv(sys.executable, [sys.executable, "-m", "selfdepth.cli.main", *words])
    shown, deadline = b"", time.monotonic() + 120
    while b"step " not in shown and time.monotonic() < deadline:
        shown += os.read(terminal, 4096)
    assert b"step " in shown, shown.decode(errors="replace")
    os.close(terminal)
    status = os.waitpid(process, 0)[1]
    assert os.waitstatus_to_exitcode(status) == 129
    checkpoint = newest_intact(run)
    assert checkpoint is not None and checkpoint.progress.step > 0
    assert checkpoint.progress.step < 100000

"""Trainings in processes of their own, which can be killed and which can have a disk with faults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from selfdepth.config import TrainConfig, to_json
from selfdepth.engine.checkpoint import last_checkpoint

_SERVER = """
import ctypes, json, os, signal, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
from selfdepth.config import from_json
from selfdepth.engine.train import train
from selfdepth.errors import SelfDepthError

def work(request):
    disk = request["disk"]
    if disk is not None:
        kind = ("sound", "full", "read-only", "short").index(disk["fault"])
        set_fault = ctypes.CDLL(None).disk_fault
        set_fault(kind, os.fsencode(disk["folder"]), ctypes.c_long(disk["room"]), disk["seed"])
    train(from_json(request["config"], where="test"), Path(request["folder"]), resume=request["resume"])

for line in sys.stdin:
    request = json.loads(line)
    start = time.monotonic()
    output, into = os.pipe()
    process = os.fork()
    if process == 0:
        code, said = 1, ""
        try:
            work(request)
            code = 0
        except SelfDepthError as error:
            code, said = 2, str(error)
        except BaseException as error:
            said = repr(error)
        finally:
            os.write(into, said.encode()[:4000])
            os._exit(code)
    os.close(into)
    if request["kill_after_s"] is not None:
        time.sleep(request["kill_after_s"])
        os.kill(process, signal.SIGKILL)
    status = os.waitpid(process, 0)[1]
    os.set_blocking(output, False)  # something that the process left behind may still hold the other end
    try:
        said = os.read(output, 4000).decode()
    except BlockingIOError:
        said = ""
    os.close(output)
    answer = {"status": os.waitstatus_to_exitcode(status), "said": said, "seconds": time.monotonic() - start}
    print(json.dumps(answer), flush=True)
"""
"""Forks a process for every run, so that torch is imported once."""


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A fault of the file system below a folder (disk.c).

    Attributes:
        fault: "full" once `room` bytes are written; "read-only"; "short": each read gives a random part of what was
            asked for.
        seed: of "short".
    """

    fault: Literal["full", "read-only", "short"]
    folder: Path
    room: int = 0
    seed: int = 1


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a training ended.

    Attributes:
        status: 0 if it trained to its end, 2 if it refused or stopped with one sentence, 1 for any other error; -9 if
            it was killed.
        said: the sentence or error.
    """

    status: int
    said: str
    seconds: float


class RunServer:
    """Trains in one process after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(
        self, config: TrainConfig, folder: Path, *, kill_after_s: float | None = None, disk: Disk | None = None
    ) -> Ended:
        """Train, or go on if there is a checkpoint."""
        request: dict[str, Any] = {
            "config": to_json(config),
            "folder": str(folder),
            "resume": last_checkpoint(folder) is not None,
            "kill_after_s": kill_after_s,
            "disk": None if disk is None else asdict(disk) | {"folder": str(disk.folder)},
        }
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))


@contextmanager
def run_server(preload: Path | None = None) -> Iterator[RunServer]:
    """A server, with a library loaded before all others."""
    environment = os.environ if preload is None else {**os.environ, "LD_PRELOAD": str(preload)}
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # nobody reads it, and a full pipe would stop the server
        text=True,
        env=environment,
    ) as process:
        yield RunServer(process)
        assert process.stdin is not None
        process.stdin.close()

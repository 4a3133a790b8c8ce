"""A prediction of many inputs that is killed. In a file of its own, which a spawned process can import."""

from __future__ import annotations

import os
import signal
import warnings
from pathlib import Path
from typing import Any

import torch

from selfdepth.inference import many
from selfdepth.inference.input_lists import ListedInput
from selfdepth.inference.many import RECORD_FILE, Task, predict_many


def predict_until_killed(doing: Task, inputs: tuple[ListedInput, ...], kill_after: int) -> None:
    """In a process of its own, which kills itself in the middle of the input after so many finished ones."""
    torch.set_num_threads(1)  # as in the tests' own process: another number rounds differently
    done = 0
    write = many.whole_file

    def killing(path: Path, **options: Any) -> Any:
        if path.name == RECORD_FILE and done == kill_after:
            os.kill(os.getpid(), signal.SIGKILL)
        return write(path, **options)

    def tell(outcome: Outcome) -> None:
        nonlocal done
        done += outcome.status == "finished"

    many.whole_file = killing  # type: ignore[assignment]
    warnings.simplefilter("ignore")
    predict_many(doing, inputs, tell=tell)

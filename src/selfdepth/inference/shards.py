"""Which of many inputs a process predicts, if several share them: the i-th of n, as given or as a scheduler says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from selfdepth.errors import ConfigError

Item = TypeVar("Item")

AUTO = "auto"
_EXPECTED = "I/N with I from 1 to N, such as 2/8, or auto"
_WHOLE = re.compile(r"[0-9]{1,9}")
_TORCHRUN = ("RANK", "WORLD_SIZE")
_ARRAY = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN")
_STEP = ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_STEP_NUM_TASKS")


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A part of many inputs.

    Attributes:
        number: from 1 to `count`.
        count: number of parts.
        told_by: where the two come from, for the user.
    """

    number: int
    count: int
    told_by: str = "--shard"

    def of(self, items: Sequence[Item]) -> tuple[Item, ...]:
        """The items of this part: every `count`-th, so that no part has more than one item more than another."""
        return tuple(items[self.number - 1 :: self.count])

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def parse_shard(text: str, environment: Mapping[str, str]) -> Shard:
    """The part that `--shard` names.

    Args:
        text: "I/N"; or "auto": by the variables of torchrun, else those of a Slurm array, else those of `srun`.
        environment: the variables of this process.

    Raises:
        ConfigError: for any other text, and for variables that are missing or do not fit each other.
    """
    if text == AUTO:
        return _of_environment(environment)
    parts = text.split("/")
    if len(parts) != 2 or not all(map(_WHOLE.fullmatch, parts)):
        raise ConfigError("the shard cannot be read", where="--shard", expected=_EXPECTED, got=text)
    number, count = map(int, parts)
    if not 1 <= number <= count:
        raise ConfigError("there is no such shard", where="--shard", expected=_EXPECTED, got=text)
    return Shard(number=number, count=count)


def _of_environment(environment: Mapping[str, str]) -> Shard:
    # torchrun may run within a Slurm job, and srun within a task of an array. Only one of them counts: a process that
    # does too much finds it done, and one that does too little leaves a gap.
    if any(name in environment for name in _TORCHRUN):
        rank, count = (_number(environment, name) for name in _TORCHRUN)
        return _shard(rank, count, _TORCHRUN[0])
    if _ARRAY[0] in environment:
        task, count, first = (_number(environment, name) for name in _ARRAY)
        step = _number(environment, "SLURM_ARRAY_TASK_STEP", 1)
        if step < 1 or (task - first) % step or not 0 <= (task - first) // step < count:
            raise ConfigError(
                "the tasks of the array are not evenly spaced",
                where="--shard auto",
                expected="an array such as --array=1-8, whose tasks give I/N",
                got=f"task {task} of {count} from {first}",
                fix="run such an array, or give --shard I/N",
            )
        return _shard((task - first) // step, count, _ARRAY[0])
    if _STEP[0] in environment:
        return _of_step(environment)
    raise ConfigError(
        "the environment tells no shard",
        where="--shard auto",
        expected=f"{' and '.join(_TORCHRUN)}, {_ARRAY[0]}, or {_STEP[0]}",
        got="none of them",
        fix="give --shard I/N; 1/1 is all inputs",
    )


def _of_step(environment: Mapping[str, str]) -> Shard:
    """The shard of a task that `srun` has started."""
    rank, count = (_number(environment, name) for name in _STEP[:2])
    # The script of a job has the number of the job's tasks, too, but is one process: the others would be missing.
    if count > 1 and _STEP[2] not in environment:
        raise ConfigError(
            "the job has several tasks, but this is its script, which is one process",
            where="--shard auto",
            expected="selfdepth started by srun",
            got=f"{_STEP[1]}={count} without {_STEP[2]}",
            fix="write srun before selfdepth, or give --shard I/N",
        )
    return _shard(rank, count, _STEP[0])


def _shard(rank: int, count: int, variable: str) -> Shard:
    if not 0 <= rank < count:
        got = f"{variable} for rank {rank} of {count}"
        raise ConfigError(
            "the ranks do not fit", where="--shard auto", expected="from 0 to one below the count", got=got
        )
    return Shard(number=rank + 1, count=count, told_by=variable)


def _number(environment: Mapping[str, str], name: str, default: int | None = None) -> int:
    text = environment.get(name)
    if text is None and default is not None:
        return default
    if text is None or not _WHOLE.fullmatch(text):
        got = "nothing" if text is None else repr(text)
        fix = "give --shard I/N instead"
        raise ConfigError(f"{name} is no number", where="--shard auto", expected="a whole number", got=got, fix=fix)
    return int(text)

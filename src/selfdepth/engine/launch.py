"""Which of the processes of a run this one is, by the environment of torchrun or Slurm. Without torch."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from selfdepth.errors import ConfigError

_FIRST_PORT, _N_PORTS = 20_000, 10_000
"""Of Slurm, which names no port: jobs that share a node differ in the last digits of their numbers."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """The place of a process among those that train one run.

    Attributes:
        rank: its number, from 0. The first one alone writes and speaks.
        size: how many there are.
        local_rank: its number on its machine, which is also that of its GPU.
        address, port: where the first one is to be reached; without meaning for a single process.
        restarts: how often torchrun has started all of them again, because one was lost.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    address: str = ""
    port: int = 0
    restarts: int = 0


def place(environment: Mapping[str, str] = os.environ) -> Place:
    """The place of this process; the only one of a run if nobody has started several.

    Raises:
        ConfigError: for variables that are missing or make no sense.
    """
    if "WORLD_SIZE" in environment and "RANK" in environment:
        found = Place(
            rank=_number(environment, "RANK"),
            size=_number(environment, "WORLD_SIZE"),
            local_rank=_number(environment, "LOCAL_RANK", "0"),
            address=environment.get("MASTER_ADDR", ""),
            port=_number(environment, "MASTER_PORT", "0"),
            restarts=_number(environment, "TORCHELASTIC_RESTART_COUNT", "0"),
        )
    elif "SLURM_STEP_NUM_TASKS" in environment and "SLURM_PROCID" in environment:
        # Those of the step: a script of sbatch has the number of tasks of its job, but is a single process.
        found = Place(
            rank=_number(environment, "SLURM_PROCID"),
            size=_number(environment, "SLURM_STEP_NUM_TASKS"),
            local_rank=_number(environment, "SLURM_LOCALID", "0"),
            address=environment.get("MASTER_ADDR") or _first_node(environment.get("SLURM_STEP_NODELIST", "")),
            port=_number(environment, "MASTER_PORT", str(_port_of_job(environment))),
        )
    else:
        return Place()
    if not 0 <= found.rank < found.size:
        raise _refused("RANK", f"0 to {found.size - 1}", str(found.rank))
    if found.size > 1 and not found.address:
        raise _refused("MASTER_ADDR", "the name of the first process's machine", "none")
    if found.size > 1 and not 0 < found.port < 2**16:
        raise _refused("MASTER_PORT", "1 to 65535", str(found.port))
    return found


def speaks(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this process is the one that prints what all of a run have to say."""
    try:
        return place(environment).rank == 0
    except ConfigError:
        return True


def n_processes(environment: Mapping[str, str] = os.environ) -> int:
    """How many processes have been started together; 1 if what the environment says makes no sense."""
    try:
        return place(environment).size
    except ConfigError:
        return 1


def _port_of_job(environment: Mapping[str, str]) -> int:
    return _FIRST_PORT + _number(environment, "SLURM_JOB_ID", "0") % _N_PORTS


def _first_node(nodes: str) -> str:
    """The first of a list as Slurm writes it: "gpu[03-05,09],login1" has gpu03."""
    found = re.match(r"([^,\[]+)(?:\[(\d+))?", nodes)
    return "" if found is None else found[1] + (found[2] or "")


def _number(environment: Mapping[str, str], name: str, default: str = "") -> int:
    text = environment.get(name, default)
    if not re.fullmatch(r"\d{1,9}", text):
        raise _refused(name, "a whole number", text)
    return int(text)


def _refused(name: str, expected: str, got: str) -> ConfigError:
    return ConfigError(
        "the processes of the run cannot be told apart",
        where=f"the environment variable {name}",
        expected=expected,
        got=got,
        fix="start them with torchrun or srun, or unset RANK and WORLD_SIZE to train in one process",
    )

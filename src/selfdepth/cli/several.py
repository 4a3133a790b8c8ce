"""What the command line does where torchrun or Slurm has started it in several processes."""

from __future__ import annotations

from collections.abc import Sequence

from selfdepth.engine.launch import n_processes, speaks
from selfdepth.errors import ConfigError, EndedElsewhere

TRAIN, PREDICT = "train", "predict"
_SHARD = "--shard"


def require_shared(verb: str, words: Sequence[str]) -> None:
    """Refuse a verb that each of several processes would do from beginning to end, over the files of the others.

    Args:
        words: those after the verb.

    Raises:
        ConfigError: in the first process.
        EndedElsewhere: in the others.
    """
    n = n_processes()
    has_part = any(word.split("=")[0] == _SHARD for word in words)
    if n == 1 or verb == TRAIN or (verb == PREDICT and has_part):
        return
    if not speaks():
        raise EndedElsewhere
    raise ConfigError(
        "several processes cannot share this work",
        where=verb,
        expected="a single process",
        got=f"{n}, as WORLD_SIZE or Slurm says",
        fix=f"add {_SHARD} auto and a list of inputs"
        if verb == PREDICT
        else "start it without torchrun and srun, or unset RANK and WORLD_SIZE",
    )


def tells(error: Exception, words: Sequence[str]) -> bool:
    """Whether this process is to print an error. One that ends a run in several processes is told by one of them.

    Args:
        words: of the command line.
    """
    if words[:1] != [TRAIN] or n_processes() == 1:
        return True
    from selfdepth.engine.distributed import is_first_to_fail  # torch takes seconds; nobody else needs it here

    return is_first_to_fail(error)

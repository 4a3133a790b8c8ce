"""Whether the processes of a run were started alike: each trains its share of a step, so all must mean the same run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from selfdepth import __version__
from selfdepth.config import TrainConfig, to_json
from selfdepth.engine.distributed import World
from selfdepth.errors import ConfigError

_OF_ONE = "--device"
"""Each process may be told its own GPU."""


def require_alike(world: World, config: TrainConfig, folder: Path, *, resume: bool) -> None:
    """Refuse processes with other versions, options or folders, and a step that they cannot share out equally.

    Args:
        folder: of the run.

    Raises:
        ConfigError: in all of them.
    """
    if world.size > 1:
        _require_same(world.gather(dict(_facts(config, folder, resume=resume))))
    world.share_of(config.batch_size)


def _facts(config: TrainConfig, folder: Path, *, resume: bool) -> Iterator[tuple[str, str]]:
    """What must be the same in all processes, by the name under which a user knows it."""
    yield "the version of selfdepth", __version__
    yield "the version of torch", torch.__version__
    yield "--out", str(folder.resolve())
    yield "--resume", str(resume)
    for name, value in to_json(config).items():
        inner: dict[str, Any] = value if isinstance(value, dict) else {}
        for option, given in {f"{name}.{each}": of for each, of in inner.items()}.items() or [(name, value)]:
            words = f"--{option.replace('_', '-')}"
            if words != _OF_ONE:
                yield words, given if isinstance(given, str) else json.dumps(given)


def _require_same(every: list[dict[str, str]]) -> None:
    first, *others = every
    for rank, other in enumerate(others, 1):
        for name, value in first.items():
            if other.get(name) != value:
                raise ConfigError(
                    "the processes of a run were not started alike",
                    where=f"{name} of process {rank}",
                    expected=f"{value}, as process 0 has it",
                    got=other.get(name),
                    fix="start the same command, with the same versions, on all machines",
                )

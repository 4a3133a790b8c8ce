"""Processes of a run that were not started alike are refused, in one sentence that names the difference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from selfdepth.config import TrainConfig
from selfdepth.engine import alike
from selfdepth.engine.alike import require_alike
from selfdepth.engine.distributed import ALONE, World
from selfdepth.errors import ConfigError

CONFIG = TrainConfig(data="drive", batch_size=4)
NOT_DEFAULT = replace(CONFIG.loss, smoothness=0.5)


class Second(World):
    """The second of two processes, of which the first one was started with CONFIG in `run`."""

    def gather(self, values: Any) -> list[Any]:
        """What the first one said, and this one."""
        return [dict(alike._facts(CONFIG, Path("run"), resume=False)), values]


@pytest.mark.parametrize(
    ("changes", "start", "named"),
    [
        ({"data": "other"}, {}, "--data of process 1; expected drive, as process 0 has it; got other"),
        ({"steps": 7}, {}, "--steps of process 1; expected null, as process 0 has it; got 7"),
        ({"seed": 1}, {}, "--seed of process 1"),
        ({"loss": NOT_DEFAULT}, {}, "--loss.smoothness of process 1; expected 0.001"),
        ({}, {"folder": Path("elsewhere")}, "--out of process 1"),
        ({}, {"resume": True}, "--resume of process 1; expected False, as process 0 has it; got True"),
    ],
)
def test_another_command_is_refused_by_its_option(changes: dict[str, Any], start: dict[str, Any], named: str) -> None:
    start = {"folder": Path("run"), "resume": False} | start
    with pytest.raises(ConfigError, match=named) as refused:
        require_alike(Second(size=2, rank=1), replace(CONFIG, **changes), **start)
    assert "start the same command" in str(refused.value)


@pytest.mark.parametrize("module", ["selfdepth", "torch"])
def test_another_version_is_refused(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = dict(alike._facts(CONFIG, Path("run"), resume=False))
    monkeypatch.setattr(Second, "gather", lambda self, values: [theirs, values])
    if module == "torch":
        monkeypatch.setattr(torch, "__version__", "0.1")
    else:
        monkeypatch.setattr(alike, "__version__", "0.1")
    with pytest.raises(ConfigError, match=f"the version of {module} of process 1.* got 0.1"):
        require_alike(Second(size=2, rank=1), CONFIG, Path("run"), resume=False)


def test_each_process_may_have_its_own_device_and_write_its_folder_in_its_own_way(tmp_path: Path) -> None:
    second = Second(size=2, rank=1)
    require_alike(second, replace(CONFIG, device="cuda:1"), Path("run/../run"), resume=False)
    require_alike(ALONE, CONFIG, tmp_path, resume=False)


def test_a_step_that_cannot_be_shared_out_equally_is_refused() -> None:
    world = World(size=3)
    with pytest.raises(ConfigError, match="a multiple of 3"):
        alike.require_alike(replace_gather(world), CONFIG, Path("run"), resume=False)


def replace_gather(world: World) -> World:
    """The processes, all started as this one."""

    class Same(World):
        def gather(self, values: Any) -> list[Any]:
            return [values] * self.size

    return Same(size=world.size)

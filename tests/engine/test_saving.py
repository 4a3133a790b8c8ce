"""The checkpoint comes first, and the models follow from it, also when the process is killed in between."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from selfdepth.config import TrainConfig
from selfdepth.engine import saving as module
from selfdepth.engine import train as train_module
from selfdepth.engine.checkpoint import last_checkpoint
from selfdepth.engine.setup import Run
from selfdepth.engine.train import train
from selfdepth.engine.validate import Validation
from selfdepth.errors import DiskFullError, OutputError, SelfDepthWarning
from selfdepth.weights.files import load_weights, saved_step

HalfRun = Callable[[], Path]


class Killed(BaseException):
    """As a kill: nothing is tidied up by what catches errors."""


def models(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name / "model.safetensors").read_bytes() for name in ("best", "last")}


@pytest.mark.parametrize("after", [0, 1])
def test_a_run_that_is_killed_between_its_checkpoint_and_its_models_gets_them_at_the_resume(
    whole_run: Run, tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    save, saved = module.save_weights, []

    def kill(folder: Path, *args: Any) -> None:
        if len(saved) == after:
            raise Killed
        save(folder, *args)
        saved.append(folder)

    with monkeypatch.context() as patch:
        patch.setattr(module, "save_weights", kill)
        with pytest.raises(Killed):
            train(tiny, tmp_path / "run")
    checkpoint = last_checkpoint(tmp_path / "run")
    assert checkpoint is not None and checkpoint.name == "step_000002"
    train(replace(tiny, steps=2), tmp_path / "run", resume=True)
    assert {name: saved_step(tmp_path / "run" / name) for name in ("best", "last")} == {"best": 2, "last": 2}
    train(tiny, tmp_path / "run", resume=True)
    assert models(tmp_path / "run") == models(whole_run.folder)


def test_a_finished_run_is_left_as_it_is_also_by_a_smaller_budget(
    whole_run: Run, tiny: TrainConfig, tmp_path: Path, ear: Any
) -> None:
    folder = shutil.copytree(whole_run.folder, tmp_path / "run")
    times = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.rglob("*") if path.is_file()}
    for steps in (4, 3):
        run = train(replace(tiny, steps=steps), folder, resume=True, watcher=ear)
        assert run.progress.step == 4
    assert {
        path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.rglob("*") if path.is_file()
    } == times
    assert sum("left as it is" in text for text in ear.said) == 2


def _full(*args: Any, **options: Any) -> None:
    raise DiskFullError("cannot write", where="step_000004", expected="1.5 MB of space", got="No space left on device")


def test_on_a_full_disk_the_older_checkpoints_stay_and_the_run_ends(
    make_half_run: HalfRun, tiny: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_half_run()
    monkeypatch.setattr(module, "save_checkpoint", _full)
    with pytest.raises(OutputError, match=r"step_000004; expected 1\.5 MB"):
        train(tiny, folder, resume=True)
    monkeypatch.undo()
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["step_000002"]
    assert train(tiny, folder, resume=True).progress.step == 4


def test_a_run_that_may_wait_goes_on_when_there_is_space_and_says_so_once(
    whole_run: Run, make_half_run: HalfRun, tiny: TrainConfig, monkeypatch: pytest.MonkeyPatch, ear: Any
) -> None:
    folder, save, tries = make_half_run(), module.save_checkpoint, []

    def full_twice(*args: Any, **options: Any) -> Path:
        tries.append(True)
        if len(tries) < 3:
            _full()
        return save(*args, **options)

    monkeypatch.setattr(module, "save_checkpoint", full_twice)
    monkeypatch.setattr(train_module, "_FULL_DISK_S", 0)
    train(replace(tiny, on_full_disk="wait"), folder, resume=True, watcher=ear)
    assert len(tries) == 3 and sum("waiting for space" in text for text in ear.said) == 1
    assert models(folder) == models(whole_run.folder)


def test_waiting_for_space_does_not_count_as_time_to_train(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, tries, waited = module.save_checkpoint, [], [0.0]
    clock = time.monotonic

    def full_once(*args: Any, **options: Any) -> Path:
        tries.append(True)
        if len(tries) == 1:
            _full()
        return save(*args, **options)

    monkeypatch.setattr(module, "save_checkpoint", full_once)
    monkeypatch.setattr(train_module.time, "sleep", lambda seconds: waited.append(waited.pop() + 1000 * seconds))
    monkeypatch.setattr(train_module.time, "monotonic", lambda: clock() + waited[0])
    run = train(replace(tiny, on_full_disk="wait"), tmp_path / "run")
    assert waited[0] >= 10_000 and len(tries) > 2
    assert run.progress.step == 4 and run.progress.elapsed_s < 1000


def test_when_somebody_removes_the_folder_the_run_goes_on_and_can_be_resumed(
    tiny: TrainConfig, tmp_path: Path, ear: Any
) -> None:
    folder = tmp_path / "run"

    def remove() -> None:
        shutil.rmtree(folder, ignore_errors=True)

    ear.at_step = remove  # at the first step, which is always logged
    train(tiny, folder, watcher=ear)
    assert saved_step(folder / "last") == 4
    assert train(replace(tiny, steps=5), folder, resume=True).progress.step == 5


def _flip_a_bit(folder: Path) -> None:
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "said"), [(_flip_a_bit, "damaged, and is kept as best.damaged"), (shutil.rmtree, "missing")]
)
def test_a_best_model_that_is_lost_is_said_and_the_next_validation_finds_another(
    make_half_run: HalfRun, tiny: TrainConfig, monkeypatch: pytest.MonkeyPatch, damage: Any, said: str
) -> None:
    def worse(run: Run, of_constant: float | None) -> Validation:
        return Validation(loss=1e6 + run.progress.step)

    folder = make_half_run()
    monkeypatch.setattr(train_module, "validate", worse)
    train(replace(tiny, steps=3), folder, resume=True)
    assert {name: saved_step(folder / name) for name in ("best", "last")} == {"best": 2, "last": 3}
    damage(folder / "best")
    with pytest.warns(SelfDepthWarning, match=rf"best, the model of step 2, is {said}.*last/ is the run's model"):
        train(replace(tiny, steps=3), folder, resume=True)
    assert load_weights(folder).step == 3, "of a finished run, the last"
    with pytest.warns(SelfDepthWarning, match="is missing"):
        run = train(tiny, folder, resume=True)
    assert (saved_step(folder / "best"), run.progress.best_step, run.progress.best_score) == (4, 4, 1e6 + 4)


def test_a_best_model_that_somebody_removes_does_not_leave_its_score_behind(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def worse(run: Run, of_constant: float | None) -> Validation:
        shutil.rmtree(run.folder / "best", ignore_errors=True)
        return Validation(loss=float(run.progress.step))

    monkeypatch.setattr(train_module, "validate", worse)
    run = train(tiny, tmp_path / "run")
    assert (saved_step(run.folder / "best"), run.progress.best_step, run.progress.best_score) == (4, 4, 4.0)

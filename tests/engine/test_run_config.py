"""The configuration in a run folder reads back as it was written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from selfdepth.config import LossConfig, TrainConfig, to_json
from selfdepth.engine.run_config import read_run_config, restore_config
from selfdepth.engine.setup import Run
from selfdepth.engine.train import train
from selfdepth.errors import CheckpointError, ConfigError, SelfDepthWarning

RUN = TrainConfig(data="drive", camera="fov:60", width=96, height=64, steps=4, loss=LossConfig(ssim=False))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (None, CheckpointError),
        ("{", CheckpointError),
        ("[]", CheckpointError),
        ("{}[]", CheckpointError),
        ("{}", CheckpointError),
        ('{"lr": 1}', ConfigError),
    ],
)
def test_a_folder_without_a_readable_configuration_is_refused_by_the_file(
    tmp_path: Path, text: str | None, error: type[Exception]
) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(error, match=r"config\.json"):
        read_run_config(tmp_path)


def test_a_configuration_is_read_from_its_run_folder_and_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(to_json(RUN)))
    assert read_run_config(tmp_path) == read_run_config(tmp_path / "config.json") == RUN


DAMAGES: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-20]),
    "no options": lambda path: path.write_text("{}"),
    "of a program": lambda path: path.write_text('{"name": "mine"}'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_run_whose_configuration_is_lost_gets_it_back_from_its_newest_checkpoint(
    whole_run: Run, tmp_path: Path, damage: str
) -> None:
    folder = Path(shutil.copytree(whole_run.folder, tmp_path / "run"))
    DAMAGES[damage](folder / "config.json")
    assert read_run_config(folder) == read_run_config(whole_run.folder)
    with pytest.warns(SelfDepthWarning, match=r"config\.json; it is restored from checkpoints/step_000004/config"):
        restore_config(folder)
    assert (folder / "config.json").read_bytes() == (whole_run.folder / "config.json").read_bytes()


def test_a_run_of_an_older_version_gets_its_configuration_back_from_its_model(whole_run: Run, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole_run.folder, tmp_path / "run"))
    for lost in (folder / "config.json", *folder.glob("checkpoints/*/config.json")):
        lost.unlink()
    with pytest.warns(SelfDepthWarning, match="restored from last/config"):
        restore_config(folder)
    assert read_run_config(folder) == read_run_config(whole_run.folder)
    shutil.rmtree(folder / "last")
    assert read_run_config(folder) == read_run_config(folder / "best/config.json")


def test_a_configuration_in_a_checkpoint_is_believed_only_if_it_is_what_was_written(
    whole_run: Run, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(whole_run.folder, tmp_path / "run"))
    (folder / "config.json").unlink()
    newest = folder / "checkpoints/step_000004/config.json"
    newest.write_text(newest.read_text().replace('"seed": 0', '"seed": 4'))
    with pytest.warns(SelfDepthWarning, match="restored from checkpoints/step_000002/config"):
        restore_config(folder)
    assert read_run_config(folder).seed == 0


def test_a_run_goes_on_without_its_configuration_and_refuses_one_that_was_changed(
    tiny: TrainConfig, make_half_run: Callable[[], Path]
) -> None:
    folder = make_half_run()
    (folder / "config.json").unlink()
    with pytest.warns(SelfDepthWarning, match="it is restored"):
        assert train(replace(tiny, steps=3), folder, resume=True).progress.step == 3
    path = folder / "config.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 4'))
    with pytest.raises(ConfigError, match="--seed; expected 0; got 4"):
        train(replace(read_run_config(folder), steps=4), folder, resume=True)


def test_the_configuration_of_a_model_or_a_checkpoint_repeats_its_run(whole_run: Run) -> None:
    for place in ("last", "best", "checkpoints/step_000004"):
        assert to_json(read_run_config(whole_run.folder / place / "config.json")) == to_json(whole_run.config)

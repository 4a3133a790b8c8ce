"""The configuration in a run folder reads back as it was written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfdepth.config import LossConfig, TrainConfig, to_json
from selfdepth.engine.run_config import read_run_config
from selfdepth.errors import CheckpointError, ConfigError

RUN = TrainConfig(data="drive", camera="fov:60", width=96, height=64, steps=4, loss=LossConfig(ssim=False))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (None, CheckpointError),
        ("{", CheckpointError),
        ("[]", CheckpointError),
        ("{}[]", CheckpointError),
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

"""What a run's configuration accepts and refuses."""

from __future__ import annotations

from typing import Any

import pytest

from selfdepth.config import EncoderConfig, LossConfig, TrainConfig
from selfdepth.errors import ConfigError
from selfdepth.geometry.crop import Crop

NAN = float("nan")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"encoder": EncoderConfig(pose_input="all"), "offsets": (1,)}, "--encoder.pose-input"),
        ({"encoder": EncoderConfig(pose_input="all"), "offsets": (), "stereo": "nominal"}, "two --offsets"),
        ({"encoder": EncoderConfig(pose_network="posecnn"), "offsets": (), "stereo": "nominal"}, "no pose network"),
        (
            {"encoder": EncoderConfig(pose_name="resnet50"), "offsets": (), "stereo": "calibrated"},
            "no pose network to choose: --encoder.pose-name; got resnet50",
        ),
        (
            {"loss": LossConfig(consistency=0.1), "offsets": (), "stereo": "calibrated"},
            "no depths to compare: --loss.consistency",
        ),
        (
            {"loss": LossConfig(align_motion=True), "offsets": (), "stereo": "calibrated"},
            "needs no alignment: --loss.align-motion; expected --offsets; got none; add --loss.no-align-motion",
        ),
        ({"camera": "learn", "stereo": "calibrated"}, "the camera of a stereo pair is known"),
        ({"camera": "learn:fov:70", "stereo": "nominal"}, "--camera learn:fov:70; expected --stereo none"),
        ({"camera": "learn", "self_teacher": "run"}, "a student learns depth from its teacher alone"),
        ({"camera": "learn:"}, "the camera to start from is empty"),
        ({"width": 0}, "--width"),
        ({"width": 32}, "at least 64"),
        ({"width": 100}, "try 96 or 128"),
        ({"width": -64}, "--width"),
        ({"height": 90}, "try 64 or 96"),
        ({"batch_size": 0}, "--batch-size"),
        ({"learning_rate": 0.0}, "--learning-rate"),
        ({"learning_rate": 1.0}, "--learning-rate"),
        ({"learning_rate": NAN}, "--learning-rate"),
        ({"save_every": 0}, "--save-every"),
        ({"keep": 0}, "--keep"),
        ({"offsets": ()}, "--offsets"),
        ({"offsets": (0, 1)}, "--offsets"),
        ({"offsets": (1, 1)}, "--offsets"),
        ({"offsets": (0,), "stereo": "calibrated"}, "--offsets"),
        ({"steps": 0}, "--steps"),
        ({"epochs": -1}, "--epochs"),
        ({"minutes": 0.0}, "--minutes"),
        ({"minutes": NAN}, "--minutes"),
        ({"steps": 5, "epochs": 1}, "--steps and --epochs"),
        ({"steps": 5, "minutes": 1.0}, "one budget"),
        ({"every": "0"}, "--every"),
        ({"every": "-2"}, "--every"),
        ({"every": "often"}, "auto or a whole number"),
        ({"crop": "1,2,3"}, "--crop"),
        ({"crop": "1,2,3,-4"}, "--crop"),
        ({"crop": "a,b,c,d"}, "top,bottom,left,right"),
        ({"anchor": 0.0, "init": "a"}, "--anchor"),
        ({"anchor": NAN, "init": "a"}, "--anchor"),
        ({"anchor": 0.1}, "--anchor; expected --init MODEL"),
        ({"freeze_batch_norm": True}, "--freeze-batch-norm; expected --init MODEL"),
        ({"freeze_batch_norm": True, "sync_batch_norm": True, "init": "a"}, "--sync-batch-norm; leave it out"),
        ({"sync_batch_norm": True, "compile": True}, "got --compile; add --no-compile"),
        ({"self_teacher": "a", "anchor": 0.1, "init": "b"}, "--anchor and --self-teacher exclude"),
        ({"self_teacher": "a", "encoder": EncoderConfig(pose_network="shared")}, "--encoder.pose-network"),
        (
            {"self_teacher": "a", "loss": LossConfig(automask=False, predictive_mask=True)},
            "--loss.predictive-mask; got --self-teacher",
        ),
    ],
)
def test_a_run_out_of_range_is_refused_by_the_name_of_its_option(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError) as refused:
        TrainConfig(**changes)
    assert named in str(refused.value)


def test_spacing_and_crop_are_read_as_numbers() -> None:
    assert TrainConfig(every="3").spacing == 3
    assert TrainConfig(every="auto").spacing is None
    assert TrainConfig(crop=" 1, 2,3 ,4").crop_px == Crop(top=1, bottom=2, left=3, right=4)
    assert TrainConfig().crop_px == Crop()


def test_depth_of_the_nominal_baseline_is_not_in_metres() -> None:
    assert TrainConfig(offsets=(), stereo="nominal").metres_per_unit == 5.4

"""The options of what gives a run its metres besides a stereo pair: the speed of the vehicle, the camera's height."""

from __future__ import annotations

import math

from selfdepth.checks import require
from selfdepth.config.loss import LossConfig
from selfdepth.errors import ConfigError

OXTS = "oxts"
"""Stands for the measurements that KITTI keeps in each drive."""
NEAR_M, START_M = 0.5, 5.0
"""Depths in metres from which a run with a known scale learns, unless it is told others: those of the stereo presets.
The published start of about 0.2 would shift the sources out of the image by a motion in metres."""
RELATIVE_RANGES = ((0.1, None), (0.02, 0.2))
"""(near, start_depth) that suit a unit which is free: the published ones, and those of the presets without a GPU."""


HEIGHTS_M = (0.01, 30)
"""Heights above the road at which a camera is carried: those of toy cars, and of cranes. 165 are centimetres."""


def require_height(metres: float | None, option: str) -> None:
    """Raise ConfigError for a height above the road that is none, by the name of the option; None passes."""
    least, most = HEIGHTS_M
    if metres is not None and not least <= metres <= most:
        raise ConfigError(
            "option out of range",
            where=option,
            expected=f"metres above the road, from {least:g} to {most:g}",
            got=f"{metres:g}",
            fix=f"give {metres / 100:g} if these are centimetres" if most < metres <= 100 * most else None,
        )


def check_known_scale(
    *,
    speed: str | None,
    clock_offset: float | None,
    camera_height: float | None,
    loss: LossConfig,
    stereo: bool,
    offsets: tuple[int, ...],
) -> None:
    """Refuse options of a known scale that do not go with the rest. Arguments as in TrainConfig.

    Raises:
        ConfigError: for the first of them.
    """
    # Options of a part that is switched off are refused: whoever gives them expects an effect.
    on = {"--speed": speed is not None, "--camera-height": camera_height is not None}
    needs = (
        ("--clock-offset", clock_offset is None, "--speed"),
        ("--loss.speed", loss.speed == LossConfig.speed, "--speed"),
        ("--loss.height", loss.height == LossConfig.height, "--camera-height"),
    )
    for option, untouched, of in needs:
        if not (untouched or on[of]):
            raise ConfigError("the option has no effect by itself", where=option, expected=f"{of} with it")
    finite = clock_offset is None or math.isfinite(clock_offset)
    require(finite, "--clock-offset", "a number of seconds", clock_offset)
    require_height(camera_height, "--camera-height")
    for option, given in on.items():
        if given and stereo:
            fix = "leave one of them out"
            raise ConfigError("the stereo pair gives the scale already", where=option, got="--stereo", fix=fix)
    if speed is not None and not offsets:
        raise ConfigError("there is no motion to compare the speed with", where="--speed", expected="--offsets")

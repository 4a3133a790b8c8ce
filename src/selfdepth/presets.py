"""Runs with a name: values of TrainConfig, and nothing else.

The height is not given: with the frames' aspect kept, KITTI's become 640x192, 1024x320, 416x128 as named.
"""

from __future__ import annotations

import difflib
from dataclasses import replace

from selfdepth.config import LossConfig, TrainConfig
from selfdepth.errors import ConfigError

_METRIC = LossConfig(near=0.5, start_depth=5.0)
"""Depth in metres. At the sigmoid's middle the cameras' shift would be wider than the image: nothing to learn from."""

_SIZES: dict[str, TrainConfig] = {
    # The paper's main size (Table 1): 20 epochs, batch 12, Adam 1e-4.
    "640x192": TrainConfig(width=640),
    # Table 1, "1024 x 320".
    "1024x320": TrainConfig(width=1024, batch_size=4),
    # The small size of Table 1.
    "416x128": TrainConfig(width=416),
    # For processors without an accelerator: more steps a minute matter more than pixels, early in training.
    "320x96": TrainConfig(width=320, learning_rate=2e-4),
    "192x64": TrainConfig(width=192, learning_rate=2e-4),
}

PRESETS: dict[str, TrainConfig] = {
    # Table 1's M, S and MS; the stereo ones with the calibrated baseline, in metres.
    **{f"mono-{size}": config for size, config in _SIZES.items()},
    **{
        f"stereo-{size}": replace(config, offsets=(), stereo="calibrated", loss=_METRIC)
        for size, config in _SIZES.items()
    },
    **{f"mono-stereo-{size}": replace(config, stereo="calibrated", loss=_METRIC) for size, config in _SIZES.items()},
}

DEFAULT_EPOCHS = 20
"""The paper's budget, taken when none is given."""


def preset(name: str) -> TrainConfig:
    """The run of that name.

    Raises:
        ConfigError: if there is none, naming the closest.
    """
    if name not in PRESETS:
        close = difflib.get_close_matches(name, PRESETS, n=1)
        raise ConfigError(
            "no such preset",
            where="PRESET",
            expected=", ".join(PRESETS),
            got=name,
            fix=f"did you mean {close[0]}" if close else None,
        )
    return PRESETS[name]

"""Runs with a name: values of TrainConfig, and nothing else.

The height is not given: with the frames' aspect kept, KITTI's become 640x192, 1024x320, 416x128 as named.
"""

from __future__ import annotations

import difflib

from selfdepth.config import TrainConfig
from selfdepth.errors import ConfigError

PRESETS: dict[str, TrainConfig] = {
    # The paper's main model (Table 1, "M"): 20 epochs, batch 12, Adam 1e-4.
    "mono-640x192": TrainConfig(width=640),
    # Table 1, "M 1024x320".
    "mono-1024x320": TrainConfig(width=1024, batch_size=4),
    # The small size of Table 1.
    "mono-416x128": TrainConfig(width=416),
    # For processors without an accelerator: more steps a minute matter more than pixels, early in training.
    "mono-320x96": TrainConfig(width=320, learning_rate=2e-4),
    "mono-192x64": TrainConfig(width=192, learning_rate=2e-4),
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

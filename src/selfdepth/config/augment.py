"""The options of augmentation, as plain values. Imports no torch, because --help imports this."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from selfdepth.checks import check_numbers, require

LARGEST = 4.0
"""Largest zoom and stretch: a clip must keep enough pixels to learn from."""
_WEATHER_WEIGHT = 0.03


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """How clips are changed before they are learned from, beyond the flip, which is always on."""

    colours: Literal["jitter", "shift"] = "jitter"
    """Change the colours of half of the clips: by the jitter of the paper, or by the shift of Monodepth v1."""
    zoom: float = 1.0
    """Enlarge half of the clips at a random place, by a random factor from 1 to this (at most 4). The camera follows
    exactly. At 1 nothing is enlarged."""
    stretch: float = 1.0
    """Change the aspect ratio of half of the clips, by a random factor up to this (at most 4) either way. The camera
    follows exactly. At 1 nothing is stretched."""
    weather: float = 0.0
    """Share of the clips, 0 to 1, whose target the depth network must also understand in bad conditions: at night, in
    fog or rain, with noise, blur or glare. The loss and the pose network see the clear images."""
    weather_weight: float = _WEATHER_WEIGHT
    """Weight of the difference, in log disparity, between the target in bad conditions and the same target clear."""

    def __post_init__(self) -> None:
        check_numbers(self, "augment.")
        for name in ("zoom", "stretch"):
            factor = getattr(self, name)
            require(1 <= factor <= LARGEST, f"--augment.{name}", f"a number from 1 to {LARGEST:g}", factor)
        require(0 <= self.weather <= 1, "--augment.weather", "a number from 0 to 1", self.weather)
        require(0 < self.weather_weight < math.inf, "--augment.weather-weight", "more than 0", self.weather_weight)
        require(
            self.weather == 0 or self.colours == "jitter", "--augment.weather", "--augment.colours jitter", self.colours
        )
        # An option of a part that is switched off is refused: whoever gives it expects an effect.
        require(
            self.weather > 0 or self.weather_weight == _WEATHER_WEIGHT,
            "--augment.weather-weight",
            "--augment.weather above 0",
            f"--augment.weather {self.weather:g}",
        )

    @property
    def zooms(self) -> bool:
        """Whether clips are enlarged or stretched."""
        return self.zoom > 1 or self.stretch > 1

"""Which options Monodepth v1 takes: those of parts that it lacks are refused, because they would have no effect."""

from __future__ import annotations

from collections.abc import Mapping

from selfdepth.errors import ConfigError

FIXED: dict[str, object] = {
    # Pairs alone; the pose network's own options are refused without offsets.
    "offsets": (),
    # Its learning rate halves twice, at 60 % and 80 % of the budget.
    "drop_after": None,
    # Other things to learn from.
    "teacher.path": None,
    "self_teacher": None,
    "anchor": None,
    "freeze_batch_norm": False,
    # Its disparity is a share of the width of whole images.
    "augment.zoom": 1.0,
    "augment.stretch": 1.0,
    # Contributions of the later paper, and what serves its pose network.
    "loss.automask": False,
    "loss.reprojection": "mean",
    "loss.multiscale": "native",
    "loss.predictive_mask": False,
    # Its disparity is a share of the width, from 0 to 0.3, and warping needs no camera.
    "loss.near": 0.1,
    "loss.far": 100.0,
    "loss.start_depth": None,
    "loss.pixel_convention": "center",
}
"""Options that must keep these values, by field. They are those of the preset."""


def check_v1_options(values: Mapping[str, object]) -> None:
    """Refuse options that Monodepth v1 has no use for.

    Args:
        values: of the run and its objective, by field as in FIXED.

    Raises:
        ConfigError: for the first one that differs.
    """
    for name, has in FIXED.items():
        if values[name] != has:
            raise ConfigError(
                "Monodepth v1 has no such choice",
                where=f"--{name}".replace("_", "-"),
                expected="none" if has in (None, ()) else str(has),
                got=str(values[name]),
                fix="leave it out, and start from the preset monodepth-v1-512x256",
            )

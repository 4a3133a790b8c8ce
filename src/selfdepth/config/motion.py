"""Options of the motion between neighbours in time, which a run without neighbours, or with one, cannot have."""

from __future__ import annotations

from selfdepth.config.encoder import POSE_ENCODER, EncoderConfig
from selfdepth.config.loss import LossConfig
from selfdepth.errors import ConfigError


def check_motion(*, offsets: tuple[int, ...], loss: LossConfig, encoder: EncoderConfig) -> None:
    """Refuse options of the motion that do not go with the offsets. Arguments as in TrainConfig.

    Raises:
        ConfigError: for the first.
    """
    n = len(offsets)
    if n == 0 and loss.align_motion:
        raise ConfigError(
            "the motion of a stereo pair is known, and needs no alignment",
            where="--loss.align-motion",
            expected="--offsets",
            got="none",
            fix="add --loss.no-align-motion",
        )
    if n == 0 and loss.consistency > 0:
        raise ConfigError(
            "without neighbours in time there are no depths to compare",
            where="--loss.consistency",
            expected="--offsets",
            got="none",
            fix="leave it out: the stereo pair ties the scale down",
        )
    if encoder.pose_input == "all" and n < 2:
        raise ConfigError(
            "the pose network cannot see all sources at once",
            where="--encoder.pose-input",
            expected="at least two --offsets",
            got=str(offsets),
            fix="use --encoder.pose-input pairs",
        )
    network, name = encoder.pose_network, encoder.pose_name
    for option, got, defaults in (("network", network, ("separate",)), ("name", name, (None, POSE_ENCODER))):
        if n == 0 and got not in defaults:
            raise ConfigError(
                "without neighbours in time there is no pose network to choose",
                where=f"--encoder.pose-{option}",
                got=got,
                fix="leave it out, or give --offsets",
            )

"""Named runs: values of TrainConfig, and nothing else.

`MODE-SIZE` are ours: calibrated cameras, exact pixels, metres where stereo pairs provide them. They leave the height
open, which then follows from the aspect of the frames; for KITTI's it becomes the height in the name. `-fastest` and
`-smallest` have smaller encoders, `-edge` a smaller decoder.
`paper-MODE-SIZE-VARIANT` are the rows of the paper's tables, in the paper's conventions; `paper/tables.py` holds what
was published for each.
"""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import Any

from selfdepth.config import LITE0, AugmentConfig, EncoderConfig, LossConfig, TrainConfig
from selfdepth.errors import ConfigError

_METRIC = LossConfig(near=0.5, start_depth=5.0)
"""For depth in metres. With the published range an untrained network predicts 0.2 m, where KITTI's baseline of 0.53 m
shifts the partner's view by more than the width of the image: no pixel would have a gradient."""

_ROOM = LossConfig(near=0.02, start_depth=0.2)
"""The published start with room in front of it. An untrained network predicts 0.2, and the published range ends at 0.1:
what is nearer than half of the scene's middle depth would be clipped until the whole scene has grown, for which a short
run has no time."""

_LIGHT: dict[str, Any] = {
    "batch_size": 6,
    "learning_rate": 2e-4,
    "encoder": EncoderConfig(name=LITE0),
    "loss": _ROOM,
}

_SIZES: dict[str, TrainConfig] = {
    # The paper's main size (Table 1): 20 epochs, batch 12, Adam 1e-4.
    "640x192": TrainConfig(width=640),
    # Table 1, "1024 x 320".
    "1024x320": TrainConfig(width=1024, batch_size=4),
    # The small size of Table 1.
    "416x128": TrainConfig(width=416),
    # For machines without a GPU: early in training, more steps per minute matter more than more pixels, and than more
    # clips per step.
    "320x96": TrainConfig(width=320, **_LIGHT),
    "192x64": TrainConfig(width=192, **_LIGHT),
}


def _with_good_motion(config: TrainConfig) -> TrainConfig:
    """Where one camera's motion must be learned: the motion first, and aligned before depth is learned by it."""
    return replace(config, motion_first=True, loss=replace(config.loss, align_motion=True))


_PAPER = TrainConfig(
    # One camera for every date of KITTI, in fractions of the image, as published.
    camera="paper",
    width=640,
    height=192,
    # K / 2^s at lower scales, as published.
    loss=LossConfig(pixel_convention="corner"),
    # A rate of 1e-4 for 15 epochs, then 1e-5, as published.
    epochs=20,
    drop_after=15,
    # The paper's models were trained in fp32 throughout.
    precision="fp32",
)

_PAPER_MODES: dict[str, dict[str, Any]] = {
    "mono": {},
    # The baseline counts as 0.1, as published; depth times 5.4 is then in metres.
    "stereo": {"offsets": (), "stereo": "nominal"},
    "mono-stereo": {"stereo": "nominal"},
}

_WITHOUT_THE_THREE: dict[str, Any] = {"automask": False, "reprojection": "mean", "multiscale": "native"}
"""The paper's baseline: none of its three contributions."""

_PAPER_LOSSES: dict[str, dict[str, Any]] = {
    "baseline": _WITHOUT_THE_THREE,
    "baseline-min": {**_WITHOUT_THE_THREE, "reprojection": "min"},
    "baseline-automask": {**_WITHOUT_THE_THREE, "automask": True},
    "baseline-multiscale": {**_WITHOUT_THE_THREE, "multiscale": "full"},
    "no-min": {"reprojection": "mean"},
    "no-automask": {"automask": False},
    "no-multiscale": {"multiscale": "native"},
    "no-ssim": {"ssim": False},
    "predictive-mask": {"automask": False, "predictive_mask": True},
}

_PAPER_NETWORKS: dict[str, dict[str, Any]] = {
    "resnet50": {"name": "resnet50"},
    "separate-all": {"pose_input": "all"},
    "shared": {"pose_network": "shared"},
    "shared-all": {"pose_network": "shared", "pose_input": "all"},
    "posecnn": {"pose_network": "posecnn"},
    "posecnn-all": {"pose_network": "posecnn", "pose_input": "all"},
}

_PAPER_FROM_SCRATCH = ("baseline", "no-min", "no-automask", "no-multiscale", "resnet50")
"""Variants of mono-640x192 that the paper also trained from random weights."""


def _from_scratch(config: TrainConfig) -> TrainConfig:
    """The paper's "no pt": random weights, and half as many epochs again."""
    return replace(config, encoder=replace(config.encoder, pretrained=False), epochs=30)


def _paper_presets() -> dict[str, TrainConfig]:
    presets: dict[str, TrainConfig] = {}
    for mode, changes in _PAPER_MODES.items():
        full = presets[f"paper-{mode}-640x192"] = replace(_PAPER, **changes)
        presets[f"paper-{mode}-640x192-no-pt"] = _from_scratch(full)
        # It continues the 640x192 model (CONTINUES): five more epochs at the low learning rate.
        presets[f"paper-{mode}-1024x320"] = replace(
            full, width=1024, height=320, batch_size=4, learning_rate=1e-5, epochs=5
        )
    full = presets["paper-mono-640x192"]
    presets["paper-mono-416x128"] = replace(full, width=416, height=128)
    for name, changes in _PAPER_LOSSES.items():
        presets[f"paper-mono-640x192-{name}"] = replace(full, loss=replace(full.loss, **changes))
    for name, changes in _PAPER_NETWORKS.items():
        presets[f"paper-mono-640x192-{name}"] = replace(full, encoder=EncoderConfig(**changes))
    # Table 9.
    presets["paper-mono-stereo-640x192-resnet50"] = replace(
        presets["paper-mono-stereo-640x192"], encoder=EncoderConfig(name="resnet50")
    )
    for name in _PAPER_FROM_SCRATCH:
        presets[f"paper-mono-640x192-{name}-no-pt"] = _from_scratch(presets[f"paper-mono-640x192-{name}"])
    return presets


_LIGHT_ENCODERS: dict[str, EncoderConfig] = {
    "fastest": EncoderConfig(name="mobilenetv3_small_100", pretrained=False),
    "smallest": EncoderConfig(name="ghostnet_100", pretrained=False),
}
"""Encoders for machines without a GPU that predict faster or take less room than the usual one, by measurement
(docs/encoders.md). From random weights, as measured: theirs would have to be downloaded."""

_EDGE = EncoderConfig(name=LITE0, scales=(1, 2, 3))
"""For phones and small boards. The encoder has ReLU6 and no squeeze-and-excitation, so that eight bits hold its values
and every runtime knows its operators. Without the decoder's finest level, the only one at the size of the image, an
export enlarges the disparity instead."""

MONODEPTH_V1 = "monodepth-v1-512x256"
"""The predecessor (Godard et al., CVPR 2017): stereo pairs alone, in metres."""

_MONODEPTH_V1 = TrainConfig(
    method="monodepth-v1",
    offsets=(),
    stereo="calibrated",
    # The frames are resized to this whatever their aspect, as published.
    width=512,
    height=256,
    # The paper's "resnet", from random weights. Its other network resembles a VGG.
    encoder=EncoderConfig(name="resnet50", pretrained=False),
    # None of the later contributions; the smoothness is that of the disparity as a share of the width.
    loss=LossConfig(automask=False, reprojection="mean", multiscale="native", smoothness=0.1),
    augment=AugmentConfig(colours="shift"),
    # A rate of 1e-4, halved after 30 and after 40 of 50 epochs (engine/schedule.py).
    batch_size=8,
    epochs=50,
    precision="fp32",
)

PRESETS: dict[str, TrainConfig] = {
    # Table 1's M, S and MS; the stereo ones with the calibrated baseline, in metres.
    **{f"mono-{size}": _with_good_motion(config) for size, config in _SIZES.items()},
    **{
        f"stereo-{size}": replace(config, offsets=(), stereo="calibrated", loss=_METRIC)
        for size, config in _SIZES.items()
    },
    **{f"mono-stereo-{size}": replace(config, stereo="calibrated", loss=_METRIC) for size, config in _SIZES.items()},
    **{
        f"mono-192x64-{name}": replace(_with_good_motion(_SIZES["192x64"]), encoder=encoder)
        for name, encoder in _LIGHT_ENCODERS.items()
    },
    "mono-320x96-edge": replace(_with_good_motion(_SIZES["320x96"]), encoder=_EDGE),
    **_paper_presets(),
    MONODEPTH_V1: _MONODEPTH_V1,
}

CONTINUES: dict[str, str] = {f"paper-{mode}-1024x320": f"paper-{mode}-640x192" for mode in _PAPER_MODES}
"""Presets that continue the model of another preset, after FIRST_EPOCHS, instead of starting from ImageNet weights."""

FIRST_EPOCHS = 10
"""Epochs at 640x192 before the paper's 1024x320 models take over."""

DEFAULT_EPOCHS = 20
"""The paper's budget, for runs without one of their own."""

WHAT_PRESETS_ARE = "MODE-SIZE, such as mono-640x192, or a row of the paper; selfdepth presets lists all"


def preset(name: str) -> TrainConfig:
    """The configuration of a named run.

    Raises:
        ConfigError: for an unknown name; the error names the closest preset.
    """
    if name not in PRESETS:
        close = difflib.get_close_matches(name, PRESETS, n=1)
        raise ConfigError(
            "no such preset",
            where="PRESET",
            expected=WHAT_PRESETS_ARE,
            got=name,
            fix=f"did you mean {close[0]}" if close else None,
        )
    return PRESETS[name]

"""The configuration of a run, as plain values. Imports no torch, because --help imports this."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from selfdepth.checks import check_kinds, check_other_models, require, require_size
from selfdepth.errors import ConfigError
from selfdepth.geometry.crop import NO_CROP, Crop
from selfdepth.geometry.depth_range import DepthRange

POSE_ENCODER = "resnet18"
"""The paper's pose encoder, whichever ResNet the depth encoder is."""
LITE0 = "tf_efficientnet_lite0"
"""EfficientNet-Lite0: a third of ResNet-18's arithmetic, and its ImageNet weights are installed with the package."""

PoseNetworkName = Literal["separate", "shared", "posecnn"]
PoseInput = Literal["pairs", "all"]
Stereo = Literal["none", "calibrated", "nominal"]
NOMINAL_BASELINE = 0.1
NOMINAL_FACTOR = 5.4
"""The paper sets KITTI's stereo baseline to 0.1, so depth learned from it times 5.4 (0.54 m / 0.1) is in metres."""


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """The networks: which encoders, which pose network, and at which scales depth is learned."""

    name: str = "resnet18"
    """Depth encoder: any timm model with five feature levels."""
    pose_name: str | None = None
    """Encoder of the separate pose network, likewise any timm model. Predicting depth does not need it. Default:
    resnet18 beside any ResNet, as published; otherwise the depth encoder's."""
    pretrained: bool = True
    """Start both encoders from ImageNet weights: the paper's for ResNets (tag tv_in1k), the installed ones for
    tf_efficientnet_lite0."""
    pose_network: PoseNetworkName = "separate"
    """separate: has its own encoder. shared: uses the depth encoder's features. posecnn: seven plain convolutions."""
    pose_input: PoseInput = "pairs"
    """pairs: the target with one source at a time, in temporal order. all: the target with all sources at once."""
    scales: tuple[int, ...] = (0, 1, 2, 3)
    """Learn depth at 1/2^s of the training size for each of these s, from 0 to 3; predictions use the first."""

    def __post_init__(self) -> None:
        require(
            self.scales != () and list(self.scales) == sorted({*self.scales} & {0, 1, 2, 3}),
            "--encoder.scales",
            "one or more of 0 1 2 3, each once, in this order",
            self.scales,
        )
        # resnet18 is accepted: earlier versions wrote it into every config.json.
        if self.pose_network != "separate" and self.pose_name not in (None, POSE_ENCODER):
            raise ConfigError(
                f"the {self.pose_network} pose network has no encoder of its own",
                where="--encoder.pose-name",
                got=self.pose_name,
                fix="leave it out, or take --encoder.pose-network separate",
            )

    @property
    def pose_encoder(self) -> str:
        """The encoder of the separate pose network, with the default filled in."""
        if self.pose_name is not None:
            return self.pose_name
        return POSE_ENCODER if self.name.startswith("resnet") else self.name


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Every switch of the objective; the defaults are the paper's full method."""

    ssim: bool = True
    """Compare images with SSIM and L1; without it, with L1 alone, at weight 1."""
    ssim_weight: float = 0.85
    """Weight of SSIM in the photometric error, from 0 to 1 (alpha in the paper)."""
    smoothness: float = 1e-3
    """Weight of the edge-aware smoothness of the disparity (lambda in the paper)."""
    automask: bool = True
    """Mask pixels that the unwarped source explains better than the warped one (equation 5)."""
    reprojection: Literal["min", "mean"] = "min"
    """Per pixel, take the minimum of the photometric errors of the sources, or their mean."""
    multiscale: Literal["full", "native"] = "full"
    """Compare every scale at full resolution, or each at its own."""
    predictive_mask: bool = False
    """Weight the errors with a learned mask (the ablation after Zhou et al.); needs --loss.no-automask."""
    tie_break_noise: float = 1e-5
    """Standard deviation of the seeded noise that breaks ties between warped and unwarped source; 0 turns it off."""
    near: float = 0.1
    """Smallest depth that the network can predict, in the unit of the translation."""
    far: float = 100.0
    """Largest depth that the network can predict, in the unit of the translation."""
    start_depth: float | None = None
    """Depth that the untrained network predicts, in the unit of the translation. A smaller near with the same start
    leaves room for scenes that begin close to the camera. Default: the sigmoid's middle, about twice near."""
    pixel_convention: Literal["center", "corner"] = "center"
    """K at lower scales: exact for integer pixel centres, or K / 2^s as published. Only native multiscale uses it."""

    def __post_init__(self) -> None:
        require(0 <= self.ssim_weight <= 1, "--loss.ssim-weight", "a number from 0 to 1", self.ssim_weight)
        require(0 <= self.smoothness < math.inf, "--loss.smoothness", "a number of at least 0", self.smoothness)
        require(
            0 <= self.tie_break_noise < math.inf,
            "--loss.tie-break-noise",
            "a number of at least 0",
            self.tie_break_noise,
        )
        depths = self.depth_range  # refuses a near and far out of order
        require(
            self.start_depth is None or depths.near < self.start_depth < depths.far,
            "--loss.start-depth",
            "between near and far",
            self.start_depth,
        )
        # Options of a part that is switched off are refused: whoever gives them expects an effect.
        require(self.ssim or self.ssim_weight == 0.85, "--loss.ssim-weight", "--loss.ssim", "--loss.no-ssim")
        ties = self.automask or self.tie_break_noise in (0, 1e-5)
        require(ties, "--loss.tie-break-noise", "--loss.automask", "--loss.no-automask")
        if self.predictive_mask and self.automask:
            raise ConfigError(
                "the predictive mask and the auto-mask exclude each other",
                where="--loss.predictive-mask",
                fix="add --loss.no-automask",
            )

    @property
    def depth_range(self) -> DepthRange:
        """The depths that the network can predict, with their conversion from and to its sigmoid."""
        return DepthRange(float(self.near), float(self.far))  # JSON may hold whole numbers


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The complete configuration of a training run: `config.json` holds it, and `train --config` repeats it."""

    data: str = ""
    """Root of KITTI raw or odometry, folder of images, video file, or store. Not needed with --config or --resume."""
    split: str | None = None
    """Folder with train_files.txt, val_files.txt and test_files.txt (lines of "folder frame side"); or a published
    split, downloaded once: eigen_zhou, eigen_full, odom (KITTI)."""
    camera: str | None = None
    """fx,fy,cx,cy in pixels of the frames; a YAML file (ours, OpenCV, ROS camera_info); fov:DEGREES; or paper, its one
    camera for all of KITTI. Default: KITTI's calibration, else fov:60."""
    every: str | None = None
    """Frames between a target and its neighbours: a number, or auto (by motion; drops parked stretches).
    Default: 1, or the store's."""
    crop: str | None = None
    """Pixels to cut off, as top,bottom,left,right (bonnet, overlays); the camera follows."""
    store: str | None = None
    """Folder of the decoded frames, made if it does not exist. Default: OUT/store."""
    width: int = 640
    """Training width in pixels, a multiple of 32."""
    height: int | None = None
    """Training height in pixels, a multiple of 32. Default: the nearest to the frames' aspect."""
    offsets: tuple[int, ...] = (-1, 1)
    """Sources of a clip, as times relative to its target, in units of --every. With --stereo there may be none, and
    then no pose network is built."""
    stereo: Stereo = "none"
    """Also learn from a stereo pair's other camera (KITTI). calibrated: in metres. nominal: at a baseline of 0.1."""
    init: str | None = None
    """Model whose weights the networks start from, instead of --encoder.pretrained and --loss.start-depth."""
    self_teacher: str | None = None
    """Model of this method to learn from, instead of from the images: the depth network copies its depth and learns
    where it cannot, which becomes the confidence of its predictions. The options of the data, the size, the depth range
    and the motion must be the model's."""
    anchor: float | None = None
    """Weight of |log d - log d0|, which keeps the depth d near the depth d0 that the --init model predicts. selfdepth
    refine sets it. Default: the weights are free."""
    freeze_batch_norm: bool = False
    """Keep the statistics of batch normalisation of the --init model, for footage too short to measure others."""
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    """The networks' encoders."""
    loss: LossConfig = field(default_factory=LossConfig)
    """The objective."""
    batch_size: int = 12
    """Clips per step."""
    learning_rate: float = 1e-4
    """Adam's learning rate; it drops to a tenth late in the run."""
    drop_after: int | None = None
    """Epochs after which the learning rate drops (15 in the paper). Default: 75 % of the budget."""
    steps: int | None = None
    """Budget in steps. Give at most one budget; it replaces the preset's."""
    epochs: int | None = None
    """Budget in passes over the training clips. Default: 20, unless another budget is given."""
    minutes: float | None = None
    """Budget in minutes of training."""
    seed: int = 0
    """Seed of weights, clip order, augmentation and tie-breaking noise."""
    save_every: int = 500
    """Steps between checkpoints, validations and previews."""
    keep: int = 2
    """Number of checkpoints to keep, the newest ones."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the networks; geometry and loss are always fp32. auto: bf16 where the device is faster in it."""
    compile: bool | None = None
    """Compile the training step. On a CPU the objective is compiled C anyway, and compiling the networks was measured
    not to help. Default: on CUDA only."""

    def __post_init__(self) -> None:
        require_size(self.width, "--width")
        if self.height is not None:
            require_size(self.height, "--height")
        require(self.batch_size >= 1, "--batch-size", "at least 1", self.batch_size)
        require(0 < self.learning_rate < 1, "--learning-rate", "between 0 and 1", self.learning_rate)
        require(self.drop_after is None or self.drop_after >= 1, "--drop-after", "at least 1", self.drop_after)
        require(self.save_every >= 1, "--save-every", "at least 1", self.save_every)
        require(self.keep >= 1, "--keep", "at least 1", self.keep)
        require(
            0 not in self.offsets and len(set(self.offsets)) == len(self.offsets) and self.n_sources > 0,
            "--offsets",
            "different whole numbers, none of them 0; with --stereo, also none at all",
            self.offsets,
        )
        self._check_motion()
        check_other_models(
            anchor=self.anchor,
            freeze_batch_norm=self.freeze_batch_norm,
            init=self.init,
            self_teacher=self.self_teacher,
            never_trained={
                "--loss.predictive-mask": self.loss.predictive_mask,
                "--encoder.pose-network": self.encoder.pose_network == "shared",
            },
        )
        budgets = {"--steps": self.steps, "--epochs": self.epochs, "--minutes": self.minutes}
        for flag, amount in budgets.items():
            require(amount is None or 0 < amount < math.inf, flag, "more than 0", amount)
        given = [flag for flag, amount in budgets.items() if amount is not None]
        require(len(given) <= 1, " and ".join(given), "one budget", f"{len(given)} budgets")
        # Parsed now, so that an invalid value is refused at once; both properties are cached.
        _ = self.spacing, self.crop_px

    def _check_motion(self) -> None:
        """Refuse options of the pose network that do not go with the offsets."""
        n = len(self.offsets)
        if self.encoder.pose_input == "all" and n < 2:
            raise ConfigError(
                "the pose network cannot see all sources at once",
                where="--encoder.pose-input",
                expected="at least two --offsets",
                got=str(self.offsets),
                fix="use --encoder.pose-input pairs",
            )
        network, name = self.encoder.pose_network, self.encoder.pose_name
        for option, got, defaults in (("network", network, ("separate",)), ("name", name, (None, POSE_ENCODER))):
            if n == 0 and got not in defaults:
                raise ConfigError(
                    "without neighbours in time there is no pose network to choose",
                    where=f"--encoder.pose-{option}",
                    got=got,
                    fix="leave it out, or give --offsets",
                )

    @property
    def has_confidence(self) -> bool:
        """Whether the depth network also predicts how sure it is: that of a self-taught model does."""
        return self.self_teacher is not None

    @property
    def n_sources(self) -> int:
        """Largest number of views from which a target is rebuilt; a clip may lack its stereo partner."""
        return len(self.offsets) + (self.stereo != "none")

    @property
    def metres_per_unit(self) -> float | None:
        """Factor from predicted depth to metres; None for monocular runs, whose scale is arbitrary."""
        return {"none": None, "calibrated": 1.0, "nominal": NOMINAL_FACTOR}[self.stereo]

    @cached_property
    def spacing(self) -> int | None:
        """`every` as a number: frames between neighbours of a clip, by default 1. None stands for auto."""
        if self.every == "auto":
            return None
        if self.every is None:
            return 1
        require(
            self.every.isdecimal() and int(self.every) >= 1,
            "--every",
            "auto or a whole number of at least 1",
            self.every,
        )
        return int(self.every)

    @cached_property
    def crop_px(self) -> Crop:
        """`crop` as a value: pixels to cut off each side of the frames."""
        return NO_CROP if self.crop is None else Crop.parse(self.crop)


@dataclass(frozen=True, kw_only=True)
class ResolvedConfig(TrainConfig):
    """The configuration of a run or model whose height is known, because its data have been opened."""

    height: int

    @staticmethod
    def of(config: TrainConfig, **changes: Any) -> ResolvedConfig:
        """A configuration with some fields replaced, resolved.

        Raises:
            ConfigError: if it still has no height, or for a value out of range.
        """
        values = {field.name: getattr(config, field.name) for field in dataclasses.fields(TrainConfig)} | changes
        require(values["height"] is not None, "height", "a number of pixels", "no height")
        return ResolvedConfig(**values)


def to_json(config: TrainConfig) -> dict[str, Any]:
    """The configuration as JSON values. `from_json` restores it unchanged."""
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return values


def from_json(values: dict[str, Any], *, where: str | Path) -> TrainConfig:
    """Build a TrainConfig from JSON values.

    Args:
        where: the file, for errors.

    Raises:
        ConfigError: for an unknown field, a value of the wrong type, or one out of range.
    """
    check_kinds(values, TrainConfig, where)
    try:
        values = dict(values)
        for name, kind in (("encoder", EncoderConfig), ("loss", LossConfig)):
            if name in values:
                values[name] = kind(**_with_tuples(values[name]))
        return TrainConfig(**_with_tuples(values))
    except (TypeError, AttributeError) as error:
        raise ConfigError(
            "the configuration cannot be used",
            where=where,
            got=str(error).replace("__init__() got an ", ""),
            fix="use the config.json of a run of this version",
        ) from error


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:
    """The values with tuples for JSON's lists: a list would be unequal to the tuple of the same configuration."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}

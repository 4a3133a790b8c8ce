"""The configuration of a run, as plain values. Imports no torch, because --help imports this."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from selfdepth.checks import (
    LARGEST,
    MIN_SIZE,
    check_numbers,
    check_other_models,
    check_sync_batch_norm,
    out_of_range,
    require,
    require_size,
    require_stream,
)
from selfdepth.config.augment import AugmentConfig
from selfdepth.config.encoder import EncoderConfig
from selfdepth.config.known_scale import NEAR_M, RELATIVE_RANGES, START_M, check_known_scale
from selfdepth.config.learned_camera import check_learned_camera, is_learned, learns_distortion, start_of
from selfdepth.config.loss import LossConfig
from selfdepth.config.motion import check_motion
from selfdepth.config.teacher import TeacherConfig
from selfdepth.config.v1_options import check_v1_options
from selfdepth.errors import ConfigError
from selfdepth.geometry.crop import NO_CROP, Crop
from selfdepth.limits import require_within
from selfdepth.places import require_name
from selfdepth.texts import whole_number

Stereo = Literal["none", "calibrated", "nominal"]
Method = Literal["monodepth2", "monodepth-v1"]
OnError = Literal["stop", "skip"]
Rectify = Literal["auto", "yes", "no"]
NOMINAL_BASELINE = 0.1
NOMINAL_FACTOR = 5.4
"""The paper sets KITTI's stereo baseline to 0.1, so depth learned from it times 5.4 (0.54 m / 0.1) is in metres."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The complete configuration of a training run: `config.json` holds it, and `train --config` repeats it."""

    data: str = ""
    """Root of KITTI raw or odometry, folder of images, video file, ROS bag, or store; or chunks: their folder,
    s3://BUCKET/NAME, gs:// or azure://. Not needed with --config or --resume."""
    split: str | None = None
    """Folder with train_files.txt, val_files.txt and test_files.txt (lines of "folder frame side"); or a published
    split, downloaded once: eigen_zhou, eigen_full, odom (KITTI)."""
    camera: str | None = None
    """fx,fy,cx,cy in pixels of the frames; a calibration file (ours, OpenCV, ROS, Kalibr, EuRoC, COLMAP, nerfstudio,
    KITTI-360), as FILE:NAME where it holds several cameras; fov:DEGREES; or paper, its one camera for all of KITTI.
    learn, or learn: and one of these to start from (else fov:60): focal length and principal point are learned;
    learn+distortion, or learn+distortion: and a start: the distortion of the lens, too.
    Default: KITTI's calibration, else fov:60."""
    every: str | None = None
    """Frames between a target and its neighbours: a number, or auto (by motion; drops parked stretches).
    Default: 1, or the store's."""
    crop: str | None = None
    """Pixels to cut off, as top,bottom,left,right (bonnet, overlays); the camera follows."""
    rectify: Rectify = "auto"
    """For a camera with a lens (a file with distortion). yes: frames become those of a pinhole camera, up to 60 degrees
    from its axis. auto: yes if that holds every pixel. no: learn in the frames as they are, along their rays."""
    stream: int | None = None
    """Number of the video stream to take, from 0, of files with several cameras. Default: the one with the most
    frames."""
    topic: str | None = None
    """Name of the topic of images to take from ROS bags. Default: that of the only camera."""
    on_error: OnError = "stop"
    """When frames cannot be read: stop and name them, or leave them out, with a word, up to 1 percent of the frames."""
    store: str | None = None
    """Folder of the decoded frames, made if it does not exist; of chunks, that of their cache. Default: OUT/store."""
    cache_gb: float | None = None
    """Gigabytes that the cache of chunks may take on the disk. Default: 32."""
    width: int = 640
    """Training width in pixels, a multiple of 32."""
    height: int | None = None
    """Training height in pixels, a multiple of 32. Default: the nearest to the frames' aspect."""
    offsets: tuple[int, ...] = (-1, 1)
    """Sources of a clip, as times relative to its target, in units of --every. With --stereo there may be none, and
    then no pose network is built."""
    stereo: Stereo = "none"
    """Also learn from a stereo pair's other camera (KITTI). calibrated: in metres. nominal: at a baseline of 0.1."""
    speed: str | None = None
    """Log of the vehicle's speed, which gives the motion its length (--loss.speed), so that depth is learned in metres:
    a table with units in its first line (time_s,speed_km_h), GPX, NMEA; or oxts, KITTI's own. Depth then starts at 5 m,
    and is 0.5 m at least, unless --loss.near, --loss.start-depth or --init are given."""
    clock_offset: float | None = None
    """Seconds to add to the times of the frames to give those of the speed log. Default: 0, if both count from 1970 or
    neither does."""
    camera_height: float | None = None
    """Metres from the road up to the camera, which give depth its scale (--loss.height); it is learned in metres, as
    with --speed."""
    motion_first: bool = False
    """Hold depth constant, and the auto-mask off, until the motion explains most of the image (not the paper's). Depth
    is then learned sooner. Not with --stereo, which gives a motion; a model to start from (--init) has one already."""
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
    sync_batch_norm: bool = False
    """Of a run in several processes: normalise by the statistics of the clips of all of them, not of each process's
    own. The run is then that of one process, up to rounding. Costs two messages a layer, and is not compiled."""
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    """The networks' encoders."""
    method: Method = "monodepth2"
    """monodepth-v1: its predecessor, which predicts the disparities of both views of a stereo pair from one of them.
    Start from the preset monodepth-v1-512x256; options of parts that it lacks are refused."""
    loss: LossConfig = field(default_factory=LossConfig)
    """The objective."""
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    """The teacher to learn from, if any."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """Augmentation beyond the flip."""
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
    shuffle_window: int | None = None
    """Shuffle runs of 48 neighbouring frames, and then clips within windows of so many, which needs a part of the data
    at a time. Default: over all clips; of chunks, as many as half of the cache holds."""
    seed: int = 0
    """Seed of weights, clip order, augmentation and tie-breaking noise."""
    save_every: int = 500
    """Steps between checkpoints, validations and previews."""
    keep: int = 2
    """Number of checkpoints to keep, the newest ones; at least 2, because the newest may get damaged."""
    on_full_disk: Literal["stop", "wait"] = "stop"
    """When there is no space for a checkpoint: stop with an error, or wait until there is. The older ones stay."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the networks; geometry and loss are always fp32. auto: bf16 where the device is faster in it."""
    compile: bool | None = None
    """Compile the training step. On a CPU the objective is compiled C anyway, and compiling the networks was measured
    not to help. Default: on CUDA only."""

    def __post_init__(self) -> None:
        check_numbers(self)
        self._check_names()
        self._check_size()
        require(self.batch_size >= 1, "--batch-size", "at least 1", self.batch_size)
        require(0 < self.learning_rate < 1, "--learning-rate", "between 0 and 1", self.learning_rate)
        require(self.drop_after is None or self.drop_after >= 1, "--drop-after", "at least 1", self.drop_after)
        require(self.save_every >= 1, "--save-every", "at least 1", self.save_every)
        require(self.keep >= 2, "--keep", "at least 2: should the newest be damaged, the one before is used", self.keep)
        require_stream(self.stream)
        self._check_chunks()
        require(
            0 not in self.offsets and len(set(self.offsets)) == len(self.offsets) and self.n_sources > 0,
            "--offsets",
            "different whole numbers, none of them 0; with --stereo, also none at all",
            self.offsets,
        )
        self._check_motion()
        check_learned_camera(self.camera, **self._learning_from)
        if self.motion_first and self.stereo != "none":
            raise ConfigError(
                "depth need not wait for the motion: the stereo pair gives one",
                where="--motion-first",
                fix="add --no-motion-first",
            )
        if self.method == "monodepth-v1":
            parts = {"loss": self.loss, "teacher": self.teacher, "augment": self.augment}
            inner = {f"{part}.{name}": value for part, values in parts.items() for name, value in vars(values).items()}
            check_v1_options(vars(self) | inner)
        check_other_models(
            anchor=self.anchor,
            freeze_batch_norm=self.freeze_batch_norm,
            init=self.init,
            self_teacher=self.self_teacher,
            never_trained={
                "--teacher.path": self.teacher.path is not None,
                "--loss.consistency": self.loss.consistency > 0,
                "--augment.weather": self.augment.weather > 0,
                "--loss.predictive-mask": self.loss.predictive_mask,
                "--encoder.pose-network": self.encoder.pose_network == "shared",
            },
        )
        check_sync_batch_norm(self.sync_batch_norm, freeze=self.freeze_batch_norm, compiled=self.compile)
        self._check_budget()
        # Parsed now, so that an invalid value is refused at once; both properties are cached.
        _ = self.spacing, self.crop_px

    def _check_budget(self) -> None:
        budgets = {"--steps": self.steps, "--epochs": self.epochs, "--minutes": self.minutes}
        for flag, amount in budgets.items():
            require(amount is None or 0 < amount < math.inf, flag, "more than 0", amount)
        given = [flag for flag, amount in budgets.items() if amount is not None]
        require(len(given) <= 1, " and ".join(given), "one budget", f"{len(given)} budgets")

    def _check_names(self) -> None:
        """Refuse names that no file can have, before they are looked for at many places."""
        for name in ("data", "split", "camera", "store", "speed", "init", "self_teacher"):
            if getattr(self, name):
                require_name(getattr(self, name), f"--{name}".replace("_", "-"))

    def _check_size(self) -> None:
        """Refuse a size that the networks cannot take, or that no memory would hold."""
        require_size(self.width, "--width")
        if self.height is not None:
            require_size(self.height, "--height")
        pixels = self.width * (self.height or MIN_SIZE)
        require_within(
            "network_megapixels", pixels / 1e6, what="the size is too large", where="--width", error=ConfigError
        )

    def _check_chunks(self) -> None:
        window, cache = self.shuffle_window, self.cache_gb
        require(window is None or window >= 1, "--shuffle-window", "at least 1", window)
        require(cache is None or 0 < cache < math.inf, "--cache-gb", "more than 0", cache)

    def _check_motion(self) -> None:
        """Refuse options of the motion and its length that do not go with the offsets, or with each other."""
        check_known_scale(
            speed=self.speed,
            clock_offset=self.clock_offset,
            camera_height=self.camera_height,
            loss=self.loss,
            stereo=self.stereo != "none",
            offsets=self.offsets,
        )
        check_motion(offsets=self.offsets, loss=self.loss, encoder=self.encoder)

    @property
    def _learning_from(self) -> dict[str, Any]:
        is_taught = self.self_teacher is not None
        return {"stereo": self.stereo != "none", "self_taught": is_taught, "rectify": self.rectify}

    @property
    def learns_camera(self) -> bool:
        """Whether focal length and principal point are learned, from `start_camera` on."""
        return is_learned(self.camera)

    @property
    def learns_distortion(self) -> bool:
        """Whether the distortion of the lens is learned, too. Depth is then the distance along the ray."""
        return learns_distortion(self.camera)

    @property
    def start_camera(self) -> str | None:
        """`camera` as the readers of cameras take it: of one that is learned, its start."""
        return start_of(self.camera)

    @property
    def has_confidence(self) -> bool:
        """Whether the depth network also predicts how sure it is: that of a self-taught model does."""
        return self.self_teacher is not None

    @property
    def n_views(self) -> int:
        """Number of views whose disparity the depth network predicts: Monodepth v1 predicts both of a pair."""
        return 2 if self.method == "monodepth-v1" else 1

    @property
    def n_sources(self) -> int:
        """Largest number of views from which a target is rebuilt; a clip may lack its stereo partner."""
        return len(self.offsets) + (self.stereo != "none")

    @property
    def knows_scale(self) -> bool:
        """Whether a speed or the camera's height gives the metres."""
        return self.speed is not None or self.camera_height is not None

    def with_metric_start(self) -> TrainConfig:
        """The configuration with a range of depths from which metres are learned, if the scale is known and the range
        is still that of a preset without. A model to start from has learned with a range, which stays."""
        relative = (self.loss.near, self.loss.start_depth) in RELATIVE_RANGES
        if not (self.knows_scale and relative and self.init is None and self.self_teacher is None):
            return self
        return dataclasses.replace(self, loss=dataclasses.replace(self.loss, near=NEAR_M, start_depth=START_M))

    @property
    def metres_per_unit(self) -> float | None:
        """Factor from predicted depth to metres; None for monocular runs whose scale is arbitrary."""
        if self.knows_scale:
            return 1.0
        return {"none": None, "calibrated": 1.0, "nominal": NOMINAL_FACTOR}[self.stereo]

    @cached_property
    def spacing(self) -> int | None:
        """`every` as a number: frames between neighbours of a clip, by default 1. None stands for auto."""
        if self.every == "auto":
            return None
        if self.every is None:
            return 1
        number = whole_number(self.every, most=LARGEST)
        if not number:
            raise out_of_range("--every", f"auto or a whole number from 1 to {LARGEST:,}", self.every)
        return number

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

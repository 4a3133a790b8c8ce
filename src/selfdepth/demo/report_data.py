"""What a report says, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, UInt8
from numpy import ndarray

from selfdepth.evaluation.depth.metrics import DepthErrors


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Values over the minutes of training; both of one length, perhaps 0."""

    minutes: Float[ndarray, "n"]
    values: Float[ndarray, "n"]


@dataclass(frozen=True, kw_only=True)
class FrameView:
    """One held-out frame to look at.

    Attributes:
        name: of the frame, for the reader.
        image: what the camera saw, RGB.
        depth: predicted, brought to metres by the image's median.
        truth: true depth in metres, 0 where there is none (the sky).
        keep: auto-mask at the training size, 1 where a pixel is learned from.
        abs_rel: mean relative error of this frame.
    """

    name: str
    image: UInt8[ndarray, "h w 3"]
    depth: Float[ndarray, "h w"]
    truth: Float[ndarray, "h w"]
    keep: Float[ndarray, "_h _w"]
    abs_rel: float


@dataclass(frozen=True, kw_only=True)
class PathView:
    """The held-out drive's camera centres, x right, y down, z forward from the first camera, metres.

    Attributes:
        predicted: aligned with the truth by a similarity.
        truth: exact.
        ate_m: root mean square distance of the two.
        length_m: length of the true path.
        straight_ate_m: the same distance for driving straight on at constant speed.
    """

    predicted: Float[ndarray, "n 3"]
    truth: Float[ndarray, "n 3"]
    ate_m: float
    length_m: float
    straight_ate_m: float


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where it ran: the processor's name, its cores, the torch device, versions."""

    cpu: str
    cores: int
    device: str
    torch: str
    python: str


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of the work and the seconds it took."""

    name: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything the page says.

    Attributes:
        ours, per_row, constant: errors on the held-out drive: the network, the mean depth of each row of the
            training drive (both after median scaling), and the best constant depth.
        constant_m: that constant.
        loss, abs_rel: over the minutes of training; abs_rel on a part of the held-out frames.
        frames: held-out frames to look at.
        path: the held-out drive from above.
        training_s: seconds spent learning.
        footage_s: length of the training drive in seconds.
        facts: of the run, name and value.
        commands: to go on with, one line each.
    """

    ours: DepthErrors
    per_row: DepthErrors
    constant: DepthErrors
    constant_m: float
    loss: Curve
    abs_rel: Curve
    frames: tuple[FrameView, ...]
    path: PathView
    training_s: float
    footage_s: float
    machine: Machine
    stages: tuple[Stage, ...]
    facts: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]

    @property
    def total_s(self) -> float:
        """Seconds spent in all stages."""
        return sum((stage.seconds for stage in self.stages), 0.0)

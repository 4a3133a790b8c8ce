"""The contents of the demo's report, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, UInt8
from numpy import ndarray

from selfdepth.evaluation.depth.metrics import DepthErrors


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Values over the minutes of training. Both arrays have the same length, which is 0 for a run without records."""

    minutes: Float[ndarray, "n"]
    values: Float[ndarray, "n"]


@dataclass(frozen=True, kw_only=True)
class FrameView:
    """A held-out frame with its pictures.

    Attributes:
        name: of the frame, for the reader.
        image: RGB, as rendered.
        depth: predicted depth, scaled to metres by the median of the frame's true depth.
        truth: true depth in metres, 0 in the sky.
        automask: at the training size; 1 where the training loss counts a pixel.
        abs_rel: mean relative error of this frame.
    """

    name: str
    image: UInt8[ndarray, "h w 3"]
    depth: Float[ndarray, "h w"]
    truth: Float[ndarray, "h w"]
    automask: Float[ndarray, "_h _w"]
    abs_rel: float


@dataclass(frozen=True, kw_only=True)
class PathView:
    """Camera centres of the held-out drive in metres: x right, y down, z forward from the first camera.

    Attributes:
        predicted: aligned with the true ones by a similarity.
        truth: exact.
        ate_m: root mean square distance between the two.
        length_m: length of the true path.
        straight_ate_m: the same distance for the baseline, driving straight on at constant speed.
    """

    predicted: Float[ndarray, "n 3"]
    truth: Float[ndarray, "n 3"]
    ate_m: float
    length_m: float
    straight_ate_m: float


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The machine and its software.

    Attributes:
        cpu: name of the CPU.
        cores: number of cores that the process may use.
        device: torch device, for the reader.
        torch, python: versions.
    """

    cpu: str
    cores: int
    device: str
    torch: str
    python: str


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of the work, and the seconds that it took."""

    name: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that the page shows.

    Attributes:
        ours, per_row, constant: errors on the held-out drive: of the network, of the mean depth of each row of the
            training drives (both after median scaling), and of the best constant depth.
        constant_m: that constant in metres.
        loss: of training, over its minutes.
        abs_rel: on the validation frames, which are held out, over the minutes of training.
        frames: some held-out frames with their pictures.
        path: the camera's path on the held-out drive.
        training_s: seconds of training.
        footage_s: length of the training drives in seconds.
        machine: that it ran on.
        stages: the parts of the work, in order.
        facts: name and value of each fact about the run.
        commands: examples of what to do next, one line each.
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

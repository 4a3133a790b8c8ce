"""Write the outputs of `predict --save`: one file per frame and kind, or one video or trajectory per input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from selfdepth.data.readers.no_footage import OWN_SOFTWARE
from selfdepth.files import whole_file
from selfdepth.geometry.ray_depth import DepthIs, describe_depth_is
from selfdepth.inference.visualize import ColourRange, colorize_disparity
from selfdepth.structs import DepthPrediction, MetricScale, Trajectory

FrameKind = Literal["color", "npz", "png16", "confidence", "kitti"]
FrameWriter = Callable[[Path, DepthPrediction, "ColourRange | None"], None]

PNG16_FACTOR = 256
"""Stored value of depth 1, KITTI's convention."""

KITTI_RANGE_M = (1e-3, 80.0)
"""Range to which depths are clamped for KITTI's benchmark, the same as in the depth metrics."""

CLOCK = Fraction(1, 60000)
"""Unit of the times of a video's frames, in seconds: exact for every usual rate, and no finer than MPEG-4 allows."""

_NOTE_NAME = "README.txt"


def write_color(path: Path, prediction: DepthPrediction, colours: ColourRange | None = None) -> None:
    """Write the disparity as an 8-bit RGB PNG in magma, near bright.

    Args:
        colours: disparities of the darkest and the brightest colour; None: percentiles of this disparity.
    """
    low, high = colours or (None, None)
    _write_png(path, Image.fromarray(colorize_disparity(prediction.disparity, low=low, high=high)))


def write_npz(path: Path, prediction: DepthPrediction, colours: ColourRange | None = None) -> None:
    """Write the numbers: `depth` and `disparity` (h w, float32), `scale` and `depth_is` (text) and, if known, `K` (3 3,
    float64), `lens` (text) with `lens_coefficients` (float64), and `confidence` (h w, float32). Of a calibrated model
    also `witness` (text) and `spread`, NaN where it is not known.

    `disparity` is 1 / `depth`; both are 0 where the depth is not known. `depth_is` is "z", along the camera's axis, or
    "ray", the distance along the pixel's ray. `K` is in pixels of this image, and absent if the camera is unknown; that
    of a pinhole has no `lens`. The file holds no pickled objects. It is not compressed: compression would take longer
    than the prediction and save a tenth.
    """
    arrays: dict[str, Any] = {
        "depth": prediction.depth,
        "disparity": prediction.disparity,
        "scale": np.array(prediction.scale),
        "depth_is": np.array(prediction.depth_is),
    }
    if prediction.camera is not None:
        arrays["K"] = prediction.camera.matrix()
        if not prediction.camera.is_pinhole:
            lens = prediction.camera.lens
            arrays |= {"lens": np.array(lens.model), "lens_coefficients": np.array(lens.coefficients)}
    if prediction.confidence is not None:
        arrays["confidence"] = prediction.confidence
    if prediction.metric is not None:
        spread = prediction.metric.spread
        arrays["witness"] = np.array(prediction.metric.witness)
        arrays["spread"] = np.array(np.nan if spread is None else spread)
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def write_png16(path: Path, prediction: DepthPrediction, colours: ColourRange | None = None) -> None:
    """Write depth * 256 as a 16-bit grey PNG, KITTI's convention: 0 means no depth, 65535 means 256 or more.

    A metric depth is in metres, a relative one in the model's own unit; a README.txt beside the files says which.
    """
    _write_depth(path, prediction.depth)


def write_confidence(path: Path, prediction: DepthPrediction, colours: ColourRange | None = None) -> None:
    """Write the confidence as an 8-bit grey PNG: confidence * 255, so that white is sure.

    Args:
        prediction: of a model that predicts its confidence.
    """
    assert prediction.confidence is not None, "refused for models without it"
    _write_png(path, Image.fromarray(np.rint(prediction.confidence * 255).astype(np.uint8)))


def write_kitti(path: Path, prediction: DepthPrediction, colours: ColourRange | None = None) -> None:
    """Write metres * 256 as KITTI's benchmark expects them: a 16-bit grey PNG, with depths clamped to KITTI_RANGE_M.

    Args:
        prediction: in metres; see `DepthPrediction.in_metres`.
    """
    _write_depth(path, np.clip(prediction.depth, *KITTI_RANGE_M) * (prediction.depth > 0))


FRAME_WRITERS: dict[FrameKind, tuple[str, FrameWriter]] = {
    "color": (".png", write_color),
    "npz": (".npz", write_npz),
    "png16": (".png", write_png16),
    "confidence": (".png", write_confidence),
    "kitti": (".png", write_kitti),
}
"""Suffix and writer of each kind that has one file per frame."""

TRAJECTORY_FILES = ("kitti.txt", "tum.txt")


def write_png16_note(
    folder: Path,
    scale: str,
    metres_per_unit: float | None = None,
    metric: MetricScale | None = None,
    depth_is: DepthIs = "z",
) -> None:
    """Write a README.txt beside the 16-bit PNGs, which cannot hold the unit of their values.

    Args:
        scale, metres_per_unit, metric: as for `describe_unit`.
        depth_is: as in `DepthPrediction`.
    """
    factor = "One unknown factor" if metres_per_unit is None else f"A factor of {metres_per_unit:g}"
    own = f"the model's own unit: a relative depth, not metres. {factor} separates the two"
    unit = own if scale == "relative" else _metres(metric)
    with whole_file(folder / _NOTE_NAME) as temporary:
        temporary.write_text(
            f"16-bit PNG: depth = value / {PNG16_FACTOR}, 0 = none, 65535 = {65535 // PNG16_FACTOR + 1} or more.\n"
            f"It is {describe_depth_is(depth_is)}.\nUnit: {unit}.\n"
            f"Rounded to 1/{PNG16_FACTOR}; the exact numbers are in --save npz.\n",
            encoding="utf-8",
        )


def write_trajectory(folder: Path, trajectory: Trajectory, *, scale: str, timed: bool) -> None:
    """Write a trajectory in the text formats of KITTI and TUM, with a README.txt on unit, axes and timestamps.

    Args:
        scale: "relative" unless lengths are in metres.
        timed: whether timestamps are in seconds; else they are positions in the sequence, 0 for the first frame.

    Raises:
        OutputError: if the folder cannot be written.
    """
    unit = (
        _metres(trajectory.metric)
        if scale != "relative"
        else "relative: the model's own unit. One unknown factor separates it from metres"
    )
    times = (
        "seconds" if timed else "positions of the frames in the sequence, 0 for the first; their times are not known"
    )
    note = (
        f"{TRAJECTORY_FILES[0]}: KITTI, the upper three rows of T_world_camera in a line for each pose.\n"
        f"{TRAJECTORY_FILES[1]}: TUM, a line for each pose: timestamp tx ty tz qx qy qz qw.\n"
        "T_world_camera maps points of the camera (x right, y down, z forward) to the world, the first camera.\n"
        f"Unit of length: {unit}.\nTimestamps: {times}.\n"
    )
    # The note comes last: where it exists, the trajectory is complete.
    for name, text in zip(
        (*TRAJECTORY_FILES, _NOTE_NAME), (trajectory.to_kitti(), trajectory.to_tum(), note), strict=True
    ):
        with whole_file(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _metres(metric: MetricScale | None) -> str:
    """The unit of lengths in metres, and, of a calibrated model, by what witness and how sure."""
    return "metres" if metric is None else f"metres; {metric}"


class VideoWriter:
    """Writes the frames of a video in H.264, or in MPEG-4 if H.264 is not installed. See `create_video`."""

    def __init__(self, container: Any, rate: Fraction) -> None:
        self._container, self._rate = container, rate
        self._stream: Any = None
        self._n_frames, self._last = 0, -1

    def write(self, image: UInt8[ndarray, "h w 3"], time_s: float | None = None) -> None:
        """Append a frame. The first frame sets the size; others are fitted into it, with black bars.

        Args:
            time_s: when it is shown, in seconds from the start; None: one after the other, at the rate.
        """
        from av import VideoFrame

        if self._stream is None:
            self._stream = _add_stream(self._container, self._rate, image.shape[1], image.shape[0])
            if time_s is not None:
                self._stream.codec_context.time_base = CLOCK
        size = (self._stream.width, self._stream.height)
        frame = VideoFrame.from_ndarray(_fit(image, size), format="rgb24")
        if time_s is None:
            frame.pts, frame.time_base = self._n_frames, 1 / self._rate
        else:
            self._last = max(self._last + 1, round(time_s / CLOCK))
            frame.pts, frame.time_base = self._last, CLOCK
        self._n_frames += 1
        self._encode(frame)

    def finish(self) -> None:
        """Write the frames that the encoder still holds back, to predict others from them."""
        if self._stream is not None:
            self._encode(None)

    def _encode(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            self._container.mux(packet)


@contextmanager
def create_video(path: Path, rate: Fraction) -> Iterator[VideoWriter]:
    """An MP4 with `rate` frames per second, complete when the block succeeds and absent when it fails.

    Raises:
        OutputError: if the file cannot be written.
    """
    import av

    with whole_file(path) as temporary, av.open(f"file:{temporary}", "w", format="mp4") as container:
        container.metadata["comment"] = OWN_SOFTWARE
        writer = VideoWriter(container, rate)
        yield writer
        writer.finish()


def _add_stream(container: Any, rate: Fraction, width: int, height: int) -> Any:
    import av

    name = "libx264" if "libx264" in av.codecs_available else "mpeg4"  # builds of FFmpeg without the GPL lack it
    # Without its macroblock tree x264 writes the same bytes each time; with it, frames of some sizes differ by chance.
    x264 = {"crf": "20", "preset": "veryfast", "x264-params": "mbtree=0"}
    options = x264 if name == "libx264" else {"qscale": "4"}
    stream = container.add_stream(name, rate=rate, options=options)
    # Every player shows 4:2:0, which has one colour sample per 2x2 pixels, so both sides must be even.
    stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
    return stream


def _fit(image: UInt8[ndarray, "h w 3"], size: tuple[int, int]) -> UInt8[ndarray, "_h _w 3"]:
    """The image at this width and height. A missing row or column repeats the edge; resizing for it would blur."""
    width, height = size
    if image.shape[:2] == (height, width):
        return image
    if (image.shape[1] + image.shape[1] % 2, image.shape[0] + image.shape[0] % 2) == size:
        return np.pad(image, ((0, height - image.shape[0]), (0, width - image.shape[1]), (0, 0)), mode="edge")
    return np.asarray(ImageOps.pad(Image.fromarray(image), size))


def _write_depth(path: Path, depth: Float[ndarray, "h w"]) -> None:
    # At least 1 where there is a prediction: 0 means "no depth".
    levels = np.clip(np.rint(depth * PNG16_FACTOR), 1, 65535) * (depth > 0)
    _write_png(path, Image.fromarray(levels.astype(np.uint16)))


def _write_png(path: Path, image: Image.Image) -> None:
    # A quarter of the default level's time, for files 5 to 20 % larger.
    with whole_file(path) as temporary:
        image.save(temporary, format="PNG", compress_level=2, pnginfo=_written_by_us())


def _written_by_us() -> PngInfo:
    """The mark by which a later run tells results from frames."""
    text = PngInfo()
    text.add_text("Software", OWN_SOFTWARE)
    return text

"""The model at work for the page, one request at a time: a frame to look at, a film, and the files of `predict`."""

from __future__ import annotations

import threading
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from selfdepth.app.folders import Visit
from selfdepth.app.uploads import Upload
from selfdepth.data.readers.cameras import ASSUMED_FOV_DEG
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.files import remove_tree
from selfdepth.geometry.camera import Camera
from selfdepth.inference.inputs import PredictionInput, cropped_as_trained
from selfdepth.inference.odometry import has_pose_network
from selfdepth.inference.pixels import require_large_enough
from selfdepth.inference.predict import ReadyModel, predict_ready, warn_of_other_cameras
from selfdepth.inference.save import SaveOptions, output_paths
from selfdepth.limits import require_within
from selfdepth.structs import DepthPrediction
from selfdepth.weights.metres import describe_unit

DownloadKind = Literal["color", "npz", "png16", "confidence", "ply", "mp4", "trajectory"]
"""What `predict --save` writes, but for the form of KITTI's benchmark, which takes a folder of KITTI's images."""

_BYTES_PER_PIXEL: dict[DownloadKind, float] = {
    "color": 1.5,
    "npz": 8,
    "png16": 2,
    "confidence": 1,
    "ply": 15,
    "mp4": 0.2,
    "trajectory": 0,
}
"""Of a frame's files, to judge a download before it is made; a npz with its confidence has 12."""
_BATCH_MEGAPIXELS, _LARGEST_BATCH = 16, 8


class Stopped(Exception):  # noqa: N818  not an error: nobody waits for the work any more
    """The visitor has left, has brought another file, or has pressed Stop."""


@dataclass(frozen=True, kw_only=True)
class View:
    """A predicted frame.

    Attributes:
        image: as the network's result lies on it: upright, and cropped if the training frames were.
        assumed_fov_deg: the horizontal field of view that was assumed because the camera is not known; else None.
        remarks: what the visitor should know about it, one sentence each.
    """

    image: UInt8[ndarray, "h w 3"]
    prediction: DepthPrediction
    assumed_fov_deg: float | None
    remarks: tuple[str, ...]


class Worker:
    """A model that does one thing at a time, whoever asks. Its methods raise Stopped when their visit has ended.

    Args:
        ready: the model.
    """

    def __init__(self, ready: ReadyModel) -> None:
        self.ready = ready
        self._busy = threading.Lock()

    @property
    def unit(self) -> str:
        """A phrase for the unit of the depth."""
        predictor = self.ready.predictor
        return describe_unit(predictor.scale, predictor.metres_per_unit, predictor.metric)

    def kinds(self, upload: Upload) -> tuple[DownloadKind, ...]:
        """What can be downloaded of an upload."""
        absent: set[DownloadKind] = set()
        if not upload.is_video:
            absent |= {"mp4", "trajectory"}
        if upload.source.gaps or not has_pose_network(self.ready.weights):
            absent |= {"trajectory"}
        if not self.ready.predictor.has_confidence:
            absent |= {"confidence"}
        return tuple(kind for kind in get_args(DownloadKind) if kind not in absent)

    def view(self, visit: Visit, upload: Upload, index: int = 0) -> View:
        """Predict one frame.

        Args:
            index: of the frame; beyond the last one, that is taken.

        Raises:
            DataError: for a frame that cannot be decoded, or is too small.
        """
        index = min(max(index, 0), len(upload.source.names) - 1)
        with self._at_work(visit) as remarks:
            known, assumed = self._with_camera(upload.source)
            source = cropped_as_trained(known, self.ready.weights)
            warn_of_other_cameras(self.ready.weights, [source])
            image = _frame(source, index)
            height, width = image.shape[:2]
            require_large_enough(width, height, source.place(index))
            prediction = self.ready.predictor.predict(image, source.camera_for(width, height))
        return View(image=image, prediction=prediction, assumed_fov_deg=assumed, remarks=tuple(remarks))

    def write(
        self,
        visit: Visit,
        upload: Upload,
        kinds: tuple[DownloadKind, ...],
        folder: Path,
        *,
        advance: Callable[[int], None] = lambda frames: None,
    ) -> tuple[tuple[Path, ...], tuple[str, ...]]:
        """Write these kinds of output of the whole upload, as `predict` does, and pack each for its download.

        Args:
            folder: in the visitor's own; what it holds of an earlier time is removed.
            advance: called with the number of frames predicted since the last call.

        Returns:
            A file for each kind: the result itself, or a ZIP of its folder if there are several; and remarks.

        Raises:
            DataError: for a frame that cannot be decoded, or if the files would be too large together.
            OutputError: if the disk is full.
        """
        _require_small(upload.source, kinds)

        def go_on(frames: int) -> None:
            if visit.stop.is_set() or visit.halt.is_set():
                raise Stopped
            advance(frames)

        with self._at_work(visit) as remarks:
            visit.halt.clear()
            remove_tree(folder)
            source, _ = self._with_camera(upload.source)
            width, height = source.first_size
            batch = int(_BATCH_MEGAPIXELS / (width * height / 1e6))
            options = SaveOptions(kinds=kinds, batch_size=min(max(batch, 1), _LARGEST_BATCH))
            say = remarks.append
            predict_ready(self.ready, [source], [folder], options, advance=go_on, say=say)
            packed = tuple(_packed(source, folder, kind) for kind in kinds)
        return packed, tuple(remarks)

    def _with_camera(self, source: PredictionInput) -> tuple[PredictionInput, float | None]:
        """An input whose camera is known, and the field of view that had to be assumed for that, or None."""
        width, height = source.first_size
        whole = self.ready.weights.camera
        is_training_size = whole is not None and (whole.width, whole.height) == (width, height)
        known = source.camera_for(width, height) or self.ready.predictor.training_camera(height=height, width=width)
        if known is not None or is_training_size:
            return source, None
        return replace(source, camera_for=_assumed_camera), ASSUMED_FOV_DEG

    @contextmanager
    def _at_work(self, visit: Visit) -> Iterator[list[str]]:
        """Wait for the model, and collect what is warned of. Files of a visit that has ended meanwhile are removed."""
        with self._busy:
            remarks: list[str] = []
            try:
                if visit.stop.is_set():
                    raise Stopped
                # Python keeps the filters of warnings for the whole process; the lock is what makes them ours.
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always", SelfDepthWarning)
                    yield remarks
                remarks += [str(each.message) for each in caught if issubclass(each.category, SelfDepthWarning)]
            finally:
                if visit.stop.is_set():  # what was just written has made its folder anew
                    remove_tree(visit.folder)

    def wait(self, seconds: float) -> None:
        """Wait until no work is going on, but not longer than this."""
        if self._busy.acquire(timeout=seconds):
            self._busy.release()


def _assumed_camera(width: int, height: int) -> Camera:
    return Camera.from_fov(ASSUMED_FOV_DEG, width=width, height=height)


def _frame(source: PredictionInput, index: int) -> UInt8[ndarray, "h w 3"]:
    """A frame of an input. Those before it are decoded, too: seeking is not exact in all videos."""
    frames = source.read()
    with closing(frames):  # type: ignore[type-var]
        image = next(islice(frames, index, None), None)
    if image is None:
        raise DataError("the frame cannot be decoded", where=source.place(index))
    return np.ascontiguousarray(image)


def _require_small(source: PredictionInput, kinds: tuple[DownloadKind, ...]) -> None:
    width, height = source.first_size
    pixels = width * height * len(source.names)
    require_within(
        "app_result_megabytes",
        sum(_BYTES_PER_PIXEL[kind] for kind in kinds) * pixels / 1e6,
        what="these files would be too large together: take fewer kinds, or a shorter video",
        where=", ".join(kinds),
    )


def _packed(source: PredictionInput, folder: Path, kind: DownloadKind) -> Path:
    """The file of a kind for its download: the only one that was written, else a ZIP of all of them."""
    paths = [path for path in output_paths(source, folder, (kind,)) if path.is_file()]
    place = folder / kind
    paths += [path for path in (place / "README.txt",) if path.is_file()]
    name = source.names[0] if len(source.names) == 1 else source.name
    if len(paths) == 1:
        return paths[0]
    packed = folder / f"{name}_{kind}.zip"
    with zipfile.ZipFile(packed, "w") as archive:  # stored: most of it is compressed, and the rest hardly shrinks
        for path in paths:
            archive.write(path, path.relative_to(folder).as_posix())
    return packed

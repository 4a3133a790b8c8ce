"""A recording for Rerun, as `predict --save rrd` writes it: images, depth, camera, path, and fused points over time.

Everything is in one unit: metres where the model knows them, else its own, and `about` says which. Frames go into the
file as they are predicted; nothing is kept but the path and the voxels that were seen last. `rerun.chunk` is used,
not rerun's logging: that drops what it cannot write, and waits for ever on a full disk.
"""

from __future__ import annotations

import importlib.util
import io
import queue
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image

from selfdepth.errors import DataError
from selfdepth.files import whole_file
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.quaternion import quaternion_from_rotation
from selfdepth.geometry.ray_depth import DepthIs, describe_depth_is
from selfdepth.inference.pointcloud import CloudLimits, NewPoints, PointCloud, point_cloud
from selfdepth.structs import DepthPrediction

RECORDING_NAME = "recording.rrd"
APPLICATION = "selfdepth"
_JPEG_QUALITY = 90
_SINCE_1970_S = 1e8
"""Times beyond this are dates; smaller ones count from the start of a video."""
_ENTITIES = 128
"""Entities of points, after which each holds the new points of twice as many frames: a viewer shows the last state of
every entity, so that points appear with their frame and stay, and thousands of entities would slow it down."""
_BATCH_POINTS = 200_000
_WAITING = 8
_SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")


@dataclass(frozen=True, kw_only=True)
class About:
    """What a recording says of its numbers.

    Attributes:
        name: of the input.
        unit: of all lengths, for people.
        metres_per_unit: factor from the predicted depths to the recording: its lengths are then metres. None: they are
            in the model's own unit, and relative.
        path_metres_per_unit: the same for the translations of the camera.
        depth_is: as in `DepthPrediction`.
        clouds: limits of the fused points, in the unit of the predicted depths.
    """

    name: str
    unit: str
    metres_per_unit: float | None
    path_metres_per_unit: float | None
    depth_is: DepthIs
    clouds: CloudLimits

    def text(self) -> str:
        """For people, in Markdown."""
        return (
            f"# {self.name}\n\nWritten by selfdepth.\n\n- Unit of all lengths: {self.unit}\n"
            f"- Depth is {describe_depth_is(self.depth_is)}; 0 where it is not known\n"
            "- Camera: x right, y down, z forward. The world is the first camera\n"
        )


def require_rerun() -> None:
    """Raise DataError, with the command that installs it, unless Rerun's SDK is there."""
    if importlib.util.find_spec("rerun") is None:
        raise DataError(
            "recordings need the package rerun-sdk",
            where="--save rrd",
            fix="install it with: pip install 'selfdepth[view]'",
        )


class Recording:
    """Writes frames in their order. See `create_recording`."""

    def __init__(self, file: _ChunkFile, about: About) -> None:
        import rerun

        self._rr, self._file, self._about = rerun, file, about
        self._scale = about.metres_per_unit or 1.0
        self._camera: Camera | None = None
        self._max_depth = 0.0
        self._new: NewPoints | None = None
        self._batches = _Batches()
        self._times: list[Any] = []
        self._path: list[ndarray] = []
        self._say_about()

    def add(
        self,
        prediction: DepthPrediction,
        image: UInt8[ndarray, "h w 3"],
        index: int,
        time_s: float | None,
        T_world_camera: Float[ndarray, "4 4"] | None,
    ) -> None:
        """Append a frame.

        Args:
            index: its position in the input.
            time_s: when it was taken, in seconds; None if that is not known.
            T_world_camera: in the unit of the pose network; None between two poses, or if the camera is not followed.
        """
        rr, camera = self._rr, prediction.camera
        self._times = [rr.TimeColumn("frame", sequence=[index])]
        if time_s is not None:
            kind = {"timestamp": [time_s]} if time_s > _SINCE_1970_S else {"duration": [time_s]}
            self._times.append(rr.TimeColumn("time", **kind))
        # Rerun has no lenses: below its pinhole, pixels of a lens would be put into wrong places.
        is_pinhole = camera is not None and camera.is_pinhole
        image_place, depth_place = (f"world/camera/{name}" if is_pinhole else name for name in ("image", "depth"))
        self._put(image_place, rr.EncodedImage.columns(blob=[_jpeg(image)], media_type=["image/jpeg"]))
        self._put_depth(depth_place, prediction.depth)
        if camera is not None and is_pinhole and camera != self._camera:
            size = [camera.width, camera.height]
            # One for each: below a common one, viewers show the depth above the image, which nobody then sees.
            for place in (image_place, depth_place):
                self._put(place, rr.Pinhole.columns(image_from_camera=[camera.matrix()], resolution=[size]))
            self._camera = camera
        pose = None if T_world_camera is None else self._put_pose(T_world_camera)
        if camera is not None:
            self._put_points(prediction, image, index, pose)

    def finish(self) -> None:
        """Append the points that were held back, and the whole path."""
        self._put_batch(self._batches.rest())
        if self._path:
            self._put("world/path", self._rr.LineStrips3D.columns(strips=[np.array(self._path)]), static=True)

    def _say_about(self) -> None:
        rr, factor = self._rr, self._about.metres_per_unit
        text = rr.TextDocument.columns(text=[self._about.text()], media_type=["text/markdown"])
        self._put("about", text, static=True)
        values = rr.AnyValues.columns(
            unit=[self._about.unit], is_metres=[factor is not None], depth_is=[self._about.depth_is]
        )
        self._put("about", values, static=True)
        axes = rr.ViewCoordinates.columns(xyz=[rr.components.ViewCoordinates.RDF])
        self._put("world", axes, static=True)
        # What the viewer's list of recordings shows. "<unknown>" otherwise.
        self._put("__properties", rr.archetypes.RecordingInfo.columns(name=[self._about.name]), static=True)

    def _put_depth(self, entity: str, depth: Float[ndarray, "h w"]) -> None:
        rr, values = self._rr, np.ascontiguousarray(depth * np.float32(self._scale), np.float32)
        form = rr.components.ImageFormat(
            width=values.shape[1],
            height=values.shape[0],
            color_model=rr.ColorModel.L,
            channel_datatype=rr.ChannelDatatype.F32,
        )
        # Without this component the unit is not stated.
        meter = {} if self._about.metres_per_unit is None else {"meter": [1.0]}
        self._put(entity, rr.DepthImage.columns(buffer=[values.tobytes()], format=[form], **meter))

    def _put_pose(self, T_world_camera: Float[ndarray, "4 4"]) -> Float[ndarray, "4 4"]:
        pose = T_world_camera.copy()
        pose[:3, 3] *= self._about.path_metres_per_unit or 1.0
        (quaternion,) = quaternion_from_rotation(pose[None, :3, :3])
        self._put("world/camera", self._rr.Transform3D.columns(translation=[pose[:3, 3]], quaternion=[quaternion]))
        self._path.append(pose[:3, 3].astype(np.float32))
        return np.asarray(pose)

    def _put_points(
        self,
        prediction: DepthPrediction,
        image: UInt8[ndarray, "h w 3"],
        index: int,
        pose: Float[ndarray, "4 4"] | None,
    ) -> None:
        if index == 0:
            self._max_depth, voxel = self._about.clouds.resolved(prediction)
            self._new = NewPoints(voxel * self._scale) if pose is not None else None
        if self._new is not None and pose is None:
            return  # between two poses
        if self._new is None and prediction.camera is not None and prediction.camera.is_pinhole:
            return  # the viewer makes points of the depth below a pinhole
        cloud = point_cloud(prediction, image, self._max_depth)
        cloud = replace(cloud, points=cloud.points * np.float32(self._scale))
        if self._new is None:
            self._put("world/camera/points", self._columns(cloud))
        else:
            assert pose is not None, "between two poses there are no points"
            self._put_batch(self._batches.add(self._new.of(cloud, pose)))

    def _put_batch(self, batch: tuple[str, PointCloud] | None) -> None:
        if batch is not None and len(batch[1].points):
            self._put(batch[0], self._columns(batch[1]))

    def _columns(self, cloud: PointCloud) -> Any:
        columns = self._rr.Points3D.columns(positions=cloud.points, colors=cloud.colours)
        return columns.partition([len(cloud.points)])

    def _put(self, entity: str, columns: Any, *, static: bool = False) -> None:
        from rerun.chunk import Chunk

        self._file.put(Chunk.from_columns(entity, indexes=[] if static else self._times, columns=columns))


class _Batches:
    """Gathers the new points of frames into few entities."""

    def __init__(self) -> None:
        self._waiting: list[PointCloud] = []
        self._count = 0

    def add(self, cloud: PointCloud) -> tuple[str, PointCloud] | None:
        """An entity with its points, whenever enough have come."""
        self._waiting.append(cloud)
        full = len(self._waiting) >= 2 ** (self._count // _ENTITIES)
        full |= sum(len(each.points) for each in self._waiting) >= _BATCH_POINTS
        return self.rest() if full else None

    def rest(self) -> tuple[str, PointCloud] | None:
        """What is waiting; None if nothing is."""
        if not self._waiting:
            return None
        points, colours = (
            np.concatenate([getattr(each, name) for each in self._waiting]) for name in ("points", "colours")
        )
        self._waiting, self._count = [], self._count + 1
        return f"world/points/{self._count - 1:06d}", PointCloud(points=points, colours=colours)


class _ChunkFile:
    """A file of chunks that a thread writes, a few chunks behind."""

    def __init__(self, path: Path, name: str) -> None:
        self._chunks: queue.Queue[Any] = queue.Queue(maxsize=_WAITING)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._write, args=(path, name), name="recording", daemon=True)
        self._thread.start()

    def put(self, chunk: Any) -> None:
        """Queue a chunk. Raises what the thread met, such as an OSError of a full disk."""
        while self._thread.is_alive():
            try:
                self._chunks.put(chunk, timeout=0.1)
            except queue.Full:
                continue
            return
        raise self._error or RuntimeError("the recording ended early")

    def close(self) -> None:
        """Wait until everything is in the file. Raises as `put`."""
        if self._thread.is_alive():
            self.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _write(self, path: Path, name: str) -> None:
        from rerun.chunk import LazyChunkStream

        try:
            stream = LazyChunkStream.from_iter(iter(self._chunks.get, None))
            stream.write_rrd(path, application_id=APPLICATION, recording_id=name)
        except Exception as error:
            number = _SYSTEM_ERROR.search(str(error))
            self._error = OSError(int(number[1]), str(error)) if number else error


@contextmanager
def create_recording(path: Path, about: About) -> Iterator[Recording]:
    """A recording, complete when the block succeeds and absent when it fails.

    Raises:
        OutputError: if the file cannot be written.
    """
    with whole_file(path) as temporary:
        file = _ChunkFile(temporary, about.name)
        try:
            recording = Recording(file, about)
            yield recording
            recording.finish()
        except BaseException:
            with suppress(Exception):  # of a file that is deleted; the first error is the one to report
                file.close()
            raise
        file.close()


def _jpeg(image: UInt8[ndarray, "h w 3"]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=_JPEG_QUALITY)
    return file.getvalue()

"""Rendered drives on disk: images with their exact camera and poses and, if it was written, their exact depth.

FOLDER/000000.png ...   FOLDER/camera.yaml   FOLDER/poses.txt (KITTI's text)   FOLDER/depth.npz ("depth", n h w, metres;
"depth_is", "z" or "ray": along the camera's axis, or along the ray of each pixel)
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from PIL import Image

from selfdepth.data.frames import FrameRef, FrameSequence
from selfdepth.data.readers.arrays import read_arrays
from selfdepth.data.readers.cameras import camera_to_yaml
from selfdepth.data.readers.folders import Survey, open_folder, survey
from selfdepth.data.readers.trajectories import POSES_FILE
from selfdepth.data.sources.folder import ImageFolders, folder_name
from selfdepth.data.sources.source import DataSource
from selfdepth.data.truth import DepthTruth
from selfdepth.errors import DataError
from selfdepth.files import writing_to
from selfdepth.structs import Trajectory
from selfdepth.synthetic.drive import SyntheticDrive

CAMERA_FILE = "camera.yaml"
DEPTH_FILE = "depth.npz"


@dataclass(frozen=True, kw_only=True)
class RenderedDrives(ImageFolders):
    """A rendered drive, or a folder of them."""

    kind: ClassVar[str] = "rendered-drive"
    calibrated: ClassVar[bool] = True
    protocol: ClassVar[str] = "dense"
    measures_depth: ClassVar[bool] = True

    @classmethod
    def recognise(cls, path: Path) -> DataSource | None:
        """Folders of images that each hold a camera file and a poses file, too."""
        found = survey(path) if path.is_dir() else Survey(folders=())
        # All or none: the sequences of a source share one protocol, and whether they are calibrated.
        complete = [all((folder / name).is_file() for name in (CAMERA_FILE, POSES_FILE)) for folder in found.folders]
        if not complete or not all(complete):
            return None
        return cls(path=path, folders=found.folders, left_out=found.left_out, said=found.said)

    def sequences(self, camera: str | None = None) -> tuple[FrameSequence, ...]:
        """One sequence per drive, with its own camera unless the user gives another."""
        self.say_left_out()
        return tuple(
            open_folder(folder, camera=camera or str(folder / CAMERA_FILE), name=folder_name(self.path, folder))
            for folder in self.folders
        )

    def sequences_to_predict(self) -> tuple[FrameSequence, ...]:
        """The same, with their own cameras; of a folder with too few images for a sequence, whatever is there."""
        with suppress(DataError):
            return self.sequences()
        return super().sequences_to_predict()

    @property
    def truth(self) -> DepthTruth:
        """The rendered depth, of those drives that were written with it."""
        return RenderedTruth(
            path=self.path, folders=tuple((folder_name(self.path, folder), folder) for folder in self.folders)
        )

    def describe_truth(self) -> str | None:
        """A sentence with the files that hold depth."""
        files = [folder / DEPTH_FILE for folder in self.folders if (folder / DEPTH_FILE).is_file()]
        return f"read from {', '.join(map(str, files))}" if files else None


@dataclass(frozen=True, kw_only=True)
class RenderedTruth(DepthTruth):
    """Exact depth, rendered together with the images.

    Attributes:
        path: path of the data source.
        folders: (name, folder) of each sequence.
    """

    path: Path
    folders: tuple[tuple[str, Path], ...]

    def may_have(self, ref: FrameRef) -> bool:
        """Whether the drive of the frame was written with depth."""
        return (dict(self.folders)[ref.sequence] / DEPTH_FILE).is_file()

    @property
    def root(self) -> Path:
        """The folder of the drives."""
        return self.path

    @property
    def layout(self) -> str:
        """Where the depth of a drive is expected."""
        return f"{DEPTH_FILE} beside the images"

    def __call__(self, ref: FrameRef) -> Float[ndarray, "h w"] | None:
        """Depth in metres, or None if the drive was written without depth. Raises DataError for a broken file."""
        file = self._file(ref)
        if not file.is_file():
            return None
        depth, _ = _read_depth(file, file.stat().st_mtime_ns)
        if not 0 <= ref.number < len(depth):
            raise DataError(
                "the drive has fewer depth maps than frames",
                where=file,
                expected=f"a map for frame {ref.number}",
                got=f"{len(depth)} maps",
            )
        depth_map: ndarray = depth[ref.number]
        return depth_map

    def depth_is(self, ref: FrameRef) -> Literal["z", "ray"]:
        """What the file of the frame's drive says. Raises DataError for a broken file."""
        file = self._file(ref)
        return _read_depth(file, file.stat().st_mtime_ns)[1] if file.is_file() else "z"

    def _file(self, ref: FrameRef) -> Path:
        return dict(self.folders)[ref.sequence] / DEPTH_FILE


def write_drive(drive: SyntheticDrive, folder: Path, *, with_depth: bool = False) -> None:
    """Write the left camera's images as 000000.png, 000001.png, ..., its camera, and its ground-truth poses.

    Args:
        with_depth: write the ground-truth depth, too.

    Raises:
        OutputError: if the folder cannot be written.
    """
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CAMERA_FILE).write_text(camera_to_yaml(drive.camera), encoding="utf-8")
        path = Trajectory(T_world_camera=drive.T_world_camera, timestamps=drive.timestamps)
        (folder / POSES_FILE).write_text(path.to_kitti(), encoding="utf-8")
        for number, image in enumerate(drive.images):
            Image.fromarray(image).save(folder / f"{number:06d}.png", compress_level=2)
        if with_depth:
            np.savez_compressed(folder / DEPTH_FILE, depth=drive.depth, depth_is=np.array(drive.depth_is))


@lru_cache(maxsize=4)
def _read_depth(file: Path, changed_ns: int) -> tuple[Float[ndarray, "n h w"], Literal["z", "ray"]]:
    # One compressed array holds a whole drive, so it is unpacked once for all frames. `changed_ns` is unused here: as
    # part of the key it makes the cache miss after the file was written again.
    what, expected = "the rendered depth cannot be read", 'an array "depth", n h w'
    arrays = read_arrays(file, what=what, expected=expected, wanted=lambda names: ["depth", "depth_is"])
    if "depth" not in arrays:
        raise DataError(what, where=file, expected=expected, got="no such array")
    depth = arrays["depth"]
    if depth.ndim != 3 or depth.dtype.kind != "f":
        got = f"{depth.dtype}, {'x'.join(map(str, depth.shape))}"
        raise DataError("the rendered depth cannot be used", where=file, expected="floats, n h w", got=got)
    depth_is = str(arrays.get("depth_is", "z"))
    if depth_is not in ("z", "ray"):
        what = "the rendered depth cannot be used"
        raise DataError(what, where=file, expected="depth_is z or ray", got=depth_is[:40])
    return depth, "z" if depth_is == "z" else "ray"

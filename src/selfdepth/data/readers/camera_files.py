"""Calibration files of every kind, recognised by their contents."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from selfdepth.data.readers.basalt import cameras_in_basalt, is_basalt
from selfdepth.data.readers.camera_entries import KINDS, UNREADABLE, Entries, documents_in
from selfdepth.data.readers.camera_xml import is_xml, xml_document
from selfdepth.data.readers.colmap import cameras_in_colmap, is_colmap
from selfdepth.data.readers.foreign_cameras import refuse_foreign, refuse_foreign_bytes
from selfdepth.data.readers.kitti_cameras import cameras_in_kitti, is_kitti
from selfdepth.data.readers.lens_checks import require_rays
from selfdepth.data.readers.lens_names import is_distortion
from selfdepth.data.readers.lenses import warn_of_four
from selfdepth.data.readers.naming import warn_of_principal_point
from selfdepth.data.readers.nerfstudio import camera_in_transforms, is_transforms
from selfdepth.data.readers.stated_cameras import (
    CameraFile,
    camera_of,
    sensor_of,
    states_camera,
    warn_of_rectified,
)
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera
from selfdepth.texts import read_bytes, text_of

_Cameras = dict[str, Callable[[], CameraFile]]
"""Readers of the cameras in a file by their names there: a camera that is not wanted need not be one that we read.
The only camera of a file may be without a name, "\""""


def read_camera_file(path: Path, name: str | None = None, *, frames: tuple[int, int] | None = None) -> CameraFile:
    """Read a camera from a file, for the image size stated in it.

    YAML, XML and JSON: ours (`camera_to_yaml`), OpenCV's, ROS's camera_info as a file or as a topic's echo prints it,
    Kalibr's camchain, EuRoC's sensor.yaml, CamOdoCal's (KITTI-360's image_02.yaml), ORB-SLAM's settings, nerfstudio's
    transforms.json, Basalt's calibration.json. Texts: COLMAP's cameras.txt, KITTI's calib_cam_to_cam.txt and
    KITTI-360's perspective.txt.

    Of several documents, as a topic's echo prints them, the first that is a camera is read, and the others must agree
    with it. A P that differs from K, a principal point outside the image, and documents that cannot be read beside one
    that can cause a warning.

    Args:
        name: of the camera, in a file of several.
        frames: width and height of the frames, for files that state an angle and no size, or cameras of two sizes.

    Raises:
        DataError: naming the file, if it cannot be parsed, lacks an entry, holds invalid numbers, contradicts itself,
            holds several cameras and `name` is none of them, or is of a lens that cannot be used.
    """
    # The long echo of a topic, or the frames of transforms.json: what is parsed of it has limits of its own.
    data = read_bytes(path, what=UNREADABLE, expected=KINDS, name="text_megabytes")
    refuse_foreign_bytes(data, path)
    text = text_of(data, path, what=UNREADABLE, expected=KINDS)
    try:
        read = _chosen(_cameras(text, path, frames), name, path)
    except DataError:
        refuse_foreign(text, path)  # which says more
        raise
    require_rays(read.camera, path)
    warn_of_principal_point(read.camera, str(path))
    return read


def _cameras(text: str, path: Path, frames: tuple[int, int] | None) -> _Cameras:
    if is_transforms(text):
        return {"": lambda: camera_in_transforms(text, path, frames)}
    if is_basalt(text):
        return cameras_in_basalt(text, path)
    if is_colmap(text):
        return cameras_in_colmap(text, path)
    if is_kitti(text):
        return cameras_in_kitti(text, path, frames)
    documents = [xml_document(text, path)] if is_xml(text) else documents_in(text, path)
    found = [_entries_of_cameras(document, path) for document in documents]
    # Other documents may hold anything, such as the images of the same topic.
    found = [each for each in found if any(map(states_camera, each.values()))] or found[:1]
    names = dict.fromkeys(name for each in found for name in each)
    return {name: _reader([each[name] for each in found if name in each]) for name in names}


def _chosen(cameras: _Cameras, name: str | None, path: Path) -> CameraFile:
    if name is not None:
        if name not in cameras or not name:
            raise DataError(
                "the camera file holds no such camera",
                where=f"--camera {path}:{name}",
                expected=_names(cameras) if any(cameras) else "no name: the file holds one camera",
                got=name[:60],
            )
        return cameras[name]()
    first, *others = cameras
    if others and not _all_alike(cameras):
        raise DataError(
            "the camera file holds several cameras",
            where=path,
            expected="one camera, or the name of one",
            got=_names(cameras),
            fix=f"give the one that recorded these frames, such as --camera {path}:{first}",
        )
    return cameras[first]()


def _names(cameras: Iterable[str], most: int = 20) -> str:
    names = [name[:40] for name in cameras]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _all_alike(cameras: _Cameras) -> bool:
    """Whether it makes no difference which camera is taken, as of rectified pairs."""
    try:
        return len({(read.camera, read.sensor_size) for read in (each() for each in cameras.values())}) == 1
    except DataError:
        return False


def _entries_of_cameras(document: dict[str, Any], path: Path) -> dict[str, Entries]:
    """The entries of each camera in a document, those outside of any camera included."""
    entries = Entries(document.items(), path)
    if states_camera(entries):
        return {"": entries}
    document = _nested(document)
    cameras = {
        key: value
        for key, value in document.items()
        # In {model: radtan, k: [...]}, k is no matrix.
        if isinstance(value, dict) and not is_distortion(key) and states_camera(Entries(value.items(), path))
    }
    if not cameras:
        return {"": entries}
    # ORB-SLAM writes the size of both cameras below neither.
    shared = [(key, value) for key, value in document.items() if key not in cameras and key != _SHARED]
    shared += [] if _SHARED in cameras else list(document.get(_SHARED, {}).items())
    return {key: Entries((*shared, *camera.items()), path) for key, camera in cameras.items()}


_SHARED = "Camera"


def _nested(document: dict[str, Any]) -> dict[str, Any]:
    """A document in which ORB-SLAM's entries, such as Camera1.fx, are those of a mapping Camera1."""
    nested: dict[str, Any] = {}
    for key, value in document.items():
        camera, _, name = key.partition(".")
        if camera in (_SHARED, "Camera1", "Camera2") and name and isinstance(nested.setdefault(camera, {}), dict):
            # What stands there is never the name of a product, as it may be in an entry that is called `type` only.
            nested[camera][key if name == "type" else name] = value
        else:
            nested[key] = value
    return nested


def _reader(documents: list[Entries]) -> Callable[[], CameraFile]:
    """Reads a camera, of which there may be several documents."""

    def read() -> CameraFile:
        first = next((entries for entries in documents if states_camera(entries)), documents[0])
        found, sensor = camera_of(first), sensor_of(first)
        for entries in documents:
            if entries is not first and states_camera(entries) and not _is_of(entries, sensor):
                raise DataError(
                    "the cameras in the file differ",
                    where=entries.path,
                    expected="one camera, or the same one several times",
                    got=f"{len(documents)} documents, of which at least two disagree",
                    fix="keep the document of these frames only",
                )
        warn_of_rectified(first, sensor)
        warn_of_four(first, sensor.lens)
        return found

    return read


def _is_of(entries: Entries, sensor: Camera) -> bool:
    """Whether a further document is of the same camera. One that states none, as when a print was stopped, is left out
    with a warning."""
    try:
        return sensor_of(entries) == sensor
    except DataError as error:
        warnings.warn(f"a document is left out: {error}", SelfDepthWarning, stacklevel=5)
        return True

"""Recognise what the user's data is, by looking: a root of KITTI raw or odometry, folders of images, video files."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from selfdepth.data.frames import Footage, FrameRef, FrameSequence, Origin
from selfdepth.data.kitti.odometry import (
    is_kitti_odometry,
    open_odometry_sequences,
    open_odometry_split,
    with_partners,
)
from selfdepth.data.kitti.raw import is_kitti_raw, open_kitti_raw
from selfdepth.data.kitti.splits import find_split, split_path
from selfdepth.data.motion import choose_spacing, measure_motion
from selfdepth.data.sources.cameras import PAPER, is_camera_file, parse_camera
from selfdepth.data.sources.images import (
    IMAGE_SUFFIXES,
    MIN_FRAMES,
    find_image_folders,
    image_size,
    list_images,
    open_folder,
)
from selfdepth.data.sources.video import VIDEO_SUFFIXES, open_video
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera

VAL_SHARE = 0.1
"""Share of the clips, at the end of each sequence, that is held out for validation."""
MIN_CLIPS_FOR_VAL = 20
"""Sequences with fewer clips are trained on whole."""


def open_footage(
    path: Path,
    *,
    split: str | None = None,
    camera: str | None = None,
    offsets: tuple[int, ...] = (-1, 1),
    spacing: int = 1,
    stereo: bool = False,
) -> Footage:
    """Recognise footage and say which of its frames are for training and which for validation.

    Args:
        path: root of KITTI raw or odometry, folder of images, folder of such folders or of videos, or video file.
        split: as `find_split` takes it; for KITTI only.
        camera: as `parse_camera` reads it. Default: KITTI's calibration; for own footage 60 degrees are assumed.
        offsets: times of a clip's sources, in units of `spacing` frames.
        stereo: with the other camera of a stereo pair; for KITTI only.

    Raises:
        DataError: for a path that is missing or holds nothing to train on, or a split or stereo that do not apply.
    """
    steps = tuple(offset * spacing for offset in offsets)
    if not path.exists():
        raise DataError("there is no such footage", where=path, fix="check --data")
    origin = _origin(path, split, camera)
    if is_kitti_raw(path):
        own = None if camera is None else _kitti_camera(path, camera)
        folder = None if split is None else find_split(split)
        kitti = open_kitti_raw(path, folder, camera=own, offsets=steps, stereo=stereo)
        return replace(kitti, spacing=spacing, origin=origin)
    if is_kitti_odometry(path):
        footage = _open_kitti_odometry(path, split, camera, steps, stereo=stereo)
    else:
        _require_own(path, split, stereo=stereo)
        footage = _open_own(path, camera, steps)
    return replace(footage, spacing=spacing, origin=origin)


def _open_kitti_odometry(
    path: Path, split: str | None, camera: str | None, steps: tuple[int, ...], *, stereo: bool
) -> Footage:
    if split is None:
        footage = _open_own(path, camera, steps)
    else:
        listed = open_odometry_split(path, find_split(split), camera=camera, offsets=steps)
        footage = Footage(kind="kitti-odometry", **vars(listed))
    if not stereo:
        return footage
    refs_of = {"train": footage.train, "val": footage.val}
    return replace(footage, sequences=with_partners(path, footage.sequences, refs_of, camera=camera))


def _require_own(path: Path, split: str | None, *, stereo: bool) -> None:
    """Refuse what only KITTI has, for other footage."""
    if stereo:
        raise DataError(
            "there are no stereo partners in this footage",
            where=path,
            expected="a root of KITTI raw or odometry, or a store made of one with --stereo",
            got="footage of one camera",
            fix="leave --stereo out",
        )
    if split is not None:
        raise DataError(
            "a split applies to KITTI only",
            where=f"--split {split}",
            got=f"own footage, {path}",
            fix="leave --split out: the end of each sequence is kept for validation",
        )


def _open_own(path: Path, camera: str | None, steps: tuple[int, ...]) -> Footage:
    """Footage without a split that is not KITTI raw; `steps` are the times of a clip's sources in frames."""
    kind, sequences = open_sequences(path, camera=camera)
    if camera == PAPER and kind != "kitti-odometry":
        warnings.warn(
            f"the paper's camera is KITTI's, and {path} is other footage: depth will be distorted; give its own camera "
            "with --camera",
            SelfDepthWarning,
            stacklevel=2,
        )
    train, val = split_clips(sequences, steps)
    if not train:
        raise _too_short(path, sequences, steps)
    return Footage(kind=kind, sequences=sequences, train=train, val=val)


def open_footage_auto(
    path: Path,
    *,
    split: str | None = None,
    camera: str | None = None,
    offsets: tuple[int, ...] = (-1, 1),
    stereo: bool = False,
) -> tuple[Footage, int]:
    """The same for `--every auto`: without targets in parked stretches, at the spacing that the motion asks for.

    Returns:
        the footage, and its spacing in frames, 1 to 10.

    Raises:
        DataError: as `open_footage`, or if the camera never moves.
    """
    opened = partial(open_footage, path, split=split, camera=camera, offsets=offsets, stereo=stereo)
    first = opened()
    motions = {sequence.name: measure_motion(sequence) for sequence in first.sequences}
    spacing = choose_spacing(motions.values())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SelfDepthWarning)  # said when the footage was opened first
        footage = opened(spacing=spacing)

    def moving(refs: tuple[FrameRef, ...]) -> tuple[FrameRef, ...]:
        return tuple(ref for ref in refs if not motions[ref.sequence].is_parked(ref.number))

    assert footage.origin is not None, "open_footage says where from"
    origin = replace(footage.origin, auto=True)
    footage = replace(footage, train=moving(footage.train), val=moving(footage.val), origin=origin)
    if not footage.train:
        raise DataError(
            "the camera stands still wherever there are frames to train on",
            where=path,
            expected="footage from a moving camera",
            fix="give other footage, or set --every by hand",
        )
    return footage, spacing


def open_sequences(path: Path, *, camera: str | None = None) -> tuple[str, tuple[FrameSequence, ...]]:
    """The kind ("kitti-odometry", "folder", "video") and the whole sequences of footage that is not KITTI raw.

    Raises:
        DataError: if nothing usable is there.
    """
    if path.is_file():
        if path.suffix.lower() in IMAGE_SUFFIXES:
            raise DataError(
                "one image is no footage", where=path, expected="a folder of images or a video", fix="give its folder"
            )
        return "video", (open_video(path, camera=camera),)
    if is_kitti_odometry(path):
        return "kitti-odometry", open_odometry_sequences(path, camera=camera)
    folders = find_image_folders(path)
    if folders:
        names = [path.resolve().name if folder == path else folder.relative_to(path).as_posix() for folder in folders]
        openers: list[Callable[[], FrameSequence]] = [
            partial(open_folder, folder, camera=camera, name=name) for folder, name in zip(folders, names, strict=True)
        ]
        # A folder with an image or two beside the drives is no reason to refuse the drives.
        enough = [len(list_images(folder)) >= MIN_FRAMES for folder in folders]
        if any(enough):
            for folder in (folder for folder, good in zip(folders, enough, strict=True) if not good):
                warnings.warn(f"left out, as it has fewer than {MIN_FRAMES} images: {folder}", SelfDepthWarning, 2)
            openers = [opener for opener, good in zip(openers, enough, strict=True) if good]
        return "folder", tuple(opener() for opener in openers)
    videos = sorted(file for file in path.iterdir() if file.suffix.lower() in VIDEO_SUFFIXES and file.is_file())
    if not videos:
        raise DataError(
            "nothing to train on was recognised",
            where=path,
            expected="a root of KITTI raw or odometry, images, folders of images, or videos",
            got=_listing(path),
        )
    opened = (open_video(video, camera=camera) for video in videos)
    return "video", tuple(replace(sequence, name=sequence.files[0].name) for sequence in opened)


def split_clips(
    sequences: tuple[FrameSequence, ...], steps: tuple[int, ...]
) -> tuple[tuple[FrameRef, ...], tuple[FrameRef, ...]]:
    """Targets for training and for validation: all frames that have the neighbours at `steps`, in frames.

    The last tenth of each sequence of 20 clips or more is for validation, and training stops before the first frame
    that a validation clip sees. If there are 20 clips, but in short sequences, the last of these is for validation.
    """
    before, after = min((0, *steps)), max((0, *steps))
    train: list[FrameRef] = []
    val: list[FrameRef] = []
    clips = {sequence.name: _targets(sequence, steps) for sequence in sequences}
    for name, targets in clips.items():
        n_val = int(VAL_SHARE * len(targets)) if len(targets) >= MIN_CLIPS_FOR_VAL else 0
        held_out = targets[len(targets) - n_val :]
        train += [FrameRef(name, n) for n in targets if not held_out or n + after < held_out[0] + before]
        val += [FrameRef(name, n) for n in held_out]
    if not val and len(train) >= MIN_CLIPS_FOR_VAL:
        last = train[-1].sequence
        val = [ref for ref in train if ref.sequence == last]
        train = [ref for ref in train if ref.sequence != last]
    return tuple(train), tuple(val)


def _too_short(path: Path, sequences: tuple[FrameSequence, ...], steps: tuple[int, ...]) -> DataError:
    longest = max(len(sequence.numbers) for sequence in sequences)
    return DataError(
        "there are no frames to train on",
        where=path,
        expected=f"frames with neighbours at {', '.join(f'{step:+d}' for step in steps)}" if steps else "frames",
        got=f"sequences of up to {longest} frames, with gaps or too short",
        fix="give longer footage or a smaller --every",
    )


def _origin(path: Path, split: str | None, camera: str | None) -> Origin:
    """As given; what is a file or folder by its whole path."""
    if camera is not None and is_camera_file(camera):
        camera = str(Path(camera).expanduser().resolve())
    return Origin(path=path.resolve(), split=None if split is None else split_path(split), camera=camera)


def _targets(sequence: FrameSequence, steps: tuple[int, ...]) -> list[int]:
    known = set(sequence.numbers)
    return [number for number in sequence.numbers if all(number + step in known for step in steps)]


def _kitti_camera(root: Path, spec: str) -> Callable[[int, int], Camera]:
    """The camera given for a KITTI root, by width and height of the images: those of its dates differ a little."""
    first = next((path for path in root.glob("*/*/image_0[23]/data/*") if path.suffix.lower() in IMAGE_SUFFIXES), None)
    if first is None:
        raise DataError("there are no images", where=root, expected="DATE/DRIVE/image_02/data/0000000000.jpg")
    if spec == PAPER or spec.startswith("fov:"):
        return lambda width, height: parse_camera(spec, width=width, height=height)
    width, height = image_size(first)
    camera = parse_camera(spec, width=width, height=height)
    return lambda width, height: camera  # numbers are for one size: images of another are refused


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    return f"{', '.join(names[:3])}{', ...' if len(names) > 3 else ''}" if names else "an empty folder"

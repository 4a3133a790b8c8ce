"""`selfdepth prepare DATA --out STORE`: decode the frames once, for several runs."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from selfdepth.cli.printing import say
from selfdepth.config import Rectify, TrainConfig
from selfdepth.places import is_url, path_of
from selfdepth.presets import PRESETS

if TYPE_CHECKING:
    from selfdepth.data.sources.source import DataSource
    from selfdepth.data.store.store import Store
    from selfdepth.data.store.write_chunks import ChunkContents


@dataclass(frozen=True, kw_only=True)
class PrepareArgs:
    """Decode frames once, cropped and at the training size, into a store that train takes as --data.

    The options given here are fixed in the store, and need not be repeated for train.
    """

    data: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DATA")]
    """Root of KITTI raw or odometry, folder of images, video file, or ROS bag."""
    out: str
    """Folder of the store: new, empty, or a store, which is reused if it fits and rebuilt if not. Or s3://BUCKET/NAME,
    gs://BUCKET/NAME or azure://CONTAINER/NAME for chunks."""
    chunks: bool = False
    """Write chunks also into a folder, for data that are more than the disk of a machine holds; likewise reused if they
    fit. DATA may then be a store. Needs pip install 'selfdepth[stream]'."""
    split: str | None = None
    """Folder with train_files.txt, val_files.txt, test_files.txt; or a published split: eigen_zhou, odom (KITTI)."""
    camera: str | None = None
    """fx,fy,cx,cy in pixels of the frames; or a calibration file (ours, OpenCV, ROS, Kalibr, EuRoC, COLMAP, nerfstudio,
    KITTI-360), as FILE:NAME where it holds several cameras; or fov:DEGREES; or, for KITTI, paper: its one camera for
    all dates."""
    every: str | None = None
    """Frames between a target and its neighbours: a number, or auto (by motion). Default: 1."""
    crop: str | None = None
    """Pixels to cut off each side, top,bottom,left,right (bonnet, overlays); the camera follows."""
    rectify: Rectify = "auto"
    """For a camera with a lens (a file with distortion). yes: frames become those of a pinhole camera, up to 60 degrees
    from its axis. auto: yes if that holds every pixel. no: keep the frames as they are."""
    stream: int | None = None
    """Number of the video stream to take, from 0. Default: the one with the most frames."""
    topic: str | None = None
    """Name of the topic of images to take from ROS bags. Default: that of the only camera."""
    stereo: bool = False
    """Take the other camera's images too (KITTI), for training with --stereo."""
    on_error: Literal["stop", "skip"] = "stop"
    """When frames cannot be read: stop and name them, or leave them out, with a word, up to 1 percent of the frames."""
    width: int = 640
    """Training width in pixels, a multiple of 32."""
    height: int | None = None
    """Training height in pixels, a multiple of 32. Default: the frames' aspect, to the nearest multiple."""


SECTIONS = {
    "data": ("data", "split", "camera", "every", "crop", "rectify", "stream", "topic", "stereo", "on_error"),
    "output": ("out", "chunks", "width", "height"),
}
"""How `--help` groups the options."""


def prepare(args: PrepareArgs) -> None:
    """Run the verb: recognise DATA, decode its frames, print what the store or the chunks hold.

    Raises:
        SelfDepthError: for invalid data or options, or a folder that cannot be written.
    """
    config = TrainConfig(
        data=args.data,
        split=args.split,
        camera=args.camera,
        every=args.every,
        crop=args.crop,
        rectify=args.rectify,
        stream=args.stream,
        topic=args.topic,
        stereo="calibrated" if args.stereo else "none",
        on_error=args.on_error,
        width=args.width,
        height=args.height,
    )
    from selfdepth.cli.progress import progress
    from selfdepth.data.sources.recognise import recognise

    source = recognise(path_of(args.data), args.stream, args.topic)
    shown, advance = 0, None
    with ExitStack() as stack:

        def on_frames(done: int, total: int) -> None:
            nonlocal shown, advance
            # Opened with the first frame: a store that fits is reused at once, with no progress to show.
            advance = advance or stack.enter_context(progress("decoding", total, "frames"))
            advance(done - shown)
            shown = done

        if args.chunks or is_url(args.out):
            from selfdepth.data.sources.chunks import chunks_for

            place = args.out if is_url(args.out) else str(path_of(args.out).resolve())
            contents, made = chunks_for(source, config, place, progress=on_frames)
            lines = _describe_chunks(contents, place, made=made)
        else:
            store = source.new_store(config, path_of(args.out), progress=on_frames)
            lines = describe_store(store, source, made=shown > 0)
    say("\n".join(lines))


def _describe_chunks(contents: ChunkContents, place: str, *, made: bool) -> list[str]:
    """Lines about chunks, ending with the command that trains on them. `made` as in `_describe`."""
    width, height = contents.size
    n_sequences = len(contents.sequences)
    n_bytes = sum(map(contents.n_bytes, range(len(contents.runs))))
    n_targets = {part: sum(count for *_, count in contents.values[part]) for part in ("train", "val")}
    mode = "mono-stereo" if any(sequence.partner for sequence in contents.sequences) else "mono"
    return [
        f"{'made' if made else 'already there, and they fit'}: {len(contents.runs)} chunks in {place}, "
        f"{n_bytes / 1e6:.0f} MB",
        f"frames: {len(contents.runs.of_row)} of {width}x{height} from {n_sequences} "
        f"{'sequence' if n_sequences == 1 else 'sequences'} ({contents.values['kind']})",
        f"targets: {n_targets['train']} to train on, {n_targets['val']} to validate",
        f"now: selfdepth train {_preset(mode, width, height)} --data {place} --out RUN",
    ]


def _preset(mode: str, width: int, height: int) -> str:
    """The preset of this mode and size, or the options that give it."""
    name = f"{mode}-{width}x{height}"
    return name if name in PRESETS else f"{mode}-640x192 --width {width} --height {height}"


def describe_store(store: Store, source: DataSource, *, made: bool) -> list[str]:
    """Lines about a store, ending with the command that trains on it.

    Args:
        made: whether it was built now, and not reused.
    """
    from selfdepth.data.clips.clips import make_clips
    from selfdepth.data.store.prepare import lenses_of

    frames, sequences = len(store.frames), len(store.sequences)
    n_sequences = "1 sequence" if sequences == 1 else f"{sequences} sequences"
    size = f"{store.width}x{store.height}"
    chosen = " (by the motion)" if store.origin is not None and store.origin.auto else ""
    apart = "1 frame" if store.spacing == 1 else f"{store.spacing} frames"
    test = f", {len(store.test)} to test" if store.test else ""
    paired = any(sequence.partner for sequence in store.sequences)
    mode = "mono-stereo" if paired else "mono"
    command = _preset(mode, store.width, store.height)
    lines = [
        f"{'made' if made else 'already there, and it fits'}: {store.folder}, {store.frames.nbytes / 1e6:.0f} MB",
        f"frames: {frames} of {size} from {n_sequences} ({store.kind})",
        f"targets: {len(store.train)} to train on, {len(store.val)} to validate{test}; "
        f"neighbours {apart} apart{chosen}",
    ]
    lenses = lenses_of(store)
    if lenses is not None:
        lines.append(lenses)
    truth = source.describe_truth()
    if truth is not None:
        lines.append(f"ground truth: {truth}")
    if paired:
        stereo = make_clips(store, store.train, offsets=(), stereo="calibrated")
        lines.append(f"stereo: {len(stereo)} of the frames to train on have their partner")
    return [*lines, f"now: selfdepth train {command} --data {store.folder} --out RUN"]

"""`selfdepth check DATA`: report what the data are, and what a split lacks, before a run depends on it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from selfdepth.checks import require_stream
from selfdepth.cli.evaluating import write_json
from selfdepth.cli.printing import safe_console
from selfdepth.config import Rectify, TrainConfig
from selfdepth.errors import ConfigError, printable
from selfdepth.places import path_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from selfdepth.data.inspect import FootageSummary
    from selfdepth.data.kitti.inventory import Inventory
    from selfdepth.data.sources.contents import Contents
    from selfdepth.data.sources.source import DataSource

_SHOWN = 12
"""Longest list of missing folders or archives: a terminal shows it at a glance, and --json has the rest."""


@dataclass(frozen=True, kw_only=True)
class CheckArgs:
    """Report what DATA is and whether it can be trained on; for KITTI, what is missing for a split.

    Of a store, the frames are compared with their checksum. Nothing is written except --json and --picture.
    """

    data: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DATA")]
    """Root of KITTI raw or odometry, folder of images, video file, ROS bag, or store."""
    split: tuple[str, ...] = ()
    """Published splits, like eigen_zhou and eigen, or folders with train_files.txt, val_files.txt or test_files.txt
    (KITTI). The report lists what is there and what is missing; for one complete split, its sequences too."""
    splits: str | None = None
    """Folder of split folders (eigen_zhou/train_files.txt and so on), instead of downloading the published lists.
    Without --split, the splits of the paper's tables are checked."""
    camera: str | None = None
    """fx,fy,cx,cy in pixels of the frames; or a calibration file (ours, OpenCV, ROS, Kalibr, EuRoC, COLMAP, nerfstudio,
    KITTI-360), as FILE:NAME where it holds several cameras; or fov:DEGREES."""
    stream: int | None = None
    """Number of the video stream to look at, from 0. Default: the one with the most frames."""
    topic: str | None = None
    """Name of the topic of images to look at in ROS bags. Default: that of the only camera."""
    on_error: Literal["stop", "skip"] = "stop"
    """When frames cannot be read: end with an error after the report, or report them as training with the same option
    would leave them out."""
    crop: str | None = None
    """Pixels that train would cut off each side, top,bottom,left,right: the report says what is left."""
    rectify: Rectify | None = None
    """yes, no or auto, as for train, of a camera with a lens: the report says what training sees. Default: auto."""
    width: int | None = None
    """Width in pixels at which to train, a multiple of 32. Default: 640."""
    height: int | None = None
    """Height in pixels at which to train, a multiple of 32. Default: the frames' aspect, to the nearest multiple."""
    picture: str | None = None
    """PNG file for a picture, of a camera with a lens: the first frame, above what training sees of it rectified."""
    json: str | None = None
    """File for the report as JSON, with everything that is missing."""


SECTIONS = {
    "data": ("data", "camera", "stream", "topic", "on_error"),
    "splits": ("split", "splits"),
    "training": ("crop", "rectify", "width", "height"),
    "output": ("picture", "json"),
}
"""How `--help` groups the options."""


def check(args: CheckArgs) -> None:
    """Run the verb: show what the splits lack, or the sequences and the frame spacing that their motion suggests.

    Raises:
        SelfDepthError: for data that training would refuse, lists that cannot be read or downloaded, or a --json file
            that cannot be written.
    """
    config = _config(args)
    from selfdepth.data.inspect import require_readable
    from selfdepth.data.kitti.inventory import split_folder
    from selfdepth.data.sources.recognise import recognise
    from selfdepth.data.store.store import is_store
    from selfdepth.files import require_writable_file

    require_stream(args.stream)
    if args.json is not None:
        require_writable_file(path_of(args.json), option="--json")
    if args.picture is not None:
        require_writable_file(path_of(args.picture), option="--picture")
    # Unwrapped lines can be searched and copied. Markup is off wherever a path is printed: it may contain [brackets].
    console = safe_console(soft_wrap=True, highlight=False)
    if is_store(path_of(args.data)):
        _check_store(console, args)
        return
    source = recognise(path_of(args.data), args.stream, args.topic)
    contents = source.contents()
    if contents is not None:
        # Printed at once: of a bag with several cameras, these are the names to choose from.
        _show_contents(console, args.data, contents)
    lists = None if args.splits is None else path_of(args.splits)
    inventory, summary = None, None
    if args.split or lists is not None:
        inventory = source.inventory(args.split, lists)
        _show_inventory(console, args.data, inventory)
    # The sequences of a split are shown only if it is complete: opening an incomplete one is refused.
    if inventory is None or (len(args.split) == 1 and inventory.is_complete):
        split = str(split_folder(args.split[0], lists)) if args.split else None
        summary = _look(console, source, args.camera, split, config)
        _show_summary(console, args.data, summary)
        _write_picture(source, args, config)
    if inventory is None and source.usual_splits:
        names = " ".join(source.usual_splits)
        console.print(f"splits: add --split {names} to see what is missing for them", markup=False)
    report = {"footage": summary, "inventory": inventory, "contents": contents}
    write_json(args.json, {name: part and dataclasses.asdict(part) for name, part in report.items()})
    if summary is not None:
        require_readable(summary, on_error=args.on_error)  # last: the report is what the user came for


def _config(args: CheckArgs) -> TrainConfig:
    """What would be trained with, as far as it changes the frames. Raises ConfigError."""
    if args.picture is not None and args.rectify == "no":
        raise ConfigError("--picture shows the rectified view", got="--rectify no", fix="leave one of them out")
    config = TrainConfig(crop=args.crop, rectify=args.rectify or "auto", height=args.height)
    return config if args.width is None else dataclasses.replace(config, width=args.width)


def _look(
    console: Console, source: DataSource, camera: str | None, split: str | None, config: TrainConfig
) -> FootageSummary:
    """Look at all frames, and show the progress."""
    from selfdepth.data.inspect import inspect_source

    with console.status("looking at the frames") as status:
        return inspect_source(
            source,
            camera,
            split,
            config=config,
            progress=lambda done, total: status.update(f"looking at the frames: {done} of {total}"),
        )


def _check_store(console: Console, args: CheckArgs) -> None:
    """Compare a store with its checksums, and say what it holds."""
    from selfdepth.data.store.prepare import lenses_of
    from selfdepth.data.store.store import open_store

    chosen = {"--split": args.split or None, "--splits": args.splits, "--camera": args.camera, "--stream": args.stream}
    chosen |= {"--picture": args.picture, "--topic": args.topic, "--crop": args.crop, "--rectify": args.rectify}
    chosen |= {"--width": args.width, "--height": args.height}
    for option, value in chosen.items():
        if value is not None:
            raise ConfigError("a store's frames were chosen when it was made", where=option, fix="leave it out")
    store = open_store(path_of(args.data))
    with console.status("comparing the frames with their checksum"):
        store.check_frames()
    sealed = store.frames_digest is not None
    console.print(f"{args.data}: store of {store.kind}, {store.width}x{store.height}", markup=False)
    console.print(f"frames: {len(store.frames)} in {len(store.sequences)} sequences")
    console.print(f"clips: {len(store.train)} to train on, {len(store.val)} to validate")
    lenses = lenses_of(store)
    if lenses is not None:
        console.print(lenses, markup=False)
    console.print("checksum: " + ("as written" if sealed else "none; stores of this version had none"))
    report = {"frames": len(store.frames), "train": len(store.train), "val": len(store.val), "checksum": sealed}
    write_json(args.json, {"store": report})


def _write_picture(source: DataSource, args: CheckArgs, config: TrainConfig) -> None:
    """Write the picture of the rectified view, if it is asked for."""
    if args.picture is None:
        return
    from PIL import Image

    from selfdepth.data.inspect import picture_of_view
    from selfdepth.files import whole_file

    picture = picture_of_view(source, args.camera, config)
    with whole_file(path_of(args.picture)) as path:
        Image.fromarray(picture).save(path, format="PNG")


def _show_contents(console: Console, data: str, contents: Contents) -> None:
    """As lines, not as a table, which would cut long names off: they are to be copied."""
    lines = (contents.columns, *contents.rows)
    widths = [max(len(line[i]) for line in lines) for i in range(len(contents.columns))]
    console.print(f"{data}: {contents.title}", markup=False)
    for line in lines:
        padded = "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True))
        console.print(f"  {padded}".rstrip(), markup=False)


def _show_summary(console: Console, data: str, summary: FootageSummary) -> None:
    console.print(_sequence_table(summary, data))
    clips = f"clips: {summary.n_train} to train on, {summary.n_val} to validate"
    console.print(clips + (f", {summary.n_test} frames to test" if summary.n_test else ""))
    if summary.stereo is not None:
        console.print(f"stereo: {summary.stereo}", markup=False)
    console.print(f"training: {summary.training}", markup=False)
    if summary.lenses is not None:
        console.print(summary.lenses, markup=False)
    console.print(f"suggested: --every {summary.every}")
    for sentence in summary.warnings:
        console.print(f"warning: {sentence}", style="yellow", markup=False)
    for sentence in summary.unreadable:
        console.print(f"cannot be read: {sentence}", style="yellow", markup=False)


def _show_inventory(console: Console, data: str, inventory: Inventory) -> None:
    console.print(f"{data}: {inventory.kind}", markup=False)
    console.print(_inventory_table(inventory))
    for line in _missing(inventory):
        console.print(line, markup=False)


def _sequence_table(summary: FootageSummary, data: str) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(printable(f"{data}: {summary.kind}")))
    for heading in ("sequence", "frames", "size", "fps", "camera", "gaps", "parked", "every"):
        table.add_column(heading, justify="left" if heading in ("sequence", "camera") else "right", overflow="fold")
    for row in summary.sequences:
        table.add_row(
            Text(printable(row.name)),
            str(row.n_frames),
            f"{row.width}x{row.height}",
            f"{row.fps:.3g}" if row.fps else "-",
            f"{row.camera}, {'' if row.lens == 'pinhole' else row.lens + ', '}{row.fov_deg:.0f} deg",
            _ranges(row.gaps),
            _ranges(row.parked),
            str(row.every),
        )
    return table


def _ranges(pairs: tuple[tuple[int, int], ...], limit: int = 3) -> str:
    """The first few ranges of frame numbers, as "3-7, 12-20 and 4 more"; "none" if there are none."""
    shown = ", ".join(f"{first}-{last}" for first, last in pairs[:limit])
    return f"{shown} and {len(pairs) - limit} more" if len(pairs) > limit else shown or "none"


def _inventory_table(inventory: Inventory) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("split", "part", "frames", "there", "both cameras", "ground truth"):
        table.add_column(heading, justify="left" if heading in ("split", "part") else "right", no_wrap=True)
    for row in inventory.parts:
        numbers = (row.listed, row.there, row.paired, row.measured)
        table.add_row(row.split, row.part, *(f"{number:,}" for number in numbers))
    return table


def _missing(inventory: Inventory) -> list[str]:
    """Lines about missing files, folders with the most missing images first."""
    if inventory.is_complete:
        return ["nothing is missing: every frame that the lists name is there, with its neighbours and calibration"]
    ranked = sorted(inventory.images.items(), key=lambda item: -item[1])
    lines = [f"missing: {file}" for file in inventory.files]
    lines += [f"missing: {count:,} images of {sequence}" for sequence, count in ranked[:_SHOWN]]
    if len(ranked) > _SHOWN:
        rest = sum(count for _, count in ranked[_SHOWN:])
        lines.append(f"missing: {rest:,} images of {len(ranked) - _SHOWN} more folders; --json FILE lists all of them")
    archives = list(inventory.archives)
    more = f" and {len(archives) - _SHOWN} more" if len(archives) > _SHOWN else ""
    lines.append(f"unpack into this folder, from KITTI: {', '.join(archives[:_SHOWN])}{more}")
    return lines

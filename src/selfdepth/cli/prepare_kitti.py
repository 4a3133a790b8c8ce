"""`selfdepth prepare kitti DIR`: what of KITTI is there, and what is missing for a split."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from selfdepth.cli.evaluating import write_numbers

if TYPE_CHECKING:
    from rich.table import Table

    from selfdepth.data.kitti.inventory import Inventory

_SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class PrepareKittiArgs:
    """Say what of KITTI is in a folder, and what is missing for the splits.

    Nothing is written but --json. (A folder that is called kitti is given to `selfdepth prepare` as ./kitti.)
    """

    data: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DIR")]
    """Root of KITTI raw (the folder of the dates) or odometry (the folder of sequences/)."""
    split: tuple[str, ...] = ()
    """Folders with train_files.txt, val_files.txt or test_files.txt, or published names. Default: eigen_zhou, eigen and
    eigen_benchmark for KITTI raw, odom for KITTI odometry."""
    splits: str | None = None
    """Folder of split folders (eigen_zhou/train_files.txt and so on), instead of downloading the published lists."""
    json: str | None = None
    """File for the numbers, with everything that is missing."""


def prepare_kitti(args: PrepareKittiArgs) -> None:
    """Run the verb: look at the folder, show a table, then what is missing; write --json.

    Raises:
        SelfDepthError: for a folder that is not KITTI's, or lists or a place that cannot be used.
    """
    from rich.console import Console

    from selfdepth.data.kitti.inventory import take_inventory
    from selfdepth.files import require_writable

    if args.json is not None:
        require_writable(Path(args.json).expanduser().parent, option="--json")
    lists = None if args.splits is None else Path(args.splits).expanduser()
    inventory = take_inventory(Path(args.data).expanduser(), args.split, lists)
    write_numbers(args.json, dataclasses.asdict(inventory))
    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.print(f"{args.data}: {inventory.kind}")
    console.print(_table(inventory))
    for line in _missing(inventory):
        console.print(line)


def _table(inventory: Inventory) -> Table:
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
    """What is not there, the most first."""
    if not inventory.images and not inventory.files:
        return ["nothing is missing: every frame that the lists name is there, with its neighbours and calibration"]
    ranked = sorted(inventory.images.items(), key=lambda item: -item[1])
    lines = [f"missing: {file}" for file in inventory.files]
    lines += [f"missing: {count:,} images of {sequence}" for sequence, count in ranked[:_SHOWN]]
    if len(ranked) > _SHOWN:
        rest = sum(count for _, count in ranked[_SHOWN:])
        lines.append(f"missing: {rest:,} images of {len(ranked) - _SHOWN} more folders; --json FILE lists all of them")
    archives = list(inventory.archives)
    more = f" and {len(archives) - _SHOWN} more" if len(archives) > _SHOWN else ""
    lines.append(f"to be unpacked into this folder, from KITTI: {', '.join(archives[:_SHOWN])}{more}")
    return lines

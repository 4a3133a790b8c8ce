"""`selfdepth presets`: the named runs, and what the paper published for them."""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from selfdepth.paper_tables import METRICS, ROWS, DepthFigures, Row
from selfdepth.presets import PRESETS

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True, kw_only=True)
class PresetsArgs:
    """List the presets of `selfdepth train`, and the figures that the paper published for them on KITTI.

    docs/reproduce.md has the commands of each row.
    """

    json: bool = False
    """Print JSON: every preset's options, and every row with its figures and commands."""


def presets(args: PresetsArgs) -> None:
    """Run the verb: print a table, or JSON."""
    if args.json:
        sys.stdout.write(json.dumps(_values(), indent=2) + "\n")
        return
    from rich.console import Console

    # Wide enough for every row: what a narrow terminal folds can still be read, what is cut off cannot.
    console = Console(width=200, soft_wrap=True, highlight=False, markup=False)
    own = [name for name in PRESETS if not name.startswith("paper-")]
    console.print("Ours, for any footage; the stereo ones for KITTI, in metres:")
    console.print(f"  {', '.join(own)}\n")
    console.print("The paper's rows, on KITTI, in its conventions:")
    console.print(_depth_table([row for row in ROWS if isinstance(row.figures, DepthFigures)]))
    console.print(_odometry_table([row for row in ROWS if not isinstance(row.figures, DepthFigures)]))
    for row in ROWS:
        if row.lacks is not None:
            console.print(f"not to be had here: table {row.tables}, {row.preset}: {row.lacks}")
    console.print("a dash: a figure that is not known to us. The commands of each row: docs/reproduce.md")


def _values() -> dict[str, Any]:
    from selfdepth.config import to_json

    rows = [
        {
            **dataclasses.asdict(row),
            "train": row.train_commands(),
            "evaluate": row.evaluate_commands(),
        }
        for row in ROWS
    ]
    return {"presets": {name: to_json(config) for name, config in PRESETS.items()}, "rows": rows}


def _depth_table(rows: list[Row]) -> Table:
    table = _table("preset", "table", "judged", *METRICS)
    for row in rows:
        assert isinstance(row.figures, DepthFigures), "the caller takes no others"
        judged = row.judged if row.split == "eigen_zhou" else f"{row.judged}; trained on {row.split}"
        table.add_row(row.preset, row.tables, judged, *(row.figures.in_words()))
    return table


def _odometry_table(rows: list[Row]) -> Table:
    table = _table("preset", "table", "five-frame error, m: 09", "10")
    for row in rows:
        table.add_row(row.preset, row.tables, *row.figures.in_words())
    return table


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        words = column in ("preset", "table", "judged")
        table.add_column(column, justify="left" if words else "right", no_wrap=True)
    return table

"""`selfdepth presets`: the presets, and the figures that the paper published for them."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from selfdepth.cli.printing import safe_console, say
from selfdepth.paper.figures import DepthFigures
from selfdepth.paper.tables import ROWS, Row
from selfdepth.paper.tables_v1 import V1_ROWS
from selfdepth.presets import MONODEPTH_V1, PRESETS

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True, kw_only=True)
class PresetsArgs:
    """List the presets of `selfdepth train`, and the figures that the paper published for them.

    docs/reproduce.md has the commands of each row.
    """

    json: bool = False
    """Print JSON: every preset's options, and every row with its figures and commands."""


def presets(args: PresetsArgs) -> None:
    """Run the verb: print a table, or JSON."""
    if args.json:
        say(json.dumps(_values(), indent=2))
        return
    # Wide enough for every row: lines that a narrow terminal folds can be read, but not columns that rich cuts off.
    console = safe_console(width=200, soft_wrap=True, highlight=False, markup=False)
    # Names alone for ours: nobody published figures for them.
    own = [name for name in PRESETS if not name.startswith("paper-") and name != MONODEPTH_V1]
    console.print("Ours, for your own data; the stereo ones for KITTI, in metres:")
    console.print(f"  {', '.join(own)}\n")
    console.print("The paper's rows, on KITTI and Make3D, in its conventions:")
    for kind in dict.fromkeys(type(row.figures) for row in ROWS):
        console.print(_table([row for row in ROWS if isinstance(row.figures, kind)]))
    console.print(f"The paper's predecessor, on KITTI from stereo pairs alone, in metres: {MONODEPTH_V1}")
    console.print("It is a ResNet-50 trained on KITTI. Published were:")
    console.print(_table(list(V1_ROWS), name="network and data"))
    console.print("a dash: a figure that we do not know. The commands of each row: docs/reproduce.md")


def _values() -> dict[str, Any]:
    from selfdepth.config import to_json

    rows = [
        {
            **dataclasses.asdict(row),
            "train": row.train_commands(),
            "evaluate": row.evaluate_commands(),
        }
        for row in (*ROWS, *V1_ROWS)
    ]
    return {"presets": {name: to_json(config) for name, config in PRESETS.items()}, "rows": rows}


def _table(rows: list[Row], name: str = "preset") -> Table:
    """A table of rows with the same kind of figures. Depth figures have a column for the protocol, which differs.

    Args:
        name: title of the first column: the preset's name, or with another title the row's own.
    """
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    text_columns = [name, "table", *(["protocol"] if isinstance(rows[0].figures, DepthFigures) else [])]
    for column in text_columns:
        table.add_column(column, no_wrap=True)
    for column in rows[0].figures.HEADS:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        protocol = row.judged if row.other_split is None else f"{row.judged}; trained on {row.split}"
        first = row.preset if name == "preset" else row.name
        table.add_row(*[first, row.tables, protocol][: len(text_columns)], *row.figures.cells())
    return table

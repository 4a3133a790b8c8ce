"""How fast selfdepth is, beside the yardstick and beside what this machine can do at best.

    make bench
    python benchmarks/speed.py --only train-step --json speed.json

Prints one table; `--json` writes all numbers with machine, versions and commit. `report.py` makes a page of that.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cases_data
import cases_training
import cases_use
from ceilings import Ceilings, measure_ceilings
from measuring import Setting, facts, write_json
from report import ceilings_line, table

Case = Callable[[Setting, Ceilings, Path], dict[str, Any]]

CASES: dict[str, Case] = {
    "train-step": cases_training.train_step,
    "objective": cases_training.objective,
    "store-building": cases_data.store_building,
    "batch-delivery": cases_data.batch_delivery,
    "predict": cases_use.predict,
    "evaluate": cases_use.evaluate,
    "start-up": cases_use.start_up,
}

QUICK = Setting(
    width=96,
    height=64,
    batch=2,
    rounds=1,
    round_s=0.0,
    image_width=160,
    image_height=96,
    n_frames=12,
    n_evaluated=4,
)
"""Everything once, tiny: shows that it works, measures nothing."""


def main(words: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure what is asked for, print the table, and give the document that the JSON file holds."""
    args = _parser().parse_args(words)
    if args.json is not None:
        args.json.parent.mkdir(parents=True, exist_ok=True)  # a bad place is found before the work, not after
    warnings.filterwarnings("ignore", category=UserWarning)
    setting = _setting(args)
    document = facts() | {"command": " ".join(sys.argv), "quick": args.quick, "setting": asdict(setting)}
    _tell("ceilings of this machine")
    ceilings = measure_ceilings(setting)
    document["ceilings"] = asdict(ceilings)
    for name in args.only or CASES:
        _tell(name)
        start = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="selfdepth-bench-") as folder:
            result = CASES[name](setting, ceilings, Path(folder))
        document[name.replace("-", "_")] = result | {"took_s": round(time.perf_counter() - start, 1)}
        if args.json is not None:
            write_json(document, args.json)  # after each, so that a stop loses nothing
    print(ceilings_line(document))
    print(table(document))
    return document


def _parser() -> argparse.ArgumentParser:
    default = Setting()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=CASES, help="what to measure; default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round: a try, not a measurement")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), help="of our side; default: its own choice")
    parser.add_argument(
        "--compile", action=argparse.BooleanOptionalAction, help="compile our side; default: its own choice"
    )
    parser.add_argument("--width", type=int, help=f"training width in pixels (default: {default.width})")
    parser.add_argument("--height", type=int, help=f"training height in pixels (default: {default.height})")
    parser.add_argument("--batch", type=int, help=f"clips per step (default: {default.batch})")
    parser.add_argument("--rounds", type=int, help=f"turns of each side (default: {default.rounds})")
    return parser


def _setting(args: argparse.Namespace) -> Setting:
    named = ("precision", "compile", "width", "height", "batch", "rounds")
    given = {name: value for name in named if (value := getattr(args, name)) is not None}
    return replace(QUICK if args.quick else Setting(), **given)


def _tell(what: str) -> None:
    print(f"measuring: {what} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

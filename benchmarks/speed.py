"""Measure the speed of selfdepth, compared with the yardstick and with the limits of this machine.

    make bench
    python benchmarks/speed.py --only train-step --json speed.json

Prints one table; `--json` writes all numbers with machine, versions and commit, of which `report.py` makes a page.
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
"""Every measurement once, at tiny sizes: shows that the program works, and measures nothing."""


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the requested measurements and print the table. Returns the document that the JSON file holds."""
    args = _parser().parse_args(argv)
    if args.json is not None:
        args.json.parent.mkdir(parents=True, exist_ok=True)  # a place that cannot be written to must fail now
    warnings.filterwarnings("ignore", category=UserWarning)
    setting = _setting(args)
    document = facts() | {"command": " ".join(sys.argv), "quick": args.quick, "setting": asdict(setting)}
    _announce("ceilings of this machine")
    ceilings = measure_ceilings(setting)
    document["ceilings"] = asdict(ceilings)
    for name in args.only or CASES:
        _announce(name)
        start = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="selfdepth-bench-") as folder:
            result = CASES[name](setting, ceilings, Path(folder))
        document[name.replace("-", "_")] = result | {"took_s": round(time.perf_counter() - start, 1)}
        if args.json is not None:
            write_json(document, args.json)  # after each measurement, so that an interrupt loses none
    print(ceilings_line(document))
    print(table(document))
    return document


def _parser() -> argparse.ArgumentParser:
    default = Setting()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=CASES, help="measurements to run; default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round: a trial, not a measurement")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), help="of selfdepth; default: its own choice")
    parser.add_argument(
        "--compile", action=argparse.BooleanOptionalAction, help="compile selfdepth; default: its own choice"
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


def _announce(measurement: str) -> None:
    print(f"measuring: {measurement} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

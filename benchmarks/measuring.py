"""How the benchmarks measure: both sides in turns, medians with their spread, and a description of the machine."""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = Path(__file__).resolve().parent


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Sizes and repetitions of the measurements.

    Attributes:
        width, height: training size in pixels.
        batch: clips per step.
        rounds: number of turns of each side.
        round_s: minimum duration of a turn in seconds; 0 for a trial.
        precision, compile: of selfdepth's side; with "auto" and None it chooses itself.
        image_width, image_height: size of the JPEG files in pixels; KITTI's by default.
        encoder: of selfdepth's side.
        n_frames: number of JPEG files.
        n_evaluated: number of predictions in the evaluated split.
    """

    width: int = 640
    height: int = 192
    batch: int = 4
    rounds: int = 7
    round_s: float = 2.0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    compile: bool | None = None
    encoder: str = "resnet18"
    image_width: int = 1242
    image_height: int = 375
    n_frames: int = 96
    n_evaluated: int = 40


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Median, smallest and largest value of some measurements."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values: Iterable[float]) -> Spread:
        """The spread of one or more values."""
        values = list(values)
        return Spread(median=statistics.median(values), low=min(values), high=max(values))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        key: name of the number in the JSON, with its unit: "clips_per_s".
        what: description for the table.
        unit: of ours, plain and floor.
        better: whether higher or lower numbers are better.
        ours, plain: the two sides; `plain` is None if the yardstick has no such part.
        ratio: how many times better ours is, from each pair of turns.
        floor: the best that this machine could do, in the same unit; None if it is not known.
        floor_is: how the floor is computed.
    """

    key: str
    what: str
    unit: str
    better: Literal["higher", "lower"]
    ours: Spread
    plain: Spread | None = None
    ratio: Spread | None = None
    floor: float | None = None
    floor_is: str = ""

    @property
    def share_of_floor(self) -> float | None:
        """The fraction of the best possible that is reached, 0 to 1; None without a floor."""
        if self.floor is None:
            return None
        return self.ours.median / self.floor if self.better == "higher" else self.floor / self.ours.median

    def to_json(self) -> dict[str, Any]:
        """The row as JSON values."""
        spreads = {name: getattr(self, name) for name in ("ours", "plain", "ratio")}
        return {
            **{name: value for name, value in vars(self).items() if name not in spreads},
            **{name: None if spread is None else vars(spread) for name, spread in spreads.items()},
            "share_of_floor": self.share_of_floor,
        }


def rate_row(key: str, what: str, unit: str, amount: float, seconds: Mapping[str, list[float]], **floor: Any) -> Row:
    """A row of rates.

    Args:
        amount: number of units that each call of a side processes.
        seconds: per call, by side: "ours" and perhaps "plain".
        floor: `floor` and `floor_is` of the row.
    """
    ours, plain = ([amount / s for s in seconds[side]] if side in seconds else None for side in ("ours", "plain"))
    return _row(key, what, unit, "higher", ours or [], plain, floor)


def time_row(key: str, what: str, seconds: Mapping[str, list[float]], **floor: Any) -> Row:
    """A row of durations, in milliseconds. Arguments as `rate_row`."""
    ours, plain = ([1e3 * s for s in seconds[side]] if side in seconds else None for side in ("ours", "plain"))
    return _row(key, what, "ms", "lower", ours or [], plain, floor)


def size_row(key: str, what: str, ours_mb: float, plain_mb: float | None) -> Row:
    """A row of memory, in MB (10^6 bytes)."""
    return _row(key, what, "MB", "lower", [ours_mb], None if plain_mb is None else [plain_mb], {})


def _row(
    key: str,
    what: str,
    unit: str,
    better: Literal["higher", "lower"],
    ours: list[float],
    plain: list[float] | None,
    floor: dict[str, Any],
) -> Row:
    ratio = None
    if plain is not None:
        # Pair by pair: a slow moment of the machine slows two neighbouring turns, one of each side.
        pairs = zip(ours, plain, strict=True)
        ratio = Spread.of(a / b if better == "higher" else b / a for a, b in pairs)
    return Row(
        key=key,
        what=what,
        unit=unit,
        better=better,
        ours=Spread.of(ours),
        plain=None if plain is None else Spread.of(plain),
        ratio=ratio,
        **floor,
    )


def section(rows: Iterable[Row], **facts: Any) -> dict[str, Any]:
    """A measurement as JSON: the median of each row under its key, further facts, and the whole rows."""
    rows = list(rows)
    flat: dict[str, Any] = {}
    for row in rows:
        flat[row.key] = row.ours.median
        if row.plain is not None and row.ratio is not None:
            flat[f"plain_{row.key}"], flat[f"ratio_{row.key}"] = row.plain.median, row.ratio.median
    return {**flat, **facts, "rows": [row.to_json() for row in rows]}


def in_turns(sides: Mapping[str, Callable[[], object]], setting: Setting) -> dict[str, list[float]]:
    """Seconds per call of each side, one value per round. The sides take turns, A B A B, so that other load hits both.

    Each side is called twice beforehand: once to warm up and compile, once to learn how many calls fill its turn. Turns
    of 0 seconds are for trials: one call each, without warming up.
    """
    repeats = dict.fromkeys(sides, 1)
    for name, call in sides.items() if setting.round_s > 0 else ():
        call()
        repeats[name] = max(1, round(setting.round_s / max(_timed(call, 1), 1e-9)))
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(setting.rounds):
        for name, call in sides.items():
            gc.collect()  # or one side would pay for the garbage of the other
            seconds[name].append(_timed(call, repeats[name]))
    return seconds


def _timed(call: Callable[[], object], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def peak_mb() -> float:
    """The peak memory of this process so far, in MB (10^6 bytes)."""
    # Not ru_maxrss on Linux: there a child process inherits its parent's peak, so that a small child of a large process
    # would show the parent's memory.
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    except (OSError, IndexError):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def facts() -> dict[str, Any]:
    """Machine, versions and commit, as every JSON file begins."""
    return {
        "machine": {
            "cpu": _cpu_name(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
            "capability": torch.backends.cpu.get_cpu_capability(),
            "amx": torch.cpu._is_amx_tile_supported(),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            "system": f"{platform.system()} {platform.machine()}",
            "load_before": round(os.getloadavg()[0], 2),
        },
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("torch", "torchvision", "timm", "numpy", "pillow")},
        },
        "commit": _git("rev-parse", "--short", "HEAD"),
        "changed_since_commit": bool(_git("status", "--porcelain", "--", "src", "benchmarks")),
    }


def arguments_of(args: argparse.Namespace) -> dict[str, str]:
    """What was asked for, without the folders of this machine."""
    return {key: value.name if isinstance(value, Path) else Path(str(value)).name for key, value in vars(args).items()}


def write_json(document: Mapping[str, Any], path: Path) -> None:
    """Write a document; its folder is made if it does not exist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""

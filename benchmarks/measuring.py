"""How things are measured here: two sides in turns, medians with their spread, and what they were measured on."""

from __future__ import annotations

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
    """What is measured at which size.

    Attributes:
        width, height: training size in pixels.
        batch: clips per step.
        rounds: how often the two sides take turns.
        round_s: a side's turn lasts at least this long.
        precision, compile: of selfdepth's side; "auto" and None leave it the choice.
        image_width, image_height: of the JPEG files, KITTI's by default.
        n_frames: files in the folder of images.
        n_evaluated: predictions in the evaluated split.
    """

    width: int = 640
    height: int = 192
    batch: int = 4
    rounds: int = 7
    round_s: float = 2.0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    compile: bool | None = None
    image_width: int = 1242
    image_height: int = 375
    n_frames: int = 96
    n_evaluated: int = 40


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Median, smallest and largest of some measurements."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values: Iterable[float]) -> Spread:
        """Of at least one value."""
        values = list(values)
        return Spread(median=statistics.median(values), low=min(values), high=max(values))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        key: name of the number in the JSON, with its unit: "clips_per_s".
        what: in words.
        unit: of ours, plain and floor.
        better: which way is better.
        ours, plain: the two sides; plain is None where the usual form has no such part.
        ratio: how many times better ours is, pair by pair.
        floor: what this machine could do at best, in the same unit; None where there is no such number.
        floor_is: how the floor is made.
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
        """How much of the best possible is reached, 0 to 1."""
        if self.floor is None:
            return None
        return self.ours.median / self.floor if self.better == "higher" else self.floor / self.ours.median

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        spreads = {name: getattr(self, name) for name in ("ours", "plain", "ratio")}
        return {
            **{name: value for name, value in vars(self).items() if name not in spreads},
            **{name: None if spread is None else vars(spread) for name, spread in spreads.items()},
            "share_of_floor": self.share_of_floor,
        }


def rate_row(key: str, what: str, unit: str, amount: float, seconds: Mapping[str, list[float]], **floor: Any) -> Row:
    """A row of rates: `amount` of something done in those seconds, by each side."""
    ours, plain = ([amount / s for s in seconds[side]] if side in seconds else None for side in ("ours", "plain"))
    return _row(key, what, unit, "higher", ours or [], plain, floor)


def time_row(key: str, what: str, seconds: Mapping[str, list[float]], **floor: Any) -> Row:
    """A row of durations, in milliseconds."""
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
    """A measurement as JSON: each row's median under its key, then the whole rows, then what else is to be known."""
    rows = list(rows)
    flat: dict[str, Any] = {}
    for row in rows:
        flat[row.key] = row.ours.median
        if row.plain is not None and row.ratio is not None:
            flat[f"plain_{row.key}"], flat[f"ratio_{row.key}"] = row.plain.median, row.ratio.median
    return {**flat, **facts, "rows": [row.to_json() for row in rows]}


def in_turns(sides: Mapping[str, Callable[[], object]], setting: Setting) -> dict[str, list[float]]:
    """Seconds per call of each side, once a round, A B A B: what disturbs the machine disturbs both.

    Each side is called twice before: once to warm up (and compile), once to learn how many calls fill its turn. Turns
    of no length are for trying things out: one call, and no warming up.
    """
    repeats = dict.fromkeys(sides, 1)
    for name, call in sides.items() if setting.round_s > 0 else ():
        call()
        repeats[name] = max(1, round(setting.round_s / max(_timed(call, 1), 1e-9)))
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(setting.rounds):
        for name, call in sides.items():
            gc.collect()
            seconds[name].append(_timed(call, repeats[name]))
    return seconds


def _timed(call: Callable[[], object], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def peak_mb() -> float:
    """The largest memory that this process had so far, in MB (10^6 bytes)."""
    # ru_maxrss would do, but on Linux a child starts with its parent's peak: a small child of a large process lies.
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    except (OSError, IndexError):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def facts() -> dict[str, Any]:
    """Machine, versions and commit, for the head of every JSON file."""
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


def write_json(document: Mapping[str, Any], path: Path) -> None:
    """Write a document, making its folder."""
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

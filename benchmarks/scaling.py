"""Measure how cost grows with resolution, batch size, the number of clips, and the size of a prepared store.

    python benchmarks/scaling.py --json benchmarks/results/scaling.json

Each growth is an exponent, the slope of log(seconds) over log(size): 1 is linear growth, 0 is none.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from measuring import Setting, facts, in_turns, write_json
from scenes import write_street
from selfdepth.checks import MIN_SIZE
from selfdepth.data.clips.clips import make_clips
from selfdepth.data.clips.loader import ClipLoader
from selfdepth.data.frames import FrameRef
from selfdepth.data.runs import NumberRuns, PaddedNames
from selfdepth.data.store.index import FRAMES_FILE, INDEX_FILE, StoredSequence, encode_index, encode_refs
from selfdepth.data.store.store import Store, open_store
from selfdepth.geometry.camera import Camera
from sides import our_run, our_step

_TOLERANCE = 0.1
"""Noise by which an exponent may exceed its limit."""

_FRAMES_PER_DRIVE = 500
_DRIVES = 10
"""Where the drives grow, and not their number."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The sizes at which costs are measured.

    Attributes:
        sizes: training width and height in pixels.
        size_batch: clips per step at each of these sizes.
        batches: clips per step, at the size `batch_size_px`.
        clips: numbers of frames of the synthetic stores.
    """

    sizes: tuple[tuple[int, int], ...] = ((416, 128), (640, 192), (1024, 320), (1280, 384))
    size_batch: int = 2
    batches: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    batch_size_px: tuple[int, int] = (416, 128)
    clips: tuple[int, ...] = (100, 1_000, 10_000, 100_000, 1_000_000)


QUICK = Plan(sizes=((64, 64), (96, 64)), batches=(1, 2), batch_size_px=(64, 64), clips=(100, 1000))


def growth(what: str, sizes: Sequence[float], seconds: Sequence[float], *, limit: float) -> dict[str, Any]:
    """The exponent of a growth, and whether it stays within its limit."""
    exponent = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
    # A fixed cost flattens the slope over all sizes, and least between the two largest ones.
    last = float(np.diff(np.log(seconds[-2:]))[0] / np.diff(np.log(sizes[-2:]))[0])
    return {
        "what": what,
        "sizes": list(sizes),
        "seconds": list(seconds),
        "exponent": exponent,
        "exponent_of_the_last_step": last,
        "limit": limit,
        "holds": max(exponent, last) <= limit + _TOLERANCE,
    }


def over_resolution(plan: Plan, setting: Setting, images: Path, folder: Path) -> dict[str, Any]:
    """Seconds per clip of the training step, over pixels."""
    seconds = [
        _step_seconds(replace(setting, width=w, height=h, batch=plan.size_batch), images, folder / f"{w}x{h}")
        / plan.size_batch
        for w, h in plan.sizes
    ]
    return growth("training step, a clip, over pixels", [w * h for w, h in plan.sizes], seconds, limit=1)


def over_batch(plan: Plan, setting: Setting, images: Path, folder: Path) -> dict[str, Any]:
    """Seconds per training step, over clips in its batch."""
    width, height = plan.batch_size_px
    seconds = [
        _step_seconds(replace(setting, width=width, height=height, batch=b), images, folder / f"batch_{b}")
        for b in plan.batches
    ]
    return growth("training step over clips in its batch", plan.batches, seconds, limit=1)


def over_data(plan: Plan, setting: Setting, folder: Path) -> list[dict[str, Any]]:
    """Costs that depend only on the number of clips, on stores of black frames."""
    longer, opening, indexing, choosing = [], [], [], []
    for n in plan.clips:
        sparse_store(folder / f"long_drives_{n}", n, per_drive=n // _DRIVES)
        longer.append(_seconds(partial(open_store, folder / f"long_drives_{n}"), setting))
        sparse_store(folder / f"store_{n}", n)
        opening.append(_seconds(partial(open_store, folder / f"store_{n}"), setting))
        store = open_store(folder / f"store_{n}")
        indexing.append(_seconds(partial(_clips_and_order, store), setting))
        loader = _loader(store)
        loader.indices(0)  # the epoch's order is made once
        steps = count()
        choosing.append(_seconds(partial(_choose_next, loader, steps), setting))
    return [
        growth("making clips and an epoch's order, over clips", plan.clips, indexing, limit=1),
        growth("choosing a batch's clips, over clips", plan.clips, choosing, limit=0),
        growth(f"opening a prepared store of {_DRIVES} drives, over frames", plan.clips, longer, limit=0),
        # The index has an entry for each drive, with its camera.
        growth(f"opening a prepared store of drives of {_FRAMES_PER_DRIVE} frames", plan.clips, opening, limit=1),
    ]


def sparse_store(folder: Path, n_frames: int, per_drive: int = _FRAMES_PER_DRIVE) -> None:
    """Write a store of `n_frames` black frames, in drives of `per_drive`; as a sparse file it takes no space."""
    folder.mkdir()
    camera = Camera.from_fov(60.0, width=MIN_SIZE, height=MIN_SIZE)
    # Not built from images: a store of a million frames would take hours, and only its index matters here.
    sequences, refs = [], []
    for start in range(0, n_frames, per_drive):
        numbers = NumberRuns.of(range(min(per_drive, n_frames - start)))
        name = f"drive_{start // per_drive:05d}"
        sequences.append(
            StoredSequence(
                name=name,
                start=start,
                numbers=numbers,
                names=PaddedNames(numbers, 6),
                camera=camera,
                stored_camera=camera,
                K=camera.matrix(),
            )
        )
        refs += [FrameRef(name, number) for number in range(1, len(numbers) - 1)]
    values = {
        "width": MIN_SIZE,
        "height": MIN_SIZE,
        "fingerprint": "synthetic",
        "kind": "folder",
        "protocol": "eigen",
        "crop": [0, 0, 0, 0],
        "spacing": 1,
        "origin": None,
        "train": encode_refs(refs, [sequence.name for sequence in sequences]),
        "val": [],
        "test": [],
        "frames_sha256": None,  # of a file that is one hole
    }
    (folder / INDEX_FILE).write_text(encode_index(values, sequences), encoding="utf-8")
    with (folder / FRAMES_FILE).open("wb") as file:
        file.truncate(n_frames * 3 * MIN_SIZE**2)


def _loader(store: Store) -> ClipLoader:
    clips = make_clips(store, store.train, offsets=(-1, 1))
    return ClipLoader(store, clips, batch_size=4, seed=0, device="cpu")


def _clips_and_order(store: Store) -> None:
    _loader(store).indices(0)


def _step_seconds(setting: Setting, images: Path, folder: Path) -> float:
    run = our_run(setting, images, folder)
    step, batch = our_step(run), run.data.train.batch(0)
    return _seconds(lambda: step(batch), setting)


def _choose_next(loader: ClipLoader, steps: Iterator[int]) -> None:
    loader.indices(next(steps) % 10)


def _seconds(call: Callable[[], object], setting: Setting) -> float:
    """The best of the rounds: growth is a property of the program, not of other load on the machine."""
    return min(in_turns({"ours": call}, setting)["ours"])


def measure(plan: Plan, setting: Setting, *, data_only: bool = False) -> list[dict[str, Any]]:
    """Measure all growths, or those of the data alone."""
    with tempfile.TemporaryDirectory(prefix="selfdepth-bench-") as name:
        folder = Path(name)
        if data_only:
            return over_data(plan, setting, folder)
        write_street(folder / "images", setting)
        return [
            over_resolution(plan, setting, folder / "images", folder),
            over_batch(plan, setting, folder / "images", folder),
            *over_data(plan, setting, folder),
        ]


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure and print. Returns the document that the JSON file holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round: a trial, not a measurement")
    parser.add_argument("--data-only", action="store_true", help="only what depends on the size of a store")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    parser.add_argument("--compile", action="store_true", help="compile each step: takes minutes for each size")
    args = parser.parse_args(argv)
    setting = Setting(rounds=3, round_s=1.0, n_frames=48, precision=args.precision, compile=args.compile)
    if args.quick:
        setting = replace(setting, rounds=1, round_s=0.0, n_frames=12, image_width=160, image_height=96)
    plan = QUICK if args.quick else Plan()
    growths = measure(plan, setting, data_only=args.data_only)
    document = facts() | {
        "command": " ".join(sys.argv),
        "quick": args.quick,
        "setting": asdict(setting),
        "growths": growths,
    }
    for each in growths:
        verdict = "within" if each["holds"] else "EXCEEDS"
        print(
            f"{each['what']}: exponent {each['exponent']:.2f}, {each['exponent_of_the_last_step']:.2f} at the end; "
            f"{verdict} the limit of {each['limit']}"
        )
    if args.json is not None:
        write_json(document, args.json)
    return document


if __name__ == "__main__":
    main()

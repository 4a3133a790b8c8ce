"""Measure the paper's main training on one GPU: its rate, its share of the peak rate, its memory, and a profile.

    benchmarks/gpu.sh

KITTI is replaced by as many frames of the same size: rendered ones, repeated, as bytes on the GPU if they fit, else in
the memory of the host. A step includes everything: choosing and gathering clips, flip and jitter, networks, objective,
optimiser.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from ceilings import Ceilings, measure_ceilings, step_gflop_per_clip
from measuring import Setting, facts, peak_mb, write_json
from scenes import write_street
from selfdepth.data.clips.augment import apply, draw_augmentation
from selfdepth.data.clips.order import epoch_order
from selfdepth.engine.setup import Run
from selfdepth.structs import Batch
from sides import is_compiled, our_run, our_step

KITTI_CLIPS = 39_810
"""Training targets of the split eigen_zhou."""
KITTI_EPOCHS = 20
_KEPT_FREE = 0.6
"""Fraction of the GPU's memory that frames must leave to the training."""
_PROFILED_STEPS = 3
_TABLE_ROWS = 20
_PARTS = 5


class Clips:
    """Clips of a long drive whose frames are in memory as bytes.

    Args:
        frames: a few frames, "n 3 h w", repeated forwards and backwards until there are enough.
        K: intrinsics of all frames, "1 3 3".
        n_clips: number of targets; there are two frames more.
        device: of the training steps.
    """

    def __init__(self, frames: Tensor, K: Tensor, *, n_clips: int, device: torch.device) -> None:
        self.device, self.n_clips = device, n_clips
        n_frames = n_clips + 2
        nbytes = n_frames * frames[0].numel()
        self.resident = device.type == "cpu" or nbytes < (1 - _KEPT_FREE) * torch.cuda.mem_get_info(device)[0]
        place = device if self.resident else torch.device("cpu")
        # Back and forth, so that neighbours are neighbours on the street too.
        period = max(1, 2 * len(frames) - 2)
        swing = torch.arange(n_frames) % period
        order = torch.minimum(swing, period - swing)
        self.frames = frames.to(place).index_select(0, order.to(place))
        self.K = K.to(device)
        self._order = torch.from_numpy(epoch_order(0, 0, n_clips)).to(place)
        self._offsets = torch.tensor([1, 0, 2], device=place)  # target, previous, next
        self._generator = torch.Generator().manual_seed(0)

    def batch(self, step: int, size: int) -> Batch:
        """The batch of a step, flipped and jittered as in training."""
        start = step * size % (self.n_clips - size + 1)
        rows = self._order[start : start + size, None] + self._offsets
        pixels = self.frames.index_select(0, rows.flatten())
        if not self.resident:
            pixels = pixels.pin_memory()
        pixels = pixels.to(self.device, non_blocking=True).to(torch.float32).div_(255)
        frames = pixels.view(size, 3, *pixels.shape[1:])
        batch = Batch(frames=frames, inputs=frames, K=self.K.expand(size, 3, 3), offsets=(-1, 1))
        return apply(batch, draw_augmentation(size, self._generator))


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Train for some time, then profile a few steps."""
    setting = Setting(
        width=args.width, height=args.height, batch=args.batch, precision=args.precision, compile=args.compile
    )
    device = torch.device(args.device)
    ceilings = measure_ceilings(_ceiling_setting(setting, args), device)
    setting_of_files = Setting(n_frames=args.batch + 16, image_width=args.width, image_height=args.height)
    write_street(folder / "images", setting_of_files)
    run = our_run(setting, folder / "images", folder / "run", device=args.device)
    store = run.data.store
    rows = torch.from_numpy(store.frames[:6].copy())
    clips = Clips(rows, torch.from_numpy(run.data.train.clips.K[:1]), n_clips=args.clips, device=device)
    step = our_step(run)
    # The first step compiles and chooses algorithms; its time is given on its own.
    start = time.perf_counter()
    step(clips.batch(0, args.batch))
    _wait(device)
    first_step_s = time.perf_counter() - start
    for number in range(1, 1 + args.warm_up):
        step(clips.batch(number, args.batch))
    rates, losses = _rates(step, clips, args, device)
    return _document(run, clips, ceilings, rates, args) | {
        "first_step_s": first_step_s,
        "finite_loss": all(map(math.isfinite, losses)),
        "profile": _profile(step, clips, args.batch, device),
    }


def _ceiling_setting(setting: Setting, args: argparse.Namespace) -> Setting:
    # On a GPU the ceiling needs few rounds, but enough work in each.
    return Setting(width=setting.width, height=setting.height, batch=setting.batch, rounds=3, round_s=args.seconds / 60)


def _rates(
    step: Callable[[Batch], Tensor], clips: Clips, args: argparse.Namespace, device: torch.device
) -> tuple[list[float], list[float]]:
    """Clips per second in each part of the measured time, and the loss at the end of each part."""
    rates: list[float] = []
    losses: list[float] = []
    number = 1 + args.warm_up
    for _ in range(_PARTS):
        start, done = time.perf_counter(), 0
        while done == 0 or time.perf_counter() - start < args.seconds / _PARTS:
            # Waiting for the device after each step would leave it idle while the next one is prepared.
            for _ in range(args.steps_between_looks):
                loss = step(clips.batch(number, args.batch))
                number, done = number + 1, done + 1
            _wait(device)
        rates.append(done * args.batch / (time.perf_counter() - start))
        losses.append(float(loss))
    return rates, losses


def _document(
    run: Run, clips: Clips, ceilings: Ceilings, rates: list[float], args: argparse.Namespace
) -> dict[str, Any]:
    gflop = step_gflop_per_clip(args.width, args.height)
    median = sorted(rates)[len(rates) // 2]  # a mean would include a moment of throttling
    peak = ceilings.step_gflops(run.learner.network_dtype)
    on_gpu = run.device.type == "cuda"
    return {
        "clips_per_s": median,
        "clips_per_s_min": min(rates),
        "clips_per_s_max": max(rates),
        "minutes_for_the_papers_training": KITTI_EPOCHS * KITTI_CLIPS / median / 60,
        "gflop_per_clip": gflop,
        "tflops": median * gflop / 1e3,
        "share_of_convolution_ceiling": median * gflop / peak,
        "peak_mb": torch.cuda.max_memory_allocated(run.device) / 1e6 if on_gpu else peak_mb(),
        "frames_mb": clips.frames.numel() / 1e6,
        "frames_on_device": clips.resident,
        "precision": str(run.learner.network_dtype).removeprefix("torch."),
        "compiled": is_compiled(run),
        "ceilings": asdict(ceilings),
    }


def _profile(step: Callable[[Batch], Tensor], clips: Clips, batch_size: int, device: torch.device) -> str:
    """torch's table of the operations in a few steps, the costliest first."""
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device.type == "cuda" else [])
    with profile(activities=activities) as profiled:
        for number in range(_PROFILED_STEPS):
            step(clips.batch(number, batch_size))
        _wait(device)
    key = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    return str(profiled.key_averages().table(sort_by=key, row_limit=_TABLE_ROWS, max_name_column_width=60))


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure and print. Returns the document that the JSON file holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, or cpu for a trial")
    parser.add_argument("--clips", type=int, default=KITTI_CLIPS)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=192)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=120.0, help="of measured training")
    parser.add_argument("--warm-up", type=int, default=20, help="steps before the measurement, after the first one")
    parser.add_argument("--steps-between-looks", type=int, default=20, help="steps before waiting for the device")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, help="default: selfdepth's choice")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")
    args = parser.parse_args(argv)
    if torch.device(args.device).type == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA GPU; for a trial add --device cpu --clips 8 --width 128 --height 64 --batch 2")
    if args.clips < args.batch:
        parser.error(f"--clips {args.clips} do not fill a batch of {args.batch}")
    document = facts() | {"command": " ".join(sys.argv), "arguments": {k: str(v) for k, v in vars(args).items()}}
    with tempfile.TemporaryDirectory(prefix="selfdepth-bench-") as folder:
        document |= measure(args, Path(folder))
    print(document["profile"])
    print(
        f"{document['clips_per_s']:.1f} clips/s, {100 * document['share_of_convolution_ceiling']:.0f} % of "
        f"the ceiling; peak memory {document['peak_mb']:.0f} MB; the paper's {KITTI_EPOCHS} epochs of "
        f"{KITTI_CLIPS:,} clips would take {document['minutes_for_the_papers_training']:.1f} minutes"
    )
    if args.json is not None:
        write_json(document, args.json)
    return document


if __name__ == "__main__":
    # Without it, fragmentation would count as memory of the training. Must be set before torch first allocates.
    os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    main()

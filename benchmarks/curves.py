"""Check that the fast path learns what the plain one learns: training curves of both, over several seeds.

    python benchmarks/curves.py --steps 2000 --json benchmarks/results/curves.json --plot benchmarks/results/curves.png

Both sides have the same networks, first weights and batches, in fp32 and not compiled. Only the objective differs: it
is selfdepth's or the yardstick's. The streets are rendered, so that the depth errors on the second one are exact.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from measuring import facts, write_json
from plain import PlainObjective, four_scales, homogeneous
from selfdepth.config import EncoderConfig, LossConfig, TrainConfig
from selfdepth.data.footage import Footage
from selfdepth.demo.drives import make_drives
from selfdepth.engine.setup import Run, prepare_run, seed_step
from selfdepth.engine.validate import validate
from selfdepth.structs import Batch
from selfdepth.synthetic.drive import DriveSpec
from sides import SIDES

_NOISE = LossConfig().tie_break_noise


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The record of one training.

    Attributes:
        side: whose objective it was.
        steps: after which both were validated.
        loss: mean over the steps since the last validation, by the side's own objective.
        val_loss, abs_rel: on the held-out street, by selfdepth's objective and metrics for both sides.
    """

    side: str
    seed: int
    steps: list[int]
    loss: list[float]
    val_loss: list[float]
    abs_rel: list[float]


def objective_of(side: str, run: Run) -> Callable[[Batch], Tensor]:
    """The loss of a batch by the objective of one side, on the learner's networks."""
    learner = run.learner
    if side == "ours":
        return lambda batch: learner(batch).loss
    plain = PlainObjective(run.data.store.height, run.data.store.width, noise=_NOISE)

    def loss(batch: Batch) -> Tensor:
        disparities = learner.depth_net(batch.inputs[:, 0])
        T_source_target = learner.relative_transforms(batch)
        result: Tensor = plain(disparities, T_source_target, four_scales(batch.frames), homogeneous(batch.K))
        return result

    return loss


def train_curve(side: str, config: TrainConfig, footage: Footage, folder: Path, *, look_every: int) -> Curve:
    """Train one side from the seed of `config`, validating after every `look_every` steps."""
    run = prepare_run(config, folder, resume=False, footage=footage)
    loss_of = objective_of(side, run)
    curve = Curve(side=side, seed=config.seed, steps=[], loss=[], val_loss=[], abs_rel=[])
    recent: list[float] = []
    assert config.steps is not None
    for number in range(config.steps):
        seed_step(config.seed, number)
        loss = loss_of(run.data.train.batch(number))
        run.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        run.optimizer.step()
        recent.append(float(loss.detach()))
        if (number + 1) % look_every == 0:
            validation = validate(run)
            assert validation.loss is not None and validation.depth is not None, "rendered drives have both"
            curve.steps.append(number + 1)
            curve.loss.append(float(np.mean(recent)))
            curve.val_loss.append(validation.loss)
            curve.abs_rel.append(validation.depth.abs_rel)
            recent.clear()
    return curve


def summary(curves: Sequence[Curve]) -> list[dict[str, Any]]:
    """For each validation and measure: mean and standard deviation over the seeds of both sides, and whether their
    means differ by no more than the larger deviation."""
    rows = []
    for name in ("loss", "val_loss", "abs_rel"):
        values = {side: np.array([getattr(c, name) for c in curves if c.side == side]) for side in SIDES}
        for look, step in enumerate(curves[0].steps):
            ours, plain = (values[side][:, look] for side in SIDES)
            deviations = [float(v.std(ddof=1)) if len(v) > 1 else 0.0 for v in (ours, plain)]
            # Between means, because even equal objectives drift apart from one seed: training amplifies rounding
            # errors.
            difference = float(ours.mean() - plain.mean())
            rows.append(
                {
                    "measure": name,
                    "step": step,
                    "ours": float(ours.mean()),
                    "plain": float(plain.mean()),
                    "ours_std": deviations[0],
                    "plain_std": deviations[1],
                    "difference": difference,
                    "seed_by_seed": (ours - plain).tolist(),
                    "within_seed_noise": abs(difference) <= max(deviations),
                }
            )
    return rows


def plot(curves: Sequence[Curve], path: Path) -> None:
    """Draw every training as a thin line, and the mean of each side as a thick one."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(13, 3.6))
    for axis, name in zip(axes, ("loss", "val_loss", "abs_rel"), strict=True):
        for side, colour in zip(SIDES, ("C0", "C1"), strict=True):
            lines = [getattr(curve, name) for curve in curves if curve.side == side]
            for line in lines:
                axis.plot(curves[0].steps, line, color=colour, alpha=0.35, linewidth=0.8)
            axis.plot(curves[0].steps, np.mean(lines, axis=0), color=colour, label=side)
        axis.set_xlabel("step")
        axis.set_title(name)
    axes[0].legend()
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Train both sides from each seed and print the comparison. Returns the document that the JSON file holds."""
    args = _parser().parse_args(argv)
    size = {"width": args.width, "height": args.height}
    curves = []
    with tempfile.TemporaryDirectory(prefix="selfdepth-bench-") as name:
        folder = Path(name)
        drives = make_drives(
            (DriveSpec(seed=0, frames=args.frames, **size),),
            DriveSpec(seed=1, frames=max(12, args.frames // 4), **size),
            folder / "drives",
            val_every=3,
            progress=lambda done, total: None,
        )
        for seed in range(args.seeds):
            for side in SIDES:
                config = TrainConfig(
                    encoder=EncoderConfig(pretrained=False),
                    batch_size=args.batch,
                    learning_rate=args.learning_rate,
                    steps=args.steps,
                    seed=seed,
                    store=str(folder / "store"),
                    device="cpu",
                    # Rounding in bf16 would be a second difference between the sides.
                    precision="fp32",
                    compile=False,
                    **size,
                )
                print(f"seed {seed}, {side} …", file=sys.stderr, flush=True)
                run_folder = folder / f"{side}_{seed}"
                curves.append(train_curve(side, config, drives.footage, run_folder, look_every=args.look_every))
    rows = summary(curves)
    for row in rows:
        print(
            f"step {row['step']:>6}  {row['measure']:<8}  ours {row['ours']:.4f} ± {row['ours_std']:.4f}  "
            f"plain {row['plain']:.4f} ± {row['plain_std']:.4f}  difference {row['difference']:+.4f}"
        )
    arguments = {key: str(value) for key, value in vars(args).items()}
    document = facts() | {"arguments": arguments, "summary": rows, "curves": [vars(curve) for curve in curves]}
    if args.json is not None:
        write_json(document, args.json)
    if args.plot is not None:
        plot(curves, args.plot)
    return document


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--look-every", type=int, default=100, help="steps between validations")
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--height", type=int, default=64)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--frames", type=int, default=200, help="of the training street")
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the curves")
    return parser


if __name__ == "__main__":
    main()

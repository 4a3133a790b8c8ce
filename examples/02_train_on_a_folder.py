"""Train on a folder of images (or a video) from Python, and read the record of the run.

python examples/02_train_on_a_folder.py --data frames/ --camera fov:81 --steps 2000
python examples/02_train_on_a_folder.py           # renders a street to train on
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import tyro

from selfdepth.config import EncoderConfig
from selfdepth.data.sources.rendered import write_drive
from selfdepth.engine.tracking import read_metrics
from selfdepth.engine.train import train
from selfdepth.engine.watch import Silent, StepReport
from selfdepth.errors import SelfDepthError
from selfdepth.presets import preset
from selfdepth.synthetic.drive import DriveSpec, render_drive


class Printer(Silent):
    """A watcher hears of everything that happens in a run; this one prints it."""

    def step(self, report: StepReport) -> None:
        """A training step was logged."""
        print(f"step {report.step}: loss {report.loss:.4f}, {report.clips_per_s:.1f} clips/s")

    def say(self, text: str) -> None:
        """The result of a validation, or a warning."""
        print(text)


def main(
    data: str | None = None,
    camera: str | None = None,
    out: Path = Path("runs/example-02"),
    steps: int = 60,
    batch_size: int = 4,
    encoder: str = "resnet18",
) -> None:
    """Train.

    Args:
        data: folder of images, or video file; without one, a street is rendered.
        camera: fx,fy,cx,cy in pixels, fov:DEGREES, or a YAML file.
        out: folder to write to; the run itself is in OUT/run.
        steps: length of the training.
        batch_size: clips per step.
        encoder: any timm model with five feature levels; it starts from random weights.
    """
    if data is None:
        write_drive(render_drive(DriveSpec(frames=40, width=192, height=64)), out / "street")
        data, camera = str(out / "street"), str(out / "street/camera.yaml")

    # A preset is a frozen value; `replace` copies it with the options that differ in this run.
    config = replace(
        preset("mono-192x64"),
        data=data,
        camera=camera,
        encoder=EncoderConfig(name=encoder, pose_name=encoder, pretrained=False),
        batch_size=batch_size,
        steps=steps,
    )
    run = train(config, out / "run", watcher=Printer())

    losses = [line["loss"] for line in read_metrics(run.folder) if line["kind"] == "train"]
    print(f"loss {losses[0]:.4f} at the first step, {losses[-1]:.4f} at the last one logged")
    print(f"model: {run.folder / 'best'}; now: selfdepth predict {run.folder} {data} --out {out / 'depth'}")


if __name__ == "__main__":
    try:
        tyro.cli(main)
    except SelfDepthError as error:  # a problem that the user can fix, such as a folder that already holds a run
        sys.exit(f"error: {error}")

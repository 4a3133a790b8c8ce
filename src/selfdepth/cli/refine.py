"""`selfdepth refine`: adapt a model to one video."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from selfdepth.checks import require, require_stream
from selfdepth.cli.printing import say
from selfdepth.places import path_of


@dataclass(frozen=True, kw_only=True)
class RefineArgs:
    """Adapt a model to one video, by a few minutes of training on it.

    The model's own objective is trained on at a low rate, with the statistics of its batch normalisation frozen, and an
    anchor to its first depth. The run folder is one of `train`: MODEL for every verb, and after Ctrl-C `selfdepth train
    --resume --out OUT` continues it. The end of the video is held out; best/ is what explains it best, and that may be
    MODEL as it was.
    """

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL")]
    """Run folder, weights folder, published folder or name, or Hugging Face hub name; with a pose network."""
    footage: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="VIDEO")]
    """Video, folder of images, ROS bag, or any other data that train takes."""
    out: str
    """Run folder: new or empty."""
    camera: str | None = None
    """fx,fy,cx,cy in pixels of the frames, a calibration file, or fov:DEGREES. Default: the data's calibration, else
    the model's camera where it fits, else fov:60."""
    every: int | None = None
    """Frames between a target and its neighbours. Default: as the model was trained."""
    stream: int | None = None
    """Number of the video stream to take, from 0. Default: the one with the most frames."""
    topic: str | None = None
    """Name of the topic of images to take from ROS bags. Default: that of the only camera."""
    anchor: float = 0.01
    """Weight of |log d - log d0|, which keeps the depth d near the model's first depth d0. Smaller adapts more."""
    learning_rate: float | None = None
    """Adam's learning rate; it drops to a tenth late in the run. Default: a tenth of the model's own."""
    steps: int | None = None
    """Budget in steps."""
    minutes: float | None = None
    """Budget in minutes. Default: 3, unless --steps is given."""
    batch_size: int = 4
    """Clips per step."""
    save_every: int = 100
    """Steps between checkpoints, validations and previews."""
    seed: int = 0
    """Seed of clip order, augmentation and tie-breaking noise."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the networks. auto: bf16 where the device is faster in it."""


SECTIONS = {
    "input": ("model", "footage", "camera", "every", "stream", "topic"),
    "objective": ("anchor",),
    "schedule": ("steps", "minutes", "learning_rate", "batch_size", "seed"),
    "output": ("out", "save_every"),
    "machine": ("device", "precision"),
}
"""How `--help` groups the options."""


def refine(args: RefineArgs) -> None:
    """Run the verb: train on the footage, and print where the model is.

    Raises:
        SelfDepthError: for an invalid model, option or footage, and for a run that cannot continue.
        Interrupted: after Ctrl-C, SIGTERM or SIGHUP, once the run is saved.
    """
    require(0 < args.anchor < math.inf, "--anchor", "a number of more than 0", args.anchor)
    require_stream(args.stream)
    from selfdepth.cli.train import Display, with_whole_paths
    from selfdepth.engine.refine import RefineOptions, refinement
    from selfdepth.engine.train import train

    names = ("batch_size", "save_every", "seed", "device", "precision")
    options = RefineOptions(
        anchor=args.anchor,
        camera=args.camera,
        every=args.every,
        stream=args.stream,
        topic=args.topic,
        learning_rate=args.learning_rate,
        steps=args.steps,
        minutes=args.minutes,
        run={name: getattr(args, name) for name in names},
    )
    config = with_whole_paths(refinement(args.model, args.footage, options))
    with Display() as display:
        done = train(config, path_of(args.out), watcher=display)
    best = done.progress.best_step
    say(
        f"refined {done.progress.step} steps in {done.progress.elapsed_s / 60:.1f} minutes; model: {done.folder}"
        f"{'' if best or done.progress.best_score is None else ', where best/ is the model as it was'}"
    )

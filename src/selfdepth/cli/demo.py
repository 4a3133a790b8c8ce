"""`selfdepth demo`: render a drive, train on it, evaluate, report."""

from __future__ import annotations

from dataclasses import dataclass

from selfdepth.cli.printing import say
from selfdepth.cli.train import Display
from selfdepth.places import path_of


@dataclass(frozen=True, kw_only=True)
class DemoArgs:
    """See it work without any data: render a drive, learn depth from it, and measure it on another street.

    Writes OUT/report.html (pictures, curves and numbers in one file), OUT/drives (the images), OUT/run (the model).
    """

    out: str = "demo"
    """Folder to write to, new or empty."""
    minutes: float = 5.5
    """Time for everything, in minutes, at least 1. More time gives better depth."""
    seed: int = 0
    """Seed of the streets and of the training."""


def demo(args: DemoArgs) -> None:
    """Run the verb: render, train, evaluate, and print the numbers and the path of the report.

    Raises:
        SelfDepthError: for less than a minute, or a folder that is not empty or cannot be written.
        Interrupted: after Ctrl-C, SIGTERM or SIGHUP during the training, once the run is saved.
    """
    from selfdepth.demo.report import summary
    from selfdepth.demo.run import demo_plan, run_demo

    plan = demo_plan(minutes=args.minutes, seed=args.seed)
    with DemoDisplay() as display:
        done = run_demo(plan, path_of(args.out), display)
    say(f"{summary(done.report)}\nreport    {done.path}")


class DemoDisplay(Display):
    """Shows the progress of a demo: the name of each stage, and its bar."""

    def __enter__(self) -> DemoDisplay:
        super().__enter__()
        return self

    def rendering(self, done: int, total: int) -> None:
        """`done` of `total` frames are rendered."""
        self._bar.update("rendering", done / total, f"{done}/{total} frames", None)

    def stage(self, name: str) -> None:
        """A stage begins."""
        self._bar.say(f"{name} ...")

"""`selfdepth train`: learn depth and camera motion from video."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from selfdepth.cli.options import read_options
from selfdepth.cli.parsing import values_of
from selfdepth.cli.printing import say
from selfdepth.config import TrainConfig, learning_of
from selfdepth.engine.launch import speaks
from selfdepth.engine.run_config import read_run_config
from selfdepth.errors import ConfigError
from selfdepth.places import is_url, path_of
from selfdepth.presets import CONTINUES, FIRST_EPOCHS, WHAT_PRESETS_ARE, preset

if TYPE_CHECKING:
    from selfdepth.engine.watch import StepReport


@dataclass(frozen=True, kw_only=True)
class TrainArgs:
    """Learn depth and camera motion from video.

    PRESET is MODE-SIZE. MODE is mono, stereo (from pairs alone, KITTI) or mono-stereo; SIZE is 640x192 (the paper's
    main one), 1024x320, 416x128, 320x96 or 192x64; mono-192x64-fastest and -smallest have other encoders,
    mono-320x96-edge is for phones and small boards. Or it is a row of the paper (KITTI), or monodepth-v1-512x256, the
    paper's predecessor (pairs alone, KITTI). `selfdepth presets` lists them all, and `selfdepth train PRESET --help`
    shows the values of one.

    Ctrl-C saves the run; --resume continues it. The run folder gets best/ and last/ (models), checkpoints/,
    metrics.jsonl, tensorboard/ and previews/.
    """

    preset: Annotated[tyro.conf.Positional[str | None], tyro.conf.arg(metavar="[PRESET]")] = None
    """Named run to start from; the options below change it. Not needed with --config or --resume."""
    out: str
    """Run folder: new or empty, or with --resume the one to continue."""
    config: str | None = None
    """config.json of a run to repeat exactly, instead of PRESET."""
    resume: bool = False
    """Continue the run in --out from its last checkpoint."""
    train: Annotated[TrainConfig, tyro.conf.arg(name="")] = field(default_factory=TrainConfig)
    """The run."""


SECTIONS = {
    "run": ("preset", "config", "resume"),
    "data": (
        *("data", "split", "camera", "every", "crop", "rectify", "stream", "topic", "width", "height", "offsets"),
        *("stereo", "on_error", "store", "cache_gb", "speed", "clock_offset", "camera_height"),
    ),
    "networks": ("encoder", "init", "freeze_batch_norm", "sync_batch_norm"),
    "objective": ("method", "loss", "motion_first", "self_teacher", "anchor"),
    "teacher": ("teacher",),
    "augmentation": ("augment",),
    "schedule": (
        *("steps", "epochs", "minutes", "batch_size", "learning_rate", "drop_after", "shuffle_window", "seed"),
    ),
    "output": ("out", "save_every", "keep", "on_full_disk"),
    "machine": ("device", "precision", "compile"),
}
"""How `--help` groups the options."""


def defaults(words: Sequence[str]) -> TrainArgs:
    """The defaults of the options: those of the preset, the configuration file or the run to resume among the words.

    Raises:
        SelfDepthError: for an unknown preset, or a file or run that cannot be read.
    """
    return TrainArgs(out=tyro.MISSING, train=_without_budget_if_given(_base(words), words))


def train(args: TrainArgs) -> None:
    """Run the verb: train, and print where the model is.

    Raises:
        SelfDepthError: for invalid options or data, and for a run that cannot continue.
        Interrupted: after Ctrl-C, SIGTERM or SIGHUP, once the run is saved.
    """
    from selfdepth.engine.train import train as train_run

    if args.preset is None and args.config is None and not args.resume:
        raise ConfigError("a preset is needed", where="PRESET", expected=WHAT_PRESETS_ARE)
    _check_start(args)
    with Display() if speaks() else nullcontext() as display:
        done = train_run(with_whole_paths(args.train), path_of(args.out), resume=args.resume, watcher=display)
    if not done.world.is_first:
        return
    progress = done.progress
    skipped = f", {progress.skipped} of them skipped," if progress.skipped else ""
    say(f"trained {progress.step} steps{skipped} in {progress.elapsed_s / 60:.1f} minutes; model: {done.folder}")


def _check_start(args: TrainArgs) -> None:
    """Refuse a preset that continues the model of another preset, if no model is given."""
    first = CONTINUES.get(args.preset or "")
    if first is not None and args.train.init is None and not args.resume:
        raise ConfigError(
            f"{args.preset} continues another model",
            where="--init",
            expected=f"a model of {first} after {FIRST_EPOCHS} epochs",
            got="none",
            fix=f"train it with {first} --epochs {FIRST_EPOCHS}, and add --init RUN/last",
        )


def with_whole_paths(config: TrainConfig) -> TrainConfig:
    """The configuration with absolute paths, so that the run can be resumed and repeated from any folder.

    Names stay: of published splits, and of models to start from.
    """
    from selfdepth.data.readers.cameras import is_camera_file

    changes: dict[str, Any] = {}
    for name in ("data", "split", "store", "speed", "init", "self_teacher"):
        value = getattr(config, name)
        if name == "data" and is_url(value):
            continue
        may_be_name = name in ("split", "speed", "init", "self_teacher")
        is_name = may_be_name and value is not None and not path_of(value).exists()
        if value and not is_name:
            changes[name] = str(path_of(value).resolve())
    start = config.start_camera
    if start and is_camera_file(start):
        word = learning_of(config.camera)
        changes["camera"] = f"{word}:" * (word is not None) + str(path_of(start).resolve())
    if config.teacher.path is not None and not config.teacher.is_python:
        place = str(path_of(config.teacher.path).resolve())
        changes["teacher"] = dataclasses.replace(config.teacher, path=place)
    return dataclasses.replace(config, **changes)


def _base(words: Sequence[str]) -> TrainConfig:
    """The configuration that the options change."""
    given = list(values_of(words, read_options(TrainArgs)))
    of_option = {option.name: value for option, value in given if option is not None}
    name = next((value for option, value in given if option is None), None)  # the only positional argument is PRESET
    file, out = of_option.get("--config"), of_option.get("--out")
    if name is not None and file is not None:
        raise ConfigError("PRESET and --config exclude each other", got=f"{name} and {file}")
    if name is not None:
        return preset(name)
    if file is not None:
        return read_run_config(path_of(file))
    if "--resume" in words and out is not None:  # a resumed run needs no option again
        return read_run_config(path_of(out))
    return TrainConfig()


def _without_budget_if_given(config: TrainConfig, words: Sequence[str]) -> TrainConfig:
    """The configuration without its budget, if the command line gives one, whatever its unit.

    The epochs of --drop-after go with it, unless the new budget is in epochs too: of 60 minutes nobody knows how many
    epochs they are, and the learning rate might never drop.
    """
    given = {word.split("=")[0] for word in words} & {"--steps", "--epochs", "--minutes"}
    if not given:
        return config
    drop_after = config.drop_after if given == {"--epochs"} else None
    return dataclasses.replace(config, steps=None, epochs=None, minutes=None, drop_after=drop_after)


class Display:
    """Shows the progress of a training run: a bar on a terminal, plain lines elsewhere. A `Watcher`."""

    def __init__(self) -> None:
        from selfdepth.cli.progress import TrainingBar

        self._bar = TrainingBar()

    def __enter__(self) -> Display:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def frames(self, done: int, total: int) -> None:
        """`done` of `total` frames are decoded."""
        self._bar.update("decoding", done / total, f"{done}/{total} frames", None)

    def maps(self, done: int, total: int) -> None:
        """The teacher has given `done` of `total` maps."""
        self._bar.update("asking the teacher", done / total, f"{done}/{total} frames", None)

    def step(self, report: StepReport) -> None:
        """A training step is done."""
        words = f"step {report.step}, loss {report.loss:.4f}, {report.clips_per_s:.1f} clips/s"
        self._bar.update("training", report.fraction, f"{words}, {report.score}".rstrip(", "), report.left_s)

    def say(self, text: str) -> None:
        """Print a line for the user."""
        self._bar.say(text)

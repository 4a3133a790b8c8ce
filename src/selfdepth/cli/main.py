"""The command line: one verb, one file, one function. Nothing heavy is imported before the verb is known."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, TextIO

import tyro

from selfdepth import __version__
from selfdepth.errors import Interrupted, SelfDepthError, SelfDepthWarning

VERBS: dict[str, str] = {
    "demo": "render a drive, train on it, evaluate, and write report.html",
    "train": "learn depth from a video, a folder of images or KITTI",
    "predict": "depth of images, folders and videos",
    "evaluate depth": "measure depth against ground truth",
    "evaluate odometry": "measure a trajectory against the true one",
    "export": "write a model in the form that other software reads",
    "presets": "list the named runs, and what the paper published for them",
    "prepare": "decode the frames once, into a store that several runs share",
    "check": "report what is in a video, a folder or KITTI, and what is missing or wrong",
    "info": "say what a model is and how it was trained",
}
"""What each verb does. Verb "evaluate depth" is `evaluate_depth(args: EvaluateDepthArgs)` in cli/evaluate_depth.py."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Returns the exit code: 0, 2 for anything the user can mend, 130 and 143 after a signal."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    warnings.showwarning = _show_warning
    try:
        with _tidy_on_sigterm():
            return _dispatch(words)
    except SelfDepthError as error:
        _tell(f"error: {error}")
        return 2
    except Interrupted as stop:
        _tell(f"stopped; everything is saved. Continue with: selfdepth train --resume --out {stop.folder}")
        return 128 + stop.signal_number
    except KeyboardInterrupt:
        _tell("stopped")
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader of our output went away (`| head`); a second complaint at shutdown would help nobody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


@contextmanager
def _tidy_on_sigterm() -> Iterator[None]:
    """SIGTERM ends the work the way Ctrl-C does, by an exception: half-written files are cleared away."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        sys.stdout.write(_overview())
        return 0 if words else 2
    if words[0] in ("-V", "--version"):
        sys.stdout.write(f"selfdepth {__version__}\n")
        return 0
    for verb in VERBS:
        length = len(verb.split())
        if " ".join(words[:length]) == verb:
            _run(verb, words[length:])
            return 0
    return _unknown(words)


def _run(verb: str, words: list[str]) -> None:
    name = verb.replace(" ", "_")
    module = importlib.import_module(f"selfdepth.cli.{name}")
    kind = getattr(module, "".join(part.capitalize() for part in verb.split()) + "Args")
    options: dict[str, Any] = {}
    if verb == "train":
        # The defaults of a run come from its preset, its file, or the run to resume.
        words, options["default"] = module.defaults(words)
    getattr(module, name)(tyro.cli(kind, args=words, prog=f"selfdepth {verb}", **options))


def _unknown(words: list[str]) -> int:
    second = [verb for verb in VERBS if verb.startswith(f"{words[0]} ")]
    if second:
        _tell(f"error: one more word is needed: selfdepth {words[0]}; expected {', '.join(second)}")
    else:
        _tell(f"error: no such verb: {words[0]}; expected one of {', '.join(VERBS)}; see selfdepth --help")
    return 2


def _overview() -> str:
    width = max(map(len, VERBS))
    rows = "\n".join(f"  {verb:<{width}}  {what}" for verb, what in VERBS.items())
    return (
        f"selfdepth {__version__}: depth and camera motion learned from video alone\n\n"
        f"usage: selfdepth VERB ...\n\n{rows}\n\n"
        "selfdepth VERB --help shows the options of a verb.\n"
    )


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Ours in one line for the user; other libraries' warnings are for their developers and stay quiet."""
    if issubclass(category, SelfDepthWarning):
        _tell(f"warning: {message}")


if __name__ == "__main__":
    sys.exit(main())

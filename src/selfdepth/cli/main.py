"""The command line: one verb, one file, one function. Nothing heavy is imported before the verb is known."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

from selfdepth import __version__
from selfdepth.cli.options import listed, read_options
from selfdepth.cli.pages import help_page
from selfdepth.cli.parsing import closest, parse, without_help
from selfdepth.errors import ConfigError, Interrupted, SelfDepthError, SelfDepthWarning

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
    if words[:1] == ["help"]:  # `help train` is `train --help`
        words = [*words[1:], "--help"]
    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(_overview(VERBS))
        return 0 if words else 2
    if words[0] in ("-V", "--version"):
        sys.stdout.write(f"selfdepth {__version__}\n")
        return 0
    for verb in VERBS:
        length = len(verb.split())
        if " ".join(words[:length]) == verb:
            _run(verb, words[length:])
            return 0
    longer = {verb: what for verb, what in VERBS.items() if verb.startswith(f"{words[0]} ")}
    if longer and without_help(words[1:2]) is not None:
        sys.stdout.write(_overview(longer))
        return 0
    raise _unknown(words, list(longer))


def _run(verb: str, words: list[str]) -> None:
    name = verb.replace(" ", "_")
    module = importlib.import_module(f"selfdepth.cli.{name}")
    kind = getattr(module, "".join(part.capitalize() for part in verb.split()) + "Args")
    # Those of `train` come from its preset, its file, or the run to resume.
    defaults = getattr(module, "defaults", None)
    rest = without_help(words)
    if rest is None:
        getattr(module, name)(parse(kind, words, verb=verb, defaults=defaults))
        return
    options = read_options(kind, None if defaults is None else defaults(rest))
    sys.stdout.write(help_page(verb, kind, options, getattr(module, "SECTIONS", {})))


def _unknown(words: list[str], longer: list[str]) -> ConfigError:
    """What to say of a verb that does not exist, or of half a verb; `longer` are the verbs that begin with it."""
    first, second = [*words, "-"][:2]
    if longer and second.startswith("-"):
        return ConfigError("one more word is needed", where=f"selfdepth {first}", expected=listed(longer))
    if longer:
        fix = closest(second, {verb.split()[1]: verb for verb in longer})
        return ConfigError("no such verb", where=f"{first} {second}", expected=listed(longer), fix=fix)
    # Either half of a verb stands for the whole.
    halves = {half: [verb for verb in VERBS if half in verb.split()] for verb in VERBS for half in verb.split()}
    fix = closest(first, {half: half if half in VERBS else listed(whole) for half, whole in halves.items()})
    return ConfigError(
        "no such verb",
        where=first,
        expected=None if fix else f"one of {', '.join(VERBS)}",
        fix=fix or "see selfdepth --help",
    )


def _overview(verbs: Mapping[str, str]) -> str:
    width = max(map(len, verbs))
    rows = "\n".join(f"  {verb:<{width}}  {what}" for verb, what in verbs.items())
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

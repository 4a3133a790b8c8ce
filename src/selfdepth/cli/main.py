"""The command line: one file and one function per verb. Heavy imports wait in the function, so that help is fast."""

from __future__ import annotations

import errno
import importlib
import os
import shlex
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TextIO

from selfdepth import __version__
from selfdepth.cli.options import listed, read_options
from selfdepth.cli.pages import help_page
from selfdepth.cli.parsing import closest, parse, without_help
from selfdepth.cli.printing import remark, say
from selfdepth.cli.several import require_shared, tells
from selfdepth.engine.launch import speaks
from selfdepth.errors import (
    ConfigError,
    EndedElsewhere,
    InputsFailed,
    Interrupted,
    SelfDepthError,
    SelfDepthWarning,
)

VERBS: dict[str, str] = {
    "demo": "render a drive, train on it, evaluate, and write report.html",
    "train": "learn depth from a video, a folder of images, a ROS bag or KITTI",
    "refine": "adapt a model to one video, in a few minutes of training on it",
    "predict": "depth of images, folders and videos",
    "live": "depth of a camera or a stream as it comes, shown on a local page",
    "app": "a page on which a photo or a video can be dropped to see its depth",
    "calibrate": "find the factor that turns a model's depth into metres",
    "evaluate depth": "measure depth against ground truth",
    "evaluate odometry": "measure a trajectory against the true one",
    "compare": "models beside each other: errors, time, size, and whether training pays",
    "export": "write a model in the format of other software",
    "push": "share a model on the Hugging Face hub",
    "presets": "list the named runs, and what the paper published for them",
    "prepare": "decode the frames once, into a store that several runs share",
    "fetch kitti": "make a store from KITTI's archives, without the disk for all of them",
    "check": "report what is in a video, a folder or KITTI, and what is missing or wrong",
    "info": "describe a model and how it was trained",
}
"""A line of help for each verb. Verb "evaluate depth" is `evaluate_depth(args: EvaluateDepthArgs)` in
cli/evaluate_depth.py, and so on."""


EXIT_CODES = {
    0: "done",
    1: "a bug: please report the traceback",
    2: "an error that you can mend, in one sentence",
    3: "some of many inputs failed, each named in one sentence; the others are done",
    129: "the terminal was closed (SIGHUP); a run has saved first",
    130: "Ctrl-C; a run has saved first",
    141: "the reader of the output has closed it",
    143: "SIGTERM; a run has saved first",
}
"""What the shell gets to know; `selfdepth --help` lists them."""

_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
"""Errors that can name no file: of printing to a full disk or a lost terminal, and of a disk that fails."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb.

    Returns:
        The exit code, as EXIT_CODES lists them. Any other exception is a bug, and shows its traceback.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    warnings.showwarning = _show_warning
    _open_closed_streams()
    try:
        with _exit_on_signals():
            code = _dispatch(words)
            sys.stdout.flush()  # while errors can still be answered
            return code
    except SelfDepthError as error:
        if tells(error, words):
            remark(f"error: {error}")
        return 2
    except InputsFailed as failure:
        remark(f"{failure}, as named above; the rest is done. The same command tries these once more")
        return 3
    except EndedElsewhere:
        return 2  # the process with the error tells it
    except Interrupted as stop:
        folder = shlex.quote(str(stop.folder))
        if speaks():
            remark(f"stopped; everything is saved. Continue with: selfdepth train --resume --out {folder}")
        return 128 + stop.signal_number
    except KeyboardInterrupt:
        remark("stopped")
        return 128 + signal.SIGINT
    except BrokenPipeError:
        _discard_output()  # the reader of our output has closed it (`| head`)
        return 128 + signal.SIGPIPE
    except OSError as error:
        if error.filename is None and error.errno not in _OF_THE_DISK:  # of no file: a bug
            raise
        if tells(error, words):
            remark(f"error: {_refused_by_system(error)}")
        return 2


def _discard_output() -> None:
    """Let what is left of the output go nowhere: Python would complain once more when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_closed_streams() -> None:
    """Let a stream that the shell has closed (`2>&-`) swallow what is written to it."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  to the end


@contextmanager
def _exit_on_signals() -> Iterator[None]:
    """Within the block, SIGTERM and SIGHUP raise an exception, as Ctrl-C does, so that half-written files are deleted.

    A SIGHUP that is ignored stays so: nohup has asked for that.
    """
    if threading.current_thread() is not threading.main_thread():  # Python accepts signal handlers only there
        yield
        return

    def exit_at_once(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    previous = {number: signal.getsignal(number) for number in numbers if signal.getsignal(number) != signal.SIG_IGN}
    for number in previous:
        signal.signal(number, exit_at_once)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _dispatch(words: list[str]) -> int:
    """Find the verb at the beginning of the command line, and run it. Returns the exit code."""
    if words[:1] == ["help"]:  # `help train` is `train --help`
        words = [*words[1:], "--help"]
    if not words or words[0] in ("-h", "--help"):
        say(_overview(VERBS))
        return 0 if words else 2
    if words[0] in ("-V", "--version"):
        say(f"selfdepth {__version__}")
        return 0
    for verb in VERBS:  # of one word or two
        length = len(verb.split())
        if " ".join(words[:length]) == verb:
            _run(verb, words[length:])
            return 0
    longer = {verb: help_line for verb, help_line in VERBS.items() if verb.startswith(f"{words[0]} ")}
    if longer and without_help(words[1:2]) is not None:
        say(_overview(longer))
        return 0
    raise _unknown(words, list(longer))


def _run(verb: str, words: list[str]) -> None:
    name = verb.replace(" ", "_")
    module = importlib.import_module(f"selfdepth.cli.{name}")
    kind = getattr(module, "".join(part.capitalize() for part in verb.split()) + "Args")
    # The defaults of `train` depend on its preset, its file, or the run to resume.
    defaults = getattr(module, "defaults", None)
    rest = without_help(words)
    if rest is None:
        require_shared(verb, words)
        getattr(module, name)(parse(kind, words, verb=verb, defaults=defaults))
        return
    options = read_options(kind, None if defaults is None else defaults(rest))
    say(help_page(verb, kind, options, getattr(module, "SECTIONS", {})).rstrip("\n"))


def _refused_by_system(error: OSError) -> SelfDepthError:
    """The sentence for a file or folder that may not be looked at, read or written."""
    if error.filename is None:
        _discard_output()
        fix = "look at the disk, its free space, and where the output goes"
        return SelfDepthError("the system could not read or write", got=error.strerror or str(error), fix=fix)
    return SelfDepthError(
        "the system does not give access",
        where=os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(error.filename),
        got=error.strerror or str(error),
        fix="check the path and its permissions",
    )


def _unknown(words: list[str], longer: list[str]) -> ConfigError:
    """The error for an unknown verb, or for half a verb.

    Args:
        longer: the verbs of two words that begin with the first.
    """
    first, second = [*words, "-"][:2]
    if longer and second.startswith("-"):
        return ConfigError("one more word is needed", where=f"selfdepth {first}", expected=listed(longer))
    if longer:
        fix = closest(second, {verb.split()[1]: verb for verb in longer})
        return ConfigError("no such verb", where=f"{first} {second}", expected=listed(longer), fix=fix)
    # Compared with the halves of verbs too: "depth" suggests "evaluate depth".
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
    rows = "\n".join(f"  {verb:<{width}}  {help_line}" for verb, help_line in verbs.items())
    return (
        f"selfdepth {__version__}: depth and camera motion learned from video alone\n\n"
        f"usage: selfdepth VERB ...\n\n{rows}\n\n"
        "selfdepth VERB --help shows the options of a verb.\n\n"
        "exit codes:\n" + "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES.items())
    )


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print our warnings in one line. Those of other libraries address developers, and are not shown."""
    if issubclass(category, SelfDepthWarning):
        one_line = str(message).replace("\n", "\\n")  # a file's name may hold one, and lines of its own
        remark(f"warning: {one_line}")


if __name__ == "__main__":
    sys.exit(main())

"""`selfdepth view`: recordings in Rerun's viewer."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from selfdepth.cli.printing import say
from selfdepth.errors import ConfigError, DataError, OutputError
from selfdepth.places import path_of

VIEWABLE = {".rrd": "recordings", ".ply": "point clouds", ".mcap": "bags", ".mp4": "videos"}
"""What the viewer opens of what `predict` writes, the fullest first."""


@dataclass(frozen=True, kw_only=True)
class ViewArgs:
    """Show recordings in Rerun's viewer.

    Give recordings or folders that predict has written; or a MODEL and what to predict with it, of which a recording is
    made first. Needs `pip install 'selfdepth[view]'`.
    """

    paths: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="PATH ... | MODEL INPUT ...")]
    """Recordings (.rrd) and folders that predict has written; or a MODEL, then images, folders, videos or bags."""
    web: bool = False
    """Serve the viewer as a page on this machine instead of opening a window: for machines without a display."""
    port: int = 9090
    """--web: port of the page. The recording itself is served on the next one."""
    out: str | None = None
    """MODEL INPUT: keep the recordings in this folder, and open no viewer. Default: a temporary folder."""
    camera: str | None = None
    """MODEL INPUT: as for predict."""
    topic: str | None = None
    """MODEL INPUT: as for predict."""
    device: str = "auto"
    """MODEL INPUT: auto, cpu, cuda, cuda:1 or mps."""


SECTIONS = {"input": ("paths", "camera", "topic"), "viewer": ("web", "port", "out"), "machine": ("device",)}
"""How `--help` groups the options."""


def view(args: ViewArgs) -> None:
    """Run the verb: find or make recordings, and show them until the viewer is closed.

    Raises:
        SelfDepthError: for paths that hold nothing to show, an invalid model or input, or a machine without a display.
    """
    shown = _what_is_there(args)
    if args.out is None:
        _require_viewer(args)
    with ExitStack() as stack:
        if shown is None:
            folder = path_of(args.out) if args.out else Path(stack.enter_context(tempfile.TemporaryDirectory()))
            shown = _record(args, folder)
        if args.out is None:
            _show(shown, args)


def _what_is_there(args: ViewArgs) -> list[Path] | None:
    """The files to show; None if the words are a model with inputs. Refuses what is neither, and unused options."""
    if not args.paths:
        raise ConfigError("nothing to view", where="PATH", expected="recordings, or a MODEL with inputs")
    paths = [path_of(each) for each in args.paths]
    found = [_viewable(each) for each in paths]
    if not any(found) and len(paths) > 1:
        return None
    for path, files in zip(paths, found, strict=True):
        if not files:
            raise DataError(
                "there is nothing to show",
                where=path,
                expected="a recording, or a folder that predict has written with --save rrd",
                got="a folder without any" if path.is_dir() else "no recording" if path.exists() else "no such file",
                fix="make one: selfdepth predict MODEL INPUT --out FOLDER --save rrd; or selfdepth view MODEL INPUT",
            )
    for option, value in (("--out", args.out), ("--camera", args.camera), ("--topic", args.topic)):
        if value is not None:
            raise ConfigError(f"{option} applies only to a MODEL with inputs", where=option, fix="leave it out")
    return [file for files in found for file in files]


def _viewable(path: Path) -> list[Path]:
    """The files that the viewer opens: the path itself, or those of the fullest kind in a folder of results."""
    if path.is_file():
        return [path] if path.suffix.lower() == ".rrd" else []
    if not path.is_dir():
        return []
    kinds = list(VIEWABLE)
    files = [each for each in sorted((*path.glob("*"), *path.glob("*/*"))) if each.suffix in kinds and each.is_file()]
    results = [each for each in files if each.name in ("recording.rrd", "drive.ply", "bag.mcap", "video.mp4")]
    best = min(results, key=lambda each: kinds.index(each.suffix), default=None)
    return [] if best is None else [each for each in results if each.suffix == best.suffix]


def _require_viewer(args: ViewArgs) -> None:
    if importlib.util.find_spec("rerun_cli") is None:
        fix = "install it with: pip install 'selfdepth[view]'"
        raise ConfigError("the viewer needs the package rerun-sdk", where="selfdepth view", fix=fix)
    if not 1 <= args.port <= 65534:
        raise ConfigError("option out of range", where="--port", expected="1 to 65534", got=str(args.port))
    display = sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not display and not args.web:
        raise ConfigError(
            "this machine has no display",
            where="selfdepth view",
            expected="--web, or a display (DISPLAY, WAYLAND_DISPLAY)",
            fix="add --web and open the page, through ssh -L from another machine; or make a recording with "
            "selfdepth predict --save rrd, and view it where there is a display",
        )


def _record(args: ViewArgs, out: Path) -> list[Path]:
    """Predict the inputs into recordings in a folder."""
    from selfdepth.cli.predict import PredictArgs, predict

    model, *inputs = args.paths
    words = {"camera": args.camera, "topic": args.topic, "device": args.device}
    predict(PredictArgs(model=model, inputs=tuple(inputs), out=str(out), save=("rrd",), **words))  # type: ignore[arg-type]
    return sorted(out.rglob("*.rrd"))


def viewer_command(files: list[Path], *, web: bool, port: int) -> list[str]:
    """The program that shows these files. On the web it is bound to this machine: whoever reached it could see all."""
    command = [sys.executable, "-m", "rerun_cli", *map(str, files)]
    if not web:
        return [*command, "--new"]
    # By default the server would drop the beginning of a recording of more than 1 GiB.
    address = ["--bind", "127.0.0.1", "--web-viewer-port", str(port), "--port", str(port + 1)]
    return [*command, "--serve-web", *address, "--server-memory-limit", "75%"]


def _show(files: list[Path], args: ViewArgs) -> None:
    say(f"showing {', '.join(map(str, files))}")
    if args.web:
        source = f"rerun%2Bhttp://127.0.0.1:{args.port + 1}/proxy"
        say(f"page: http://127.0.0.1:{args.port}/?url={source}  (Ctrl-C ends it)")
        sys.stdout.flush()
    # A group of its own: the viewer is a child of the program that is started, and must end with it.
    process = subprocess.Popen(viewer_command(files, web=args.web, port=args.port), start_new_session=True)
    try:
        code = process.wait()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()
    if code != 0:
        raise OutputError(
            "the viewer ended with an error, which it printed above",
            where="selfdepth view",
            got=f"exit code {code}",
            fix="if its port is taken, give another --port" if args.web else "try --web",
        )

"""Measure `selfdepth live` over minutes of input: latency from frame to depth, what is dropped, and memory over time.

    python benchmarks/live.py MODEL --minutes 10 --json benchmarks/results/live.json
    python benchmarks/live.py MODEL --minutes 1 --footage drive.mp4 --rate 30 --steady --record

The command runs as users run it, in a process of its own. Its source is a stream over loopback, in H.264, of footage
that is repeated without end. Two clients take the pictures as fast as they come, and a third one a kilobyte a second.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy import ndarray

from measuring import arguments_of, facts, write_json
from selfdepth.inference.inputs import open_inputs
from selfdepth.synthetic.drive import DriveSpec, render_drive

FRAMES = 100
"""Of the footage, which is repeated."""


def packets(footage: Path | None, rate: int) -> list[bytes]:
    """A transport stream of the footage, as the bytes of each frame."""
    images: Iterator[ndarray]
    if footage is None:
        images = iter(render_drive(DriveSpec(seed=11, frames=FRAMES)).images)
    else:
        images = itertools.islice(open_inputs((str(footage),), camera=None)[0].read(), FRAMES)
    parts, file = [], io.BytesIO()
    with av.open(file, "w", format="mpegts", options={"flush_packets": "1"}) as container:
        stream: Any = None
        for image in images:
            if stream is None:
                stream = container.add_stream(
                    "libx264", rate=Fraction(rate), options={"tune": "zerolatency", "g": "25"}
                )
                stream.height, stream.width = (side - side % 2 for side in image.shape[:2])
                stream.pix_fmt = "yuv420p"
            even = np.ascontiguousarray(image[: stream.height, : stream.width])
            for packet in stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")):
                container.mux(packet)
            parts.append(file.getvalue())
            file.seek(0)
            file.truncate()
    return [part for part in parts if part]


@contextmanager
def streamed(parts: Sequence[bytes], rate: int) -> Iterator[str]:
    """The address of a server that sends these parts, `rate` a second, again and again to whoever connects."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = server.accept()
                with client, suppress(OSError):
                    start_s = time.monotonic()
                    for number, part in enumerate(itertools.cycle(parts)):
                        time.sleep(max(0.0, start_s + number / rate - time.monotonic()))
                        client.sendall(part)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.close()


def watch(url: str, view: str, *, pause_s: float) -> None:
    """Take the pictures of a view, a kilobyte at a time with a pause after each, until they end."""
    host, port = url.removeprefix("http://").strip("/").split(":")
    with suppress(OSError), socket.create_connection((host, int(port))) as client:
        client.sendall(f"GET /{view}.mjpg HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        while client.recv(1024 if pause_s else 65536):
            time.sleep(pause_s)


def memory_mb(process: int) -> float:
    """Resident memory of a process."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def growth_mb_per_minute(seconds: Sequence[float], memory: Sequence[float]) -> float | None:
    """Slope of the memory over the second half of the run; None for fewer than three samples there."""
    half = len(seconds) // 2
    if len(seconds) - half < 3:
        return None
    return float(np.polyfit(np.array(seconds[half:]) / 60, memory[half:], 1)[0])


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run the command once. Returns its figures and the memory over time."""
    figures, recording = folder / "figures.json", folder / "recording.mp4"
    with streamed(packets(args.footage, args.rate), args.rate) as address:
        command = [sys.executable, "-m", "selfdepth", "live", args.model, "--source", address, "--port", "0"]
        command += ["--duration", str(60 * args.minutes), "--json", str(figures), "--device", args.device]
        command += [*(["--steady"] if args.steady else []), *(["--record", str(recording)] if args.record else [])]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
            assert program.stdout is not None
            found = re.search(r"http://\S+/", program.stdout.readline())
            if found is None:
                raise SystemExit(f"live has not begun: {' '.join(command)}")
            for view, pause_s in (("picture", 0.0), ("depth", 0.0), ("depth", 1.0)):
                threading.Thread(target=watch, args=(found[0], view), kwargs={"pause_s": pause_s}, daemon=True).start()
            start_s, seconds, memory = time.monotonic(), list[float](), list[float]()
            while program.poll() is None:
                with suppress(OSError):  # it may end in between
                    memory.append(memory_mb(program.pid))
                    seconds.append(round(time.monotonic() - start_s, 1))
                with suppress(subprocess.TimeoutExpired):
                    program.wait(timeout=args.look_every)
    seconds, memory = seconds[: len(memory)], [round(each, 1) for each in memory if each]
    return {
        "figures": json.loads(figures.read_text()),
        "memory": {"seconds": seconds[: len(memory)], "rss_mb": memory, "max_mb": max(memory)},
        "growth_mb_per_minute": growth_mb_per_minute(seconds[: len(memory)], memory),
        "recorded_mb": round(recording.stat().st_size / 1e6, 2) if args.record else None,
    }


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, and print the result. Returns the document that the JSON file holds."""
    args = _parser().parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="selfdepth-bench-") as name:
        measured = measure(args, Path(name))
    for secret in ("source", "recorded", "model"):  # of this run alone: a port, folders
        measured["figures"].pop(secret, None)
    document = {"facts": facts(), "arguments": arguments_of(args), **measured}
    latency, memory = measured["figures"]["latency_ms"], measured["memory"]
    growth = measured["growth_mb_per_minute"]
    print(
        f"{measured['figures']['predicted']} of {measured['figures']['frames']} frames in "
        f"{measured['figures']['seconds']:.0f} s; latency p50 {latency['p50']} ms, p95 {latency['p95']} ms; "
        f"memory {memory['rss_mb'][0]:.0f} MB at first, {memory['rss_mb'][-1]:.0f} MB at last, in the second half "
        f"{'unknown' if growth is None else f'{growth:+.2f}'} MB a minute"
    )
    if args.json is not None:
        write_json(document, args.json)
    return document


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--footage", type=Path, help="video or folder to stream; default: a rendered street, 320x96")
    parser.add_argument("--rate", type=int, default=25, help="frames per second of the stream")
    parser.add_argument("--look-every", type=float, default=5.0, help="seconds between looks at the memory")
    parser.add_argument("--steady", action="store_true")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")
    return parser


if __name__ == "__main__":
    main()

"""Clips per second from chunks, in a folder and in a bucket on this machine's loopback, against the local store.

    python benchmarks/streaming.py --frames 2000 --json streaming.json

Frames are random, all sides read the same clips in the same order, and an epoch is several times the cache. Needs the
packages of the tests (moto).
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from selfdepth.data.clips.clips import make_clips
from selfdepth.data.clips.loader import ClipLoader
from selfdepth.data.clips.order import Windows
from selfdepth.data.footage import Footage
from selfdepth.data.frames import FrameRef, FrameSequence
from selfdepth.data.store.build import build_store
from selfdepth.data.store.chunked import ChunkedStore, open_chunks
from selfdepth.data.store.remote import Remote
from selfdepth.data.store.store import Store
from selfdepth.data.store.write_chunks import contents_of_store, write_chunks
from selfdepth.geometry.camera import Camera


@dataclass(frozen=True, kw_only=True)
class Noise(FrameSequence):
    """Random frames, each from its number."""

    def read(self, numbers: tuple[int, ...]) -> Iterator[ndarray]:
        """The frames with these numbers."""
        for number in numbers:
            shape = (self.camera.height, self.camera.width, 3)
            yield np.random.default_rng(number).integers(0, 256, shape, np.uint8)


def drive(folder: Path, n_frames: int, width: int, height: int) -> Footage:
    """A drive of random frames, all of them targets."""
    (folder / "drive").touch()
    camera = Camera(fx=width, fy=width, cx=width / 2, cy=height / 2, width=width, height=height)
    numbers = tuple(range(n_frames))
    names = tuple(f"{number:06d}" for number in numbers)
    noise = Noise(name="drive", camera=camera, numbers=numbers, names=names, files=(folder / "drive",))
    return Footage(kind="noise", sequences=(noise,), train=tuple(FrameRef("drive", number) for number in numbers))


@contextmanager
def bucket() -> Iterator[str]:
    """A place in a bucket of a server on the loopback."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # its line for each request would hide the figures
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_REGION": "us-east-1"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    boto3.client("s3").create_bucket(Bucket="bucket")
    yield "s3://bucket/noise"
    server.stop()


def epoch(store: Store, window: int, number: int, batch: int) -> dict[str, Any]:
    """One pass over the clips: how many a second, and the largest size of the cache."""
    clips = make_clips(store, store.train, offsets=(-1, 1))
    clips = replace(clips, windows=Windows(store.runs.of_row[clips.rows[:, 0]], window))
    loader = ClipLoader(store, clips, batch_size=batch, seed=0, device="cpu")
    batches, largest = loader.iterate(number * loader.steps_per_epoch), 0
    start_s = time.perf_counter()
    for _ in range(loader.steps_per_epoch):
        next(batches)
        if isinstance(store, ChunkedStore):
            largest = max(largest, sum(path.stat().st_size for path in store.folder.glob("*.bin") if path.exists()))
    seconds = time.perf_counter() - start_s
    batches.close()
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    rate = loader.steps_per_epoch * batch / seconds
    return {"clips_per_s": rate, "cache_mb": largest / 1e6, "peak_memory_mb": memory_mb}


def measure(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Rows: each side in turns, for so many epochs."""
    footage = drive(folder, options.frames, options.width, options.height)
    local = build_store(footage, folder / "store", width=options.width, height=options.height)
    rows = []
    with bucket() as far:
        sides: dict[str, Store] = {"local store": local}
        for name, place in (("folder", str(folder / "chunks")), ("loopback S3", far)):
            write_chunks(contents_of_store(local), Remote(place, "--out"))
            cache_gb = local.frames.nbytes / 1e9 / options.cache_share
            sides[name] = open_chunks(Remote(place), folder / f"cache {name}", cache_gb)
        window = min(each.default_window for each in sides.values() if isinstance(each, ChunkedStore))
        for number in range(options.epochs):
            for name, store in sides.items():
                found = epoch(store, window, number, options.batch)
                rows.append(
                    {"side": name, "epoch": number, "window": window, "data_mb": local.frames.nbytes / 1e6} | found
                )
                print(rows[-1])
    return rows


def main(argv: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=4000)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=192)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--cache-share", type=float, default=3.0, help="the data are so many times the cache")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(options, Path(folder))
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return rows


if __name__ == "__main__":
    main()

"""Benchmarks from files to batches: building a store, and delivering batches from it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from ceilings import Ceilings, delivery_bytes_per_clip
from measuring import Setting, in_turns, rate_row, section
from plain_loader import PlainClips, plain_loader
from scenes import street_footage, write_street
from selfdepth.data.clips.clips import make_clips
from selfdepth.data.clips.loader import ClipLoader
from selfdepth.data.store.build import build_store


def store_building(setting: Setting, ceilings: Ceilings, folder: Path) -> dict[str, Any]:
    """Decode, resize and write all frames on all cores; the floor is decoding alone, which no store can do without."""
    files = write_street(folder / "images", setting)
    footage = street_footage(folder / "images")

    def build() -> None:
        build_store(footage, folder / "store", width=setting.width, height=setting.height)

    def decode() -> None:
        for file in files:
            with Image.open(file) as image:
                image.convert("RGB")

    seconds = in_turns({"ours": build, "decode": decode}, setting)
    cores = os.cpu_count() or 1
    per_core = len(files) / cores
    decoding = [len(files) / s for s in seconds["decode"]]
    row = rate_row(
        "frames_per_s_per_core",
        f"store building from {setting.image_width}x{setting.image_height} JPEG",
        "frames/s/core",
        per_core,
        {"ours": seconds["ours"]},
        floor=max(decoding),
        floor_is="decoding alone with Pillow",
    )
    size_kb = sum(file.stat().st_size for file in files) / len(files) / 1e3
    return section([row], cores=cores, jpeg_kb=round(size_kb, 1), decode_frames_per_s_per_core=max(decoding))


def batch_delivery(setting: Setting, ceilings: Ceilings, folder: Path) -> dict[str, Any]:
    """Batches ready for a step, and batches as bytes, on one core. The yardstick decodes, resizes and jitters for
    each."""
    files = write_street(folder / "images", setting)
    footage = street_footage(folder / "images")
    store = build_store(footage, folder / "store", width=setting.width, height=setting.height)
    clips = make_clips(store, store.train, offsets=(-1, 1))
    loader = ClipLoader(store, clips, batch_size=setting.batch, seed=0, device="cpu")
    steps = count()  # a step of its own for every call: the same clips again would come from a cache
    plain_clips = PlainClips(
        files, width=setting.width, height=setting.height, K=torch.tensor(store.sequences[0].K, dtype=torch.float32)
    )

    def as_bytes() -> None:
        store.gather(clips.rows[loader.indices(next(steps))].reshape(-1))

    # One process and one thread on either side; neither torch nor worker processes may use the other cores.
    with _one_thread():
        plain = _endless(plain_clips, setting.batch, workers=0)
        seconds = in_turns({"ours": lambda: loader.batch(next(steps)), "plain": plain, "bytes": as_bytes}, setting)
    with_workers = _endless(plain_clips, setting.batch, workers=os.cpu_count() or 1)
    workers_seconds = in_turns({"plain": with_workers}, setting)["plain"]
    rows = []
    for key, what, side in (
        ("clips_per_s_per_core", "batch delivery, floats, flipped and jittered", "ours"),
        ("bytes_clips_per_s_per_core", "batch delivery, bytes", "bytes"),
    ):
        least = delivery_bytes_per_clip(setting.width, setting.height, floats=side == "ours")
        rows.append(
            rate_row(
                key,
                what,
                "clips/s/core",
                setting.batch,
                {"ours": seconds[side], "plain": seconds["plain"]},
                floor=ceilings.memory_gb_per_s * 1e9 / least,
                floor_is=f"{least / 1e6:.1f} MB a clip at the memory's bandwidth",
            )
        )
    return section(
        rows,
        in_ram=store.load_to_ram,
        plain_worker_processes=os.cpu_count(),
        plain_clips_per_s_with_workers=max(setting.batch / s for s in workers_seconds),
    )


def _endless(clips: PlainClips, batch_size: int, *, workers: int) -> Callable[[], object]:
    """A call that gives the next batch, from one epoch to the next."""

    def batches() -> Iterator[object]:
        loader = plain_loader(clips, batch_size=batch_size, workers=workers)
        while True:
            yield from loader

    iterator = batches()
    return lambda: next(iterator)


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)

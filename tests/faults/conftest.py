"""Tiny runs that are killed, and where the figures of the long part go."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.run_server import RunServer, run_server
from selfdepth.config import EncoderConfig, TrainConfig

TRIES = int(os.environ.get("SELFDEPTH_FAULTS", "3"))
RESULTS = Path(__file__).resolve().parents[2] / "benchmarks/results/faults.json"


@pytest.fixture(scope="session")
def tries() -> int:
    """How often the long part tries."""
    return TRIES


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    """Six steps of two clips, saved and validated after every second one: three of 30 clips are held out."""
    folder = tmp_path_factory.mktemp("drive")
    noise = np.random.default_rng(0).integers(0, 255, (16, 48, 3), dtype=np.uint8)
    world = Image.fromarray(noise).resize((192, 64), Image.Resampling.BICUBIC)
    for number in range(32):
        world.crop((3 * number, 0, 3 * number + 64, 64)).save(folder / f"{number:03d}.png")
    return TrainConfig(
        data=str(folder),
        camera="fov:60",
        width=64,
        encoder=EncoderConfig(name="test_resnet", pose_name="test_resnet", pretrained=False),
        batch_size=2,
        steps=6,
        save_every=2,
        device="cpu",
        precision="fp32",
        compile=False,
    )


@pytest.fixture(scope="session")
def faulty_disk(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """disk.c as a library; None where nothing compiles it."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        return None
    library = tmp_path_factory.mktemp("disk") / "disk.so"
    source = Path(__file__).with_name("disk.c")
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.fixture(scope="session")
def run(faulty_disk: Path | None) -> Iterator[RunServer]:
    """Trains in a process of its own, which it kills after some seconds if asked to, and behind disk.c if there is."""
    with run_server(faulty_disk) as server:
        yield server


@pytest.fixture
def figures() -> Callable[[str, str, int, int], None]:
    """Records how many of so many tries were survived; only when the long part was asked for by `make faults`.

    A row is what is promised, how it is tested, the tries, and how many of them were survived.
    """

    def record(promise: str, tested: str, tries: int, survived: int) -> None:
        if "SELFDEPTH_FAULTS" in os.environ:
            known = json.loads(RESULTS.read_text())["rows"] if RESULTS.is_file() else []
            row = {"promise": promise, "tested": tested, "tries": tries, "survived": survived}
            rows = [*(each for each in known if each["promise"] != promise), row]
            RESULTS.write_text(json.dumps({"rows": rows}, indent=2) + "\n")

    return record

"""A small KITTI on a server of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from helpers.mirror import DATE, DRIVES, FRAMES, OTHER_DATE, Mirror, mirrored, publish
from selfdepth.geometry.camera import Camera
from selfdepth.synthetic.drive import SyntheticDrive
from selfdepth.synthetic.kitti import write_kitti_raw


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three drives of two dates, with both cameras, as KITTI's archives unpack."""
    root = tmp_path_factory.mktemp("tree") / "kitti"
    for number, date in ((1, DATE), (2, DATE), (3, OTHER_DATE)):
        write_kitti_raw(noise(number), root, date=date, number=number, image_format="png" if number == 2 else "jpg")
    return root


def noise(seed: int) -> SyntheticDrive:
    """A drive straight ahead along a wall of noise: rendering a street takes longer than all tests here."""
    generator = np.random.default_rng(seed)
    shape = (FRAMES, 64, 128)
    T_world_camera = np.tile(np.eye(4), (FRAMES, 1, 1))
    T_world_camera[:, 2, 3] = np.arange(FRAMES)
    coarse = generator.integers(0, 255, (2, FRAMES, 16, 32, 3), dtype=np.uint8)
    images, partner = coarse.repeat(4, axis=2).repeat(4, axis=3)
    return SyntheticDrive(
        images=images,
        depth=generator.uniform(2, 50, shape).astype(np.float32),
        T_world_camera=T_world_camera,
        camera=Camera.from_fov(90, width=128, height=64),
        partner=partner,
        timestamps=np.arange(FRAMES) / 10,
        speed_mps=np.full(FRAMES, 10.0),
        moving=np.zeros(shape, bool),
        comoving=np.zeros(shape, bool),
    )


@pytest.fixture(scope="session")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Targets of both cameras in all drives, in no order; the last drive has frames for validation and test, too."""
    folder = tmp_path_factory.mktemp("split")
    train = [f"{DRIVES[2]} 3 r", f"{DRIVES[0]} 1 l", f"{DRIVES[1]} 4 l", f"{DRIVES[0]} 5 r", f"{DRIVES[1]} 2 l"]
    (folder / "train_files.txt").write_text("\n".join(train) + "\n")
    (folder / "val_files.txt").write_text(f"{DRIVES[2]} 5 l\n")
    (folder / "test_files.txt").write_text(f"{DRIVES[2]} 0000000000 l\n")
    return folder


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """A server without files."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with mirrored() as known:
        yield known


@pytest.fixture
def mirror(bare: Mirror, tree: Path) -> Mirror:
    """A server with the archives of `tree`."""
    publish(bare, tree)
    return bare

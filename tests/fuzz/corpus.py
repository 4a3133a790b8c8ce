"""Good files of every kind that selfdepth reads, made by its own tools. Mutations start from them."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image

from fuzz.cameras import write_cameras
from fuzz.witnesses import write_witnesses
from helpers.bags import compressed, encoded, frames, simple_bag, stamps, write_bag
from helpers.depth_world import DATE, DRIVE, save_depth_model
from helpers.make3d import NAMES, some_truths, write_make3d
from helpers.memory_footage import footage, sequence
from selfdepth.config import TrainConfig, to_json
from selfdepth.data.frames import FrameRef, StereoPartner
from selfdepth.data.store.build import build_store
from selfdepth.data.truth import DepthTruth
from selfdepth.evaluation.depth.truth_cache import CachedTruth
from selfdepth.structs import Trajectory
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw

GOLDEN = Path(__file__).parents[1] / "golden"
REF = FrameRef(f"{DATE}/{DRIVE}/image_02", 0)


class OneMap(DepthTruth):
    """Ground truth that is computed: the same map for every frame."""

    root, layout, is_computed = Path("/"), "", True

    def __call__(self, ref: FrameRef) -> np.ndarray:
        return np.where(np.arange(48).reshape(6, 8) % 5 == 0, 7.5, 0.0)

    def fingerprint(self, ref: FrameRef) -> str:
        return "as it was"


def build(folder: Path) -> None:
    """Write all of it, a folder for each reader in `fuzz.readers`."""
    for write in (
        _kitti,
        _pictures,
        _bags,
        write_cameras,
        write_witnesses,
        _trajectories,
        _arrays,
        _make3d,
        _models,
        _published,
        _store,
        _records,
    ):
        write(folder)


def _new(folder: Path, name: str) -> Path:
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    return place


def _kitti(folder: Path) -> None:
    drive = render_drive(DriveSpec(seed=1, frames=3, width=64, height=32))
    write_kitti_raw(drive, _new(folder, "kitti"), image_format="png")
    split = _new(folder, "split")
    for part in ("train", "val", "test"):
        (split / f"{part}_files.txt").write_text("".join(f"{DATE}/{DRIVE} {number:010d} l\n" for number in range(9)))
    odometry = _new(folder, "odometry_split")
    (odometry / "train_files.txt").write_text("".join(f"9 {number} {side}\n" for number in range(9) for side in "lr"))


def _pictures(folder: Path) -> None:
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
    picture = Image.fromarray(np.kron(colours, np.ones((2, 2, 1), np.uint8)))
    picture.save(_new(folder, "image") / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(folder / "image/b.jpg", exif=exif)
    depth = rng.integers(0, 65536, (24, 32), dtype=np.uint16)
    Image.fromarray(depth).save(_new(folder, "depth_png") / "a.png")
    with av.open(str(_new(folder, "video") / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(8):
            image = np.roll(np.asarray(picture), number, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        container.mux(stream.encode())
    frames = [picture.rotate(3 * number) for number in range(4)]
    frames[0].save(folder / "video/b.gif", save_all=True, append_images=frames[1:], duration=100)


def _bags(folder: Path) -> None:
    simple_bag(_new(folder, "ros1_bag") / "a.bag", "ros1", zipped="lz4")
    simple_bag(folder / "ros1_bag/b.bag", "ros1")
    jpegs = [compressed(encoded(pixels), at) for pixels, at in zip(frames(4), stamps(4), strict=True)]
    write_bag(folder / "ros1_bag/c.bag", jpegs, "ros1", zipped="bz2")
    for kind in ("sqlite3", "mcap"):
        simple_bag(_new(folder, f"{kind}_bag") / "drive", kind)
        simple_bag(folder / f"{kind}_bag/packed", kind, zipped="message")


def _trajectories(folder: Path) -> None:
    T = np.tile(np.eye(4), (6, 1, 1))
    T[:, 2, 3] = np.arange(6)
    trajectory = Trajectory(T_world_camera=T, timestamps=np.arange(6) / 10)
    place = _new(folder, "trajectory")
    (place / "kitti.txt").write_text(trajectory.to_kitti())
    (place / "tum.txt").write_text(trajectory.to_tum())
    (_new(folder, "times") / "times.txt").write_text("".join(f"{time:e}\n" for time in trajectory.timestamps))


def _arrays(folder: Path) -> None:
    maps = np.random.default_rng(0).uniform(0.1, 1, (3, 6, 8)).astype(np.float32)
    np.savez_compressed(_new(folder, "npz") / "one.npz", data=maps, K=np.eye(3))
    np.savez(folder / "npz/many.npz", *maps)
    np.save(_new(folder, "npy") / "a.npy", maps)
    CachedTruth(OneMap(), _new(folder, "truth_cache"))(REF)


def _make3d(folder: Path) -> None:
    name = NAMES[0]
    write_make3d(_new(folder, "make3d"), {name: some_truths()[name][:8, :12]})
    for other in NAMES[1:]:
        (folder / f"make3d/Test134/img-{other}.jpg").unlink()


def _models(folder: Path) -> None:
    save_depth_model(_new(folder, "weights"))
    save_depth_model(_new(folder, "config"))
    (_new(folder, "run") / "config.json").write_text(json.dumps(to_json(TrainConfig(data="/data", split="eigen"))))


def _published(folder: Path) -> None:
    place = _new(folder, "published")
    for name, content in published_files().items():
        (place / name).write_bytes(content)
    archive = _new(folder, "archive") / "model.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in published_files().items():
            opened.writestr(f"mono_640x192/{name}", content)


def published_files() -> dict[str, bytes]:
    """The files of a published depth network. Each tensor repeats one number, so that they are small."""
    keys = json.loads((GOLDEN / "networks_and_metrics/network_keys.json").read_text())["resnet18"]
    files = {}
    for file in ("encoder.pth", "depth.pth"):
        entries = {
            key: torch.tensor(0) if key.endswith("tracked") else torch.full([1] * len(shape), 0.1).expand(shape)
            for key, shape in keys[file].items()
        }
        extra = {"height": 64, "width": 96, "use_stereo": False} if file == "encoder.pth" else {}
        buffer = io.BytesIO()
        torch.save({**entries, **extra}, buffer)
        files[file] = buffer.getvalue()
    return files


def _store(folder: Path) -> None:
    left, right = sequence(_new(folder, "frames") / "a", "left"), sequence(folder / "frames/b", "right", (2, 3))
    left = dataclasses.replace(left, partner=StereoPartner(sequence="right", translation_m=(-0.5, 0.0, 0.0)))
    build_store(footage(left, right), folder / "store", width=64, height=32)


def _records(folder: Path) -> None:
    place = _new(folder, "metrics")
    lines = ({"step": step, "kind": "train", "loss": 1.5 / step, "near": None} for step in range(1, 9))
    (place / "metrics.jsonl").write_text("".join(f"{json.dumps(values)}\n" for values in lines))


def files_of(folder: Path) -> Iterator[Path]:
    """All files below a folder, in a fixed order."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())

"""Whatever is wrong, the answer is one sentence that names it, exit code 2, and nothing half-written."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from helpers.models import depth_only, tiny_config, untrained, write_model
from selfdepth.cli.main import main
from selfdepth.data.store.index import FRAMES_FILE
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw

DRIVE = "2011_09_26/2011_09_26_drive_0001_sync"
N_FRAMES, WIDTH, HEIGHT = 8, 96, 64


@dataclass(frozen=True, kw_only=True)
class World:
    """Sound footage and a sound model, not to be changed; `here` is a fresh folder that the test may spoil."""

    sound: Path
    here: Path

    def copy(self, name: str) -> Path:
        """A copy of "frames", "kitti", "split", "street.mp4" or "model", to be spoilt."""
        source, target = self.sound / name, self.here / name
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
        return target

    def write(self, name: str, content: str | bytes = "") -> Path:
        """A new file."""
        path = self.here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def write_all(self, *names: str) -> Path:
        """Empty files; the last of them."""
        return [self.write(name) for name in names][-1]

    def folder(self, name: str) -> Path:
        """A new empty folder."""
        (self.here / name).mkdir(parents=True)
        return self.here / name


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    drive = render_drive(DriveSpec(seed=1, frames=N_FRAMES, width=WIDTH, height=HEIGHT))
    write_kitti_raw(drive, folder / "kitti", scan_every=2)
    (folder / "frames").mkdir()
    for number, image in enumerate(drive.images):
        Image.fromarray(image).save(folder / "frames" / f"{number}.jpg")
    (folder / "split").mkdir()
    for part, numbers in (("train", (1, 2, 3, 4)), ("val", (6,)), ("test", (6,))):
        lines = "".join(f"{DRIVE} {number} l\n" for number in numbers)
        (folder / "split" / f"{part}_files.txt").write_text(lines)
    with av.open(str(folder / "street.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for image in drive.images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    config = tiny_config(data="street.mp4")
    write_model(folder / "model", config, state=depth_only(untrained(config).state_dict()), step=1)
    return folder


@pytest.fixture
def world(sound: Path, tmp_path: Path) -> World:
    return World(sound=sound, here=tmp_path)


def train(world: World, data: Path | str | None = None, *options: str) -> list[str]:
    """Arguments of a run that would be sound but for what is given."""
    small = ["--width", "96", "--height", "64", "--batch-size", "2", "--encoder.no-pretrained"]
    small += ["--device", "cpu", "--precision", "fp32"]
    given = {option.split("=")[0] for option in options}
    small += ["--encoder.name", "test_resnet"] * ("--encoder.name" not in given)
    small += ["--encoder.pose-name", "test_resnet"] * ("--encoder.pose-name" not in given)
    budget = [] if given & {"--steps", "--minutes", "--epochs"} else ["--steps", "1"]
    out = [] if "--out" in given else ["--out", str(world.here / "out")]
    footage = str(data if data is not None else world.sound / "frames")
    return ["train", "mono-192x64", "--data", footage, *small, *budget, *out, *options]


def predict(world: World, model: Path | str | None = None, image: Path | None = None, *options: str) -> list[str]:
    out = [] if "--out" in options else ["--out", str(world.here / "out")]
    inputs = str(image or world.sound / "frames")
    return ["predict", str(model or world.sound / "model"), inputs, "--device", "cpu", *out, *options]


def evaluate(world: World, model: Path | None = None, data: Path | None = None, *options: str) -> list[str]:
    given = [str(model or world.sound / "model"), "--data", str(data or world.sound / "kitti"), "--device", "cpu"]
    return ["evaluate", "depth", *given, *options]


def make3d_without_depth(world: World) -> Path:
    image = world.write("make3d/Test134/img-a.jpg", (world.sound / "frames/0.jpg").read_bytes())
    return image.parent.parent


def prepare(world: World, data: Path | None = None, *options: str) -> list[str]:
    out = [] if "--out" in options else ["--out", str(world.here / "out")]
    return [
        "prepare",
        str(data or world.sound / "frames"),
        *out,
        *([] if "--width" in options else ["--width", "96"]),
        *options,
    ]


def truncated(path: Path) -> Path:
    """The file, cut off in its middle."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def with_few_frames(world: World) -> Path:
    path = world.here / "short.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for level in (0, 200):
            pixels = np.full((HEIGHT, WIDTH, 3), level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def with_sound_only(world: World) -> Path:
    path = world.here / "song.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def with_an_odd_one(world: World) -> Path:
    frames = world.copy("frames")
    Image.new("RGB", (80, 64)).save(frames / "5.jpg")
    return frames


def with_a_truncated_jpeg(world: World) -> Path:
    frames = world.copy("frames")
    truncated(frames / "5.jpg")
    return frames


def kitti_with_a_truncated_jpeg(world: World) -> Path:
    kitti = world.copy("kitti")
    truncated(kitti / DRIVE / "image_02/data/0000000003.jpg")
    return kitti


def calibrated(world: World, change: Callable[[str], str]) -> Path:
    """KITTI with other lines in its calibration."""
    kitti = world.copy("kitti")
    path = kitti / "2011_09_26/calib_cam_to_cam.txt"
    path.write_text("".join(change(line) for line in path.read_text().splitlines(keepends=True)))
    return kitti


def with_focal(world: World, value: str) -> Path:
    def change(line: str) -> str:
        key, _, rest = [*line.split(maxsplit=2), "", ""][:3]
        return f"{key} {value} {rest}" if key == "P_rect_02:" else line

    return calibrated(world, change)


def split_with(world: World, line: str) -> list[str]:
    split = world.copy("split")
    with (split / "train_files.txt").open("a") as file:
        file.write(f"{line}\n")
    return ["--split", str(split)]


TWO_CAMERAS = "1 OPENCV_FISHEYE 96 64 40 40 48 32 0 0 0 0\n2 OPENCV_FISHEYE 64 64 40 40 32 32 0 0 0 0\n"


def lens_file(world: World, coefficients: str, more: str = "") -> list[str]:
    text = f"width: {WIDTH}\nheight: {HEIGHT}\nfx: 60\nfy: 60\ncx: 48\ncy: 32\nD: [{coefficients}]\n{more}\n"
    return ["--camera", str(world.write("cam.yaml", text))]


def yaml_camera(world: World, fx: str) -> list[str]:
    text = f"width: {WIDTH}\nheight: {HEIGHT}\nfx: {fx}\nfy: 60\ncx: 48\ncy: 32\n"
    return ["--camera", str(world.write("cam.yaml", text))]


def model_with(world: World, name: str, content: str | bytes) -> Path:
    model = world.copy("model")
    (model / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return model


def model_of(world: World, **changes: object) -> Path:
    values = json.loads((world.sound / "model/config.json").read_text())
    return model_with(world, "config.json", json.dumps(values | changes))


def damaged_weights(world: World) -> Path:
    return truncated(world.copy("model") / "model.safetensors").parent


def gif_without_content(world: World) -> Path:
    return world.write("zero.gif")


Make = Callable[[World], list[str]]

# name: (arguments, words that the sentence must hold)
FOOTAGE: dict[str, tuple[Make, tuple[str, ...]]] = {
    "no data named": (lambda w: train(w, ""), ("--data",)),
    "missing folder": (lambda w: train(w, w.here / "gone"), ("gone", "--data")),
    "empty folder": (lambda w: train(w, w.folder("nothing")), ("nothing", "an empty folder")),
    "folder of two images": (
        lambda w: train(w, shutil.copytree(w.sound / "frames", w.here / "two", ignore=lambda _, f: sorted(f)[2:])),
        ("two", "at least 3", "got 2"),
    ),
    "zero-byte image": (lambda w: train(w, w.write("zero/0.png").parent), ("zero", "at least 3")),
    "zero-byte images": (
        lambda w: train(w, w.write_all("zeros/0.png", "zeros/1.png", "zeros/2.png").parent),
        ("zeros/0.png", "not an image"),
    ),
    "video of two frames": (lambda w: train(w, with_few_frames(w)), ("short.mp4", "at least 3", "got 2")),
    "truncated video": (lambda w: train(w, truncated(w.copy("street.mp4"))), ("street.mp4", "copy the file again")),
    "zero-byte video": (lambda w: train(w, w.write("zero.mp4")), ("zero.mp4", "copy the file again")),
    "zero-byte GIF": (lambda w: train(w, gif_without_content(w)), ("zero.gif", "copy the file again")),
    "text as video": (lambda w: train(w, w.write("notes.mp4", "hello\n" * 99)), ("notes.mp4", "a text")),
    "sound without pictures": (lambda w: train(w, with_sound_only(w)), ("song.mp4", "audio only")),
    "one image as footage": (lambda w: train(w, w.sound / "frames/0.jpg"), ("0.jpg", "give its folder")),
    "truncated JPEG": (lambda w: train(w, with_a_truncated_jpeg(w)), ("frames/5.jpg", "truncated", "remove it")),
    "truncated JPEG, checked": (lambda w: ["check", str(with_a_truncated_jpeg(w))], ("frames/5.jpg", "remove it")),
    "frames of different sizes": (lambda w: train(w, with_an_odd_one(w)), ("5.jpg", "96x64", "80x64", "remove it")),
    "sizes differ, checked": (
        lambda w: ["check", str(with_an_odd_one(w))],
        ("1 of", "cannot be read", "size of its sequence"),
    ),
    "missing folder, checked": (lambda w: ["check", str(w.here / "gone")], ("gone",)),
    "text as video, checked": (lambda w: ["check", str(w.write("a.mp4", "x" * 99))], ("a.mp4",)),
    "folder without images predicted": (lambda w: predict(w, None, w.folder("nil")), ("nil", "folders of images")),
    "missing input predicted": (lambda w: predict(w, None, w.here / "gone.jpg"), ("gone.jpg",)),
    "truncated JPEG predicted": (
        lambda w: predict(w, None, truncated(w.copy("frames") / "0.jpg")),
        ("0.jpg", "truncated", "remove it"),
    ),
    "truncated video predicted": (
        lambda w: predict(w, None, truncated(w.copy("street.mp4"))),
        ("street.mp4", "copy the file again"),
    ),
}
KITTI: dict[str, tuple[Make, tuple[str, ...]]] = {
    "truncated JPEG": (lambda w: train(w, kitti_with_a_truncated_jpeg(w)), ("0000000003.jpg", "truncated")),
    "split names no file": (
        lambda w: train(w, w.sound / "kitti", *split_with(w, f"{DRIVE} 99 l")),
        ("train_files.txt, line 5", "0000000099"),
    ),
    "split lacks a neighbour": (
        lambda w: train(w, w.sound / "kitti", *split_with(w, f"{DRIVE} 7 l")),
        ("train_files.txt, line 5", "neighbour at +1", "0000000008"),
    ),
    "malformed split line": (
        lambda w: train(w, w.sound / "kitti", *split_with(w, f"{DRIVE} seven")),
        ("train_files.txt, line 5", "DATE/DRIVE FRAME l|r", "seven"),
    ),
    "malformed split line, checked": (
        lambda w: ["check", str(w.sound / "kitti"), *split_with(w, "../../etc 1 l")],
        ("train_files.txt, line 5", "DATE/DRIVE FRAME l|r"),
    ),
    "missing split": (lambda w: train(w, w.sound / "kitti", "--split", str(w.here / "no")), ("/no", "train_files.txt")),
    "split for own footage": (lambda w: train(w, None, "--split", str(w.sound / "split")), ("--split", "KITTI only")),
    "no P_rect_02": (
        lambda w: train(w, calibrated(w, lambda line: "" if line.startswith("P_rect_02") else line)),
        ("calib_cam_to_cam.txt", "P_rect_02", "--camera"),
    ),
    "zero focal length": (lambda w: train(w, with_focal(w, "0")), ("calib_cam_to_cam.txt", "P_rect_02")),
    "NaN focal length": (lambda w: train(w, with_focal(w, "nan")), ("calib_cam_to_cam.txt", "P_rect_02", "nan")),
    "NaN focal length, checked": (
        lambda w: ["check", str(with_focal(w, "nan"))],
        ("calib_cam_to_cam.txt", "P_rect_02"),
    ),
}
OPTIONS: dict[str, tuple[Make, tuple[str, ...]]] = {
    "width": (lambda w: train(w, None, "--width", "100"), ("--width", "multiple of 32", "96 or 128")),
    "height": (lambda w: train(w, None, "--height", "70"), ("--height", "multiple of 32", "64 or 96")),
    "zero focal length": (lambda w: train(w, None, "--camera", "0,60,48,32"), ("--camera 0,60,48,32", "focal")),
    "NaN focal length": (lambda w: train(w, None, "--camera", "60,nan,48,32"), ("--camera 60,nan,48,32", "focal")),
    "no field of view": (lambda w: train(w, None, "--camera", "fov:180"), ("--camera fov:180", "180")),
    "three numbers": (lambda w: train(w, None, "--camera", "1,2,3"), ("--camera 1,2,3", "fx,fy,cx,cy")),
    "zero focal length in YAML": (lambda w: train(w, None, *yaml_camera(w, "0")), ("cam.yaml", "focal")),
    "NaN focal length in YAML": (lambda w: train(w, None, *yaml_camera(w, ".nan")), ("cam.yaml", "focal")),
    "NaN distortion": (lambda w: train(w, None, *lens_file(w, "-0.1, .nan, 0, 0, 0")), ("cam.yaml", "not finite")),
    "infinite distortion": (lambda w: train(w, None, *lens_file(w, ".inf, 0, 0, 0, 0")), ("cam.yaml", "not finite")),
    "distortion that folds back": (
        lambda w: train(w, None, *lens_file(w, "-2, 0, 0, 0, 0")),
        ("cam.yaml", "not invertible", "px from the principal point"),
    ),
    "distortion of three numbers": (
        lambda w: train(w, None, *lens_file(w, "-0.1, 0.1, 0.1")),
        ("cam.yaml", "3 coefficients"),
    ),
    "thin prism": (
        lambda w: train(w, None, *lens_file(w, "0, 0, 0, 0, 0, 0, 0, 0, 0.1, 0, 0, 0")),
        ("cam.yaml", "thin prism"),
    ),
    "lens that is not known": (
        lambda w: train(w, None, *lens_file(w, "0", "distortion_model: scaramuzza")),
        ("cam.yaml", "scaramuzza", "equidistant"),
    ),
    "one of several cameras": (
        lambda w: train(w, None, "--camera", str(w.write("cameras.txt", TWO_CAMERAS))),
        ("cameras.txt", "several cameras", "1, 2", "cameras.txt:1"),
    ),
    "camera that is not in the file": (
        lambda w: train(w, None, "--camera", f"{w.write('cameras.txt', TWO_CAMERAS)}:3"),
        ("cameras.txt:3", "no such camera", "1, 2"),
    ),
    "lens for another size": (
        lambda w: train(w, None, "--camera", f"{w.write('cameras.txt', TWO_CAMERAS)}:2"),
        ("cameras.txt:2", "another aspect ratio", "64x64"),
    ),
    "word in YAML": (lambda w: train(w, None, *yaml_camera(w, "wide")), ("cam.yaml", "numbers")),
    "NaN focal length, checked": (
        lambda w: ["check", str(w.sound / "frames"), "--camera", "nan,60,48,32"],
        ("--camera nan,60,48,32", "focal"),
    ),
    "NaN focal length, predicted": (
        lambda w: predict(w, None, None, "--camera", "nan,60,48,32"),
        ("--camera nan,60,48,32", "focal"),
    ),
    "unknown preset": (lambda w: ["train", "mono-640x129", "--out", str(w.here / "out")], ("mono-640x192",)),
    "neither preset nor file": (lambda w: ["train", "--out", str(w.here / "out")], ("PRESET", "mono-640x192")),
    "two budgets": (lambda w: train(w, None, "--steps", "5", "--minutes", "1"), ("--steps and --minutes",)),
    "no steps": (lambda w: train(w, None, "--steps", "0"), ("--steps", "more than 0")),
    "NaN minutes": (lambda w: train(w, None, "--minutes", "nan"), ("--minutes", "more than 0")),
    "unknown encoder": (lambda w: train(w, None, "--encoder.name", "resnet19"), ("resnet19", "--encoder.name")),
    "unknown pose encoder": (lambda w: train(w, None, "--encoder.pose-name", "vgg"), ("vgg", "--encoder.pose-name")),
    "unknown device": (lambda w: train(w, None, "--device", "abacus"), ("--device", "abacus")),
    "device that is not there": (lambda w: train(w, None, "--device", "cuda:77"), ("--device", "cuda:77")),
    "unknown device, predicted": (lambda w: predict(w, None, None, "--device", "abacus"), ("--device", "abacus")),
    "crop of everything": (lambda w: train(w, None, "--crop", "32,32,0,0"), ("--crop", "96x64")),
    "crop of more than everything": (lambda w: train(w, None, "--crop", "0,0,99,99"), ("--crop", "96x64")),
    "malformed crop": (lambda w: train(w, None, "--crop", "1,2"), ("--crop", "top,bottom,left,right")),
    "no spacing": (lambda w: train(w, None, "--every", "0"), ("--every", "from 1 to")),
    "spacing beyond the footage": (lambda w: train(w, None, "--every", "50"), ("frames", "smaller --every")),
    "spacing beyond KITTI": (lambda w: train(w, w.sound / "kitti", "--every", "50"), ("kitti", "smaller --every")),
    "batch beyond the clips": (lambda w: train(w, None, "--batch-size", "99"), ("--batch-size", "99", "at most 6")),
    "no batch": (lambda w: train(w, None, "--batch-size", "0"), ("--batch-size", "at least 1")),
    "unknown verb": (lambda w: ["trian"], ("trian", "train")),
    "resume of nothing": (lambda w: train(w, None, "--resume"), ("out", "nothing to resume")),
    "resume of nothing, alone": (lambda w: ["train", "--resume", "--out", str(w.here / "out")], ("out",)),
    "corrupt configuration": (
        lambda w: ["train", "--config", str(w.write("c.json", "{oops")), "--out", str(w.here / "out")],
        ("c.json", "a JSON object"),
    ),
    "configuration of something else": (
        lambda w: ["train", "--config", str(w.write("c.json", '{"lr": 1}')), "--out", str(w.here / "out")],
        ("c.json", "lr"),
    ),
    "missing configuration": (
        lambda w: ["train", "--config", str(w.here / "c.json"), "--out", str(w.here / "out")],
        ("c.json", "No such file"),
    ),
}
MODELS: dict[str, tuple[Make, tuple[str, ...]]] = {
    "missing": (lambda w: predict(w, w.here / "gone"), ("gone", "published folder")),
    "text file": (lambda w: predict(w, w.write("notes.txt", "hi")), ("notes.txt", "is a file")),
    "empty folder": (lambda w: predict(w, w.folder("nil")), ("nil", "model.safetensors")),
    "broken weights": (lambda w: predict(w, damaged_weights(w)), ("model.safetensors", "copy the folder again")),
    "text as weights": (lambda w: predict(w, model_with(w, "model.safetensors", "hi")), ("model.safetensors",)),
    "broken configuration": (lambda w: predict(w, model_with(w, "config.json", "{")), ("config.json",)),
    "list as configuration": (lambda w: predict(w, model_with(w, "config.json", "[]")), ("config.json",)),
    "another version": (lambda w: predict(w, model_of(w, version=9)), ("config.json", "version 9", "update")),
    "another encoder": (
        lambda w: predict(w, model_of(w, train={"width": 96, "height": 64, "encoder": {"name": "resnet50"}})),
        ("model.safetensors", "resnet50"),
    ),
    "missing, info": (lambda w: ["info", str(w.here / "gone")], ("gone",)),
    "empty folder, info": (lambda w: ["info", str(w.folder("nil"))], ("nil",)),
    "broken weights, info": (lambda w: ["info", str(damaged_weights(w))], ("model.safetensors",)),
    "another version, info": (lambda w: ["info", str(model_of(w, version=9))], ("version 9",)),
}
PLACES: dict[str, tuple[Make, tuple[str, ...]]] = {
    "file, train": (lambda w: train(w, None, "--out", str(w.write("f"))), ("/f", "--out")),
    "below a file, train": (lambda w: train(w, None, "--out", str(w.write("f") / "a/b")), ("/f/a/b", "--out")),
    "not a disk, train": (lambda w: train(w, None, "--out", "/proc/selfdepth"), ("/proc/selfdepth", "--out")),
    "file, predict": (lambda w: predict(w, None, None, "--out", str(w.write("f"))), ("/f", "--out")),
    "below a file, predict": (lambda w: predict(w, None, None, "--out", str(w.write("f") / "a")), ("/f/a", "--out")),
    "not a disk, predict": (
        lambda w: predict(w, None, None, "--out", "/proc/selfdepth"),
        ("/proc/selfdepth", "--out"),
    ),
    "file as store": (lambda w: train(w, None, "--store", str(w.write("f"))), ("/f", "the store")),
    "other things in the store": (
        lambda w: train(w, None, "--store", str(w.write("mine/thesis.tex").parent)),
        ("mine", "the store"),
    ),
}
OTHER_VERBS: dict[str, tuple[Make, tuple[str, ...]]] = {
    "evaluate: no model": (lambda w: evaluate(w, w.here / "gone"), ("gone", "published folder")),
    "evaluate: no data": (lambda w: evaluate(w, None, w.here / "nowhere"), ("nowhere", "--data")),
    "evaluate: no measured depth": (lambda w: evaluate(w, None, w.sound / "frames"), ("frames", "--ground-truth")),
    "evaluate: missing split": (
        lambda w: evaluate(w, None, None, "--split", str(w.here / "no")),
        ("/no", "test_files.txt"),
    ),
    "evaluate: missing predictions": (
        lambda w: ["evaluate", "depth", "--predictions", str(w.here / "p.npy"), "--ground-truth", "t.npy"],
        (".npy", "one array"),
    ),
    "evaluate: text as predictions": (
        lambda w: [
            *("evaluate", "depth", "--predictions", str(w.write("p.npy", "hello"))),
            *("--ground-truth", str(w.write("t.npy", "hello"))),
        ],
        (".npy", "cannot be read"),
    ),
    "evaluate: Make3D without depth": (
        lambda w: evaluate(w, None, make3d_without_depth(w)),
        ("no ground truth", "Gridlaserdata"),
    ),
    "evaluate: a part that is not there": (
        lambda w: evaluate(w, None, None, "--part", "test"),
        ("no test frames", "--part"),
    ),
    "predict: images of another size than the benchmark's": (
        lambda w: predict(w, None, None, "--save", "kitti"),
        ("0.jpg", "1216x352", "96x64"),
    ),
    "evaluate: unwritable report": (
        lambda w: evaluate(w, None, None, "--json", str(w.write("f") / "a.json")),
        ("/f", "--json"),
    ),
    "prepare: missing folder": (lambda w: prepare(w, w.here / "gone"), ("gone",)),
    "prepare: truncated JPEG": (lambda w: prepare(w, with_a_truncated_jpeg(w)), ("frames/5.jpg", "truncated")),
    "prepare: width": (lambda w: prepare(w, None, "--width", "100"), ("--width", "multiple of 32")),
    "prepare: file as place": (lambda w: prepare(w, None, "--out", str(w.write("f"))), ("/f",)),
    "prepare: below a file": (lambda w: prepare(w, None, "--out", str(w.write("f") / "a")), ("/f/a",)),
}
ALL = {
    f"{group}: {name}": case
    for group, cases in {
        "footage": FOOTAGE,
        "KITTI": KITTI,
        "option": OPTIONS,
        "model": MODELS,
        "place": PLACES,
        "verb": OTHER_VERBS,
    }.items()
    for name, case in cases.items()
}


@pytest.mark.parametrize(("make", "words"), ALL.values(), ids=ALL.keys())
def test_bad_input_is_refused_in_one_sentence_that_names_it(
    make: Make, words: tuple[str, ...], world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = make(world)
    before = _files(world.here)
    code = main(arguments)
    _require_refusal(code, capsys.readouterr().err, words)
    assert _files(world.here) == before, "something half-written was left behind"


@pytest.mark.parametrize("name", ["option: unknown verb", "option: width"])
def test_a_process_of_its_own_says_the_same(name: str, world: World) -> None:
    make, words = ALL[name]
    done = subprocess.run(
        [sys.executable, "-m", "selfdepth.cli.main", *make(world)], capture_output=True, text=True, check=False
    )
    _require_refusal(done.returncode, done.stderr, words)


@pytest.mark.parametrize("word", ["--bach-size", "--precision", "--steps"])
def test_what_no_option_is_or_takes_is_refused_by_name(
    word: str, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(train(world, None, word, "many"))
    _require_refusal(code, capsys.readouterr().err, (word,))
    assert _files(world.here) == []


def test_a_principal_point_outside_the_image_is_warned_of_and_the_run_goes_on(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(world.sound / "frames"), "--camera", "60,60,500,32"]) == 0
    said = " ".join("".join(capsys.readouterr()).split())
    assert "warning: the principal point (500, 32) lies outside" in said


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("file systems cannot be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_said_when_the_model_is_saved(
    world: World, tiny_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(train(world, None, "--out", str(tiny_disk / "run"), "--store", str(world.here / "store")))
    _require_refusal(code, capsys.readouterr().err, ("disk/run", "space"))


def test_a_full_disk_is_said_before_frames_are_decoded(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = shutil.disk_usage(world.here)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    code = main(train(world))
    _require_refusal(code, capsys.readouterr().err, ("not enough disk space", "out/store", "make room"))
    assert _files(world.here) == []


def test_a_disk_that_fills_up_while_decoding_leaves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(descriptor: int) -> None:
        if FRAMES_FILE in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    code = main(train(world))
    _require_refusal(code, capsys.readouterr().err, ("not enough disk space", "make room"))
    assert _files(world.here) == []


def _require_refusal(code: int, said: str, words: tuple[str, ...]) -> None:
    lines = said.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert code == 2, said
    assert len(errors) == 1 and lines[-1] == errors[0], said
    assert "Traceback" not in said
    missing = [word for word in words if word not in errors[0]]
    assert not missing, f"{missing} not in: {errors[0]}"
    assert len(errors[0]) < 700, errors[0]


def _files(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.stat().st_size) for path in folder.rglob("*") if path.is_file())

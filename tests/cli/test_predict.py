"""`selfdepth predict`, from arguments to files."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
import tyro
from PIL import Image

from helpers.models import depth_only, tiny_config, untrained, write_model
from selfdepth.cli.main import main
from selfdepth.cli.predict import PredictArgs, predict
from selfdepth.config import TrainConfig
from selfdepth.errors import CheckpointError, ConfigError, DataError, OutputError, SelfDepthError
from selfdepth.geometry.camera import Camera
from selfdepth.inference import many
from selfdepth.inference.writers import create_video
from selfdepth.networks.depth import DepthNet
from selfdepth.weights.files import WeightsMeta, save_weights


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Images this small are slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("run")
    state = {f"depth_net.{name}": tensor for name, tensor in DepthNet("resnet18").state_dict().items()}
    camera = Camera(fx=120.0, fy=120.0, cx=63.5, cy=31.5, width=128, height=64)
    config = TrainConfig(width=128, height=64, data="street.mp4")
    save_weights(folder / "best", state, WeightsMeta(config=config, camera=camera, scale="relative", step=12))
    return str(folder)


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """A folder of three images, a video of four frames, and a single image of another size."""
    (tmp_path / "frames").mkdir()
    for number in range(3):
        _image(80, 40, seed=number).save(tmp_path / "frames" / f"shot{number}.png")
    with create_video(tmp_path / "street.mp4", Fraction(12)) as video:
        for number in range(4):
            video.write(np.asarray(_image(96, 48, seed=number)))
    _image(50, 70, seed=9).save(tmp_path / "photo.jpg")
    return tmp_path


def _image(width: int, height: int, *, seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height))


def _run(model: str, *inputs: Path, out: Path, **options: object) -> list[str]:
    arguments = {"model": model, "inputs": tuple(map(str, inputs)), "out": str(out), "device": "cpu", **options}
    predict(PredictArgs(**arguments))  # type: ignore[arg-type]
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


def test_a_folder_gives_one_output_per_image_named_by_its_stem(
    model: str, drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = _run(model, drive / "frames", out=drive / "out")
    assert written == ["color/shot0.png", "color/shot1.png", "color/shot2.png"]
    assert Image.open(drive / "out/color/shot1.png").size == (80, 40)
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "3 frames" in said and str(drive / "out") in said and "relative" in said


def test_an_image_gives_depth_at_its_own_resolution(model: str, drive: Path) -> None:
    assert _run(model, drive / "photo.jpg", out=drive / "out", save=("npz",)) == ["npz/photo.npz"]
    with np.load(drive / "out/npz/photo.npz", allow_pickle=False) as arrays:
        assert arrays["depth"].shape == (70, 50) and str(arrays["scale"]) == "relative"
        assert np.array_equal(arrays["depth"], 1 / arrays["disparity"])
        assert "K" not in arrays


def test_a_video_gives_numbered_frames_and_a_video_at_its_rate(model: str, drive: Path) -> None:
    written = _run(model, drive / "street.mp4", out=drive / "out", save=("npz", "mp4"))
    assert written == [f"npz/{number:06d}.npz" for number in range(4)] + ["video.mp4"]
    with np.load(drive / "out/npz/000002.npz") as arrays:
        np.testing.assert_allclose(arrays["K"], [[90, 0, 47.5], [0, 90, 23.5], [0, 0, 1]])
    with av.open(str(drive / "out/video.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == 12 and (stream.width, stream.height) == (96, 96)
        assert sum(1 for _ in container.decode(stream)) == 4


def test_mixed_inputs_share_a_folder_where_their_names_differ(model: str, drive: Path) -> None:
    written = _run(model, drive / "frames", drive / "street.mp4", drive / "photo.jpg", out=drive / "out")
    assert len(written) == 8 and {path.split("/")[0] for path in written} == {"color"}


def test_a_camera_that_is_given_is_written_for_every_size(model: str, drive: Path) -> None:
    _image(120, 60, seed=9).save(drive / "large.png")
    _run(model, drive / "large.png", drive / "frames", out=drive / "out", save=("npz",), camera="fov:90")
    for name, focal in (("large", 60), ("shot0", 40)):
        with np.load(drive / f"out/npz/{name}.npz") as arrays:
            assert arrays["K"][0, 0] == pytest.approx(focal)


def test_one_camera_for_images_of_unlike_shapes_is_refused(model: str, drive: Path) -> None:
    with pytest.raises(DataError, match=r"one shape; got 50x70 \(.*photo\.jpg\) and 80x40"):
        _run(model, drive / "photo.jpg", drive / "frames", out=drive / "out", save=("npz",), camera="fov:90")


def test_predicting_twice_gives_the_same_files(model: str, drive: Path) -> None:
    first = _run(model, drive / "frames", out=drive / "out", save=("color", "png16"))
    before = {path: (drive / "out" / path).read_bytes() for path in first}
    assert _run(model, drive / "frames", out=drive / "out", save=("color", "png16")) == first
    assert {path: (drive / "out" / path).read_bytes() for path in first} == before


@pytest.mark.parametrize(
    ("options", "kind", "sentence"),
    [
        ({"inputs": ()}, ConfigError, "nothing to predict"),
        ({"inputs": ("gone.jpg",)}, DataError, "no such input: gone.jpg"),
        ({"inputs": ("notes.txt",)}, DataError, "a text is no input: notes.txt; if it is a list .*--shard 1/1"),
        ({"inputs": ("empty",)}, DataError, "nothing was recognised in this folder: empty"),
        ({"inputs": ("broken.png",)}, DataError, "broken.png"),
        ({"inputs": ("tiny.png",)}, DataError, "too small"),
        ({"save": ()}, ConfigError, "nothing to save"),
        ({"batch_size": 0}, ConfigError, "--batch-size"),
        (
            {"every": 2},
            ConfigError,
            "--every applies only to the path of the camera; expected --save trajectory, ply or rrd",
        ),
        ({"voxel": 1.0, "save": ("trajectory",)}, ConfigError, "--voxel applies only to point clouds"),
        ({"factor": 2.0}, ConfigError, "--factor applies only to KITTI's benchmark.*--save kitti"),
        ({"allow_relative": True}, ConfigError, "--allow-relative applies only to bags; expected --save bag"),
        ({"max_depth": -1.0, "save": ("ply",)}, ConfigError, "out of range: --max-depth"),
        ({"voxel": math.nan, "save": ("ply",)}, ConfigError, "out of range: --voxel"),
        ({"factor": 0.0, "save": ("kitti",)}, ConfigError, "out of range: --factor"),
        ({"factor": math.nan, "save": ("kitti",)}, ConfigError, "out of range: --factor"),
        ({"save": ("kitti",), "factor": 5.0}, DataError, "not have the benchmark's size: photo.jpg; .*got 50x70"),
        ({"camera": "1,2,3"}, DataError, "camera"),
        ({"camera": "fov:0"}, DataError, "field of view"),
        ({"device": "abacus"}, ConfigError, "--device"),
        ({"out": "notes.txt"}, OutputError, "is a file: notes.txt"),
        ({"out": "notes.txt/below"}, OutputError, "is a file: notes.txt"),
        ({"model": "nowhere"}, CheckpointError, "no such model: nowhere"),
        ({"model": "frames"}, CheckpointError, "holds no model: frames"),
        ({"model": "photo.jpg"}, CheckpointError, "the model is a file: photo.jpg"),
    ],
)
def test_a_wrong_argument_is_refused_in_one_sentence(
    model: str,
    drive: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, object],
    kind: type[SelfDepthError],
    sentence: str,
) -> None:
    monkeypatch.chdir(drive)
    (drive / "notes.txt").write_text("no picture")
    (drive / "broken.png").write_bytes((drive / "frames/shot0.png").read_bytes()[:200])
    (drive / "empty").mkdir()
    _image(3, 3, seed=0).save(drive / "tiny.png")
    arguments = {"model": model, "inputs": ("photo.jpg",), "out": "out", "device": "cpu", **options}
    with pytest.raises(kind, match=sentence) as refusal:
        predict(PredictArgs(**arguments))  # type: ignore[arg-type]
    assert "\n" not in str(refusal.value)
    assert not (drive / "out").exists()


def test_a_trajectory_and_points_are_written_for_a_model_with_a_pose_network(
    moving_model: Path, drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(moving_model), str(drive / "street.mp4"), "--out", str(drive / "out"), "--device", "cpu"]
    assert main([*words, "--save", "trajectory", "ply", "--camera", "fov:60", "--every", "1"]) == 0
    written = {path.relative_to(drive / "out").as_posix() for path in (drive / "out").rglob("*") if path.is_file()}
    assert written == {
        "drive.ply",
        *(f"ply/{number:06d}.ply" for number in range(4)),
        *(f"trajectory/{name}" for name in ("README.txt", "kitti.txt", "tum.txt")),
    }
    assert "wrote trajectory, ply for 4 frames" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "own", "sentence"),
    [(30.0, None, "times 30 as given;"), (None, 5.4, "times 5.4, the model's own"), (6.0, 5.4, "as given, not 5.4")],
)
def test_for_kitti_the_factor_and_the_next_step_are_shown(
    given: float | None, own: float | None, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny_config(stereo="none" if own is None else "nominal")
    model = write_model(tmp_path / "model", config, state=depth_only(untrained(config).state_dict()))
    (tmp_path / "image").mkdir()
    _image(1216, 352, seed=0).save(tmp_path / "image/0000000000.png")
    _run(str(model), tmp_path / "image", out=tmp_path / "out", save=("kitti",), factor=given)
    shown = capsys.readouterr().out
    assert all(words in shown for words in (sentence, "1 depth map in", str(tmp_path / "out/kitti"), "expects 500"))


def _shard(model: str, drive: Path, shard: str, *names: str) -> int:
    (drive / "all.txt").write_text("\n".join(names))
    words = ["predict", model, str(drive / "all.txt"), "--out", str(drive / "out"), "--device", "cpu"]
    return main([*words, "--shard", shard, "--precision", "fp32"])


def test_a_shard_of_a_list_gives_a_folder_and_a_line_of_json_for_each_input(
    model: str, drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = ("frames", "street.mp4", "photo.jpg")
    assert _shard(model, drive, "1/2", *inputs) == 0
    told = capsys.readouterr()
    lines = [json.loads(line) for line in told.out.splitlines()]
    assert [(line["input"], line["frames"]) for line in lines] == [("frames", 3), ("photo.jpg", 1)]
    assert "shard 1/2, by --shard: 2 of 3 inputs" in told.err and "2 predicted" in told.err
    assert sorted(path.name for path in (drive / "out").iterdir()) == ["frames", "photo.jpg", "predictions.json"]
    assert json.loads((drive / "out/frames/prediction.json").read_text()) == lines[0]
    assert _shard(model, drive, "1/1", *inputs) == 0
    told = capsys.readouterr()
    assert told.out.count("\n") == 1 and '"street.mp4"' in told.out and "2 finished before, 1 predicted" in told.err


def test_the_shard_of_a_job_array_is_found_in_the_environment(
    model: str, drive: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("ID", "4"), ("COUNT", "3"), ("MIN", "3")):
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", value)
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert _shard(model, drive, "auto", "frames", "photo.jpg") == 0
    assert "shard 2/3, by SLURM_ARRAY_TASK_ID: 1 of 2 inputs" in capsys.readouterr().err
    assert (drive / "out/photo.jpg").is_dir() and not (drive / "out/frames").exists()


def test_inputs_that_fail_are_named_in_the_end_with_an_exit_code_of_their_own(
    model: str, drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (drive / "broken.png").write_bytes((drive / "frames/shot0.png").read_bytes()[:200])
    assert _shard(model, drive, "1/1", "gone.mp4", "frames", "broken.png", "photo.jpg") == 3
    told = capsys.readouterr()
    assert told.out.count("\n") == 2
    failed = [line for line in told.err.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 2 and failed[0].startswith("failed: gone.mp4: there is no such input: ")
    assert "2 of 4 inputs failed" in told.err.splitlines()[-1]


def test_a_bug_in_one_input_shows_its_traceback_when_the_others_are_done(
    model: str, drive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = many.open_inputs

    def failing(inputs: tuple[str, ...], **options: Any) -> Any:
        if inputs[0].endswith("frames"):
            raise KeyError("a bug")
        return opened(inputs, **options)

    monkeypatch.setattr(many, "open_inputs", failing)
    with pytest.raises(KeyError, match="a bug"):
        _shard(model, drive, "1/1", "frames", "photo.jpg")
    assert (drive / "out/photo.jpg/color/photo.png").is_file()


@pytest.mark.parametrize(
    ("inputs", "shard", "sentence"),
    [
        (("all.txt", "frames"), "1/2", "--shard takes one list: INPUT; .*got 2 inputs"),
        ((), "1/2", "nothing to predict"),
        (("all.txt",), "3/2", "there is no such shard: --shard"),
        (("all.txt",), "two", "the shard cannot be read: --shard"),
        (("gone.txt",), "1/2", "there is no such list: gone.txt"),
        (("street.mp4",), "1/2", "this is no list: street.mp4;.*leave --shard out"),
        (("photo.jpg",), "1/2", "this is no list: photo.jpg;.*leave --shard out"),
        (("empty",), "1/2", "the list names no input: empty"),
    ],
)
def test_a_wrong_list_or_shard_is_refused_before_anything_is_written(
    model: str, drive: Path, monkeypatch: pytest.MonkeyPatch, inputs: tuple[str, ...], shard: str, sentence: str
) -> None:
    monkeypatch.chdir(drive)
    (drive / "all.txt").write_text("frames")
    (drive / "empty").mkdir()
    with pytest.raises(SelfDepthError, match=sentence):
        predict(PredictArgs(model=model, inputs=inputs, out="out", device="cpu", shard=shard))
    assert not (drive / "out").exists()


@pytest.mark.parametrize(
    ("inputs", "options", "sentence"),
    [
        (("all.txt",), {"engine": "ray", "shard": "1/2"}, "--engine ray shares the list out by itself: --shard; .*1/2"),
        (("all.txt", "frames"), {"engine": "ray"}, "--engine ray takes one list: INPUT; .*got 2 inputs"),
        (("street.mp4",), {"engine": "ray"}, "this is no list: street.mp4"),
        (("gone.txt",), {"engine": "ray"}, "there is no such list: gone.txt"),
        (("all.txt",), {"engine": "ray", "workers": 0}, "out of range: --workers"),
        (("all.txt",), {"engine": "ray", "gpus_per_worker": -1.0}, "out of range: --gpus-per-worker"),
        (("all.txt",), {"engine": "ray", "address": "ray://a:1"}, "no address of a Ray cluster: --address"),
        (("all.txt",), {"engine": "ray"}, r"Ray is not installed: .*pip install 'selfdepth\[ray\]'"),
        (("frames",), {"workers": 2}, "--workers applies only to a cluster; expected --engine ray"),
        (("frames",), {"address": "auto"}, "--address applies only to a cluster"),
        (("all.txt",), {"gpus_per_worker": 0.5, "shard": "1/1"}, "--gpus-per-worker applies only to a cluster"),
    ],
)
def test_a_wrong_list_or_option_for_a_cluster_is_refused_before_anything_is_written(
    model: str,
    drive: Path,
    monkeypatch: pytest.MonkeyPatch,
    inputs: tuple[str, ...],
    options: dict[str, Any],
    sentence: str,
) -> None:
    monkeypatch.chdir(drive)
    monkeypatch.setitem(sys.modules, "ray.data", None)  # as if it were not installed
    (drive / "all.txt").write_text("frames")
    with pytest.raises(SelfDepthError, match=sentence):
        predict(PredictArgs(model=model, inputs=inputs, out="out", device="cpu", **options))
    assert not (drive / "out").exists()


def test_the_options_are_read_from_a_command_line() -> None:
    words = ["runs/a", "x.png", "y.mp4", "--out", "o", "--save", "color", "npz", "--batch-size", "2"]
    args = tyro.cli(PredictArgs, args=words)
    assert (args.model, args.inputs, args.out) == ("runs/a", ("x.png", "y.mp4"), "o")
    assert (args.save, args.batch_size, args.camera) == (("color", "npz"), 2, None)


def test_reading_the_options_imports_no_torch() -> None:
    code = "import sys, selfdepth.cli.predict; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

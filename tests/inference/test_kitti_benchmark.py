"""What KITTI's server takes: metres, and one flat set of images of its size."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.models import HEIGHT, WIDTH, depth_only, tiny_config, untrained, write_model
from selfdepth.config import Stereo
from selfdepth.data.kitti.improved import read_depth_png
from selfdepth.errors import ConfigError, DataError, OutputError
from selfdepth.evaluation.depth.metrics import METRICS, resize_disparity
from selfdepth.evaluation.depth.run import ComparisonOptions, evaluate_model, evaluate_predictions
from selfdepth.geometry.camera import resample
from selfdepth.inference.inputs import open_inputs
from selfdepth.inference.kitti_benchmark import (
    IMAGE_COUNT,
    IMAGE_SIZE,
    benchmark_factor,
    describe_benchmark,
    require_benchmark_images,
)
from selfdepth.inference.predict import Predicted, predict_inputs
from selfdepth.inference.save import SaveOptions
from selfdepth.inference.writers import create_video
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw


def images(folder: Path, *names: str, size: tuple[int, int] = IMAGE_SIZE) -> str:
    folder.mkdir()
    for name in names:
        Image.new("L", size).save(folder / name)
    return str(folder)


def test_the_factor_is_the_given_one_else_the_models_own() -> None:
    assert benchmark_factor(5.4, None, "runs/a") == 5.4
    assert benchmark_factor(5.4, 30.0, "runs/a") == 30.0
    assert benchmark_factor(None, 30.0, "runs/a") == 30.0


def test_a_model_without_a_unit_is_refused_with_the_way_to_find_one() -> None:
    with pytest.raises(ConfigError, match=r"has no unit: runs/a; expected --factor.*evaluate depth.*--part train"):
        benchmark_factor(None, None, "runs/a")


def test_images_of_the_benchmark_are_accepted_again_beside_their_own_depth_maps(tmp_path: Path) -> None:
    sources = open_inputs((images(tmp_path / "image", "0.png", "1.png"),), camera=None)
    require_benchmark_images(sources, tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/1.png").touch()
    require_benchmark_images(sources, tmp_path / "out")
    (tmp_path / "out/2.png").touch()
    with pytest.raises(OutputError, match=r"holds another file: .*2\.png"):
        require_benchmark_images(sources, tmp_path / "out")


def test_other_images_are_refused_by_the_first_of_them(tmp_path: Path) -> None:
    small = images(tmp_path / "small", "7.png", size=(100, 40))
    twice = images(tmp_path / "twice", "0.png", "0.bmp")
    table = {
        (small,): r"does not have the benchmark's size: .*7\.png; expected 1216x352.*got 100x40",
        (twice,): "two images would have the same depth map",
        (small, twice): "one flat folder of depth maps: 2 inputs",
    }
    for inputs, sentence in table.items():
        with pytest.raises(DataError, match=sentence):
            require_benchmark_images(open_inputs(inputs, camera=None), tmp_path / "out")


def test_what_is_left_to_do_is_told_with_the_scale_and_the_number(tmp_path: Path) -> None:
    def told(factor: float, own: float | None, count: int = IMAGE_COUNT) -> str:
        return describe_benchmark(count, Path("out"), factor, own)

    assert "the model's metres" in told(1.0, 1.0)
    assert "times 5.4, the model's own" in told(5.4, 5.4)
    assert "times 6 as given, not 5.4, the model's own" in told(6.0, 5.4)
    assert "times 30 as given" in told(30.0, None)
    assert "500 depth maps in out" in told(1.0, 1.0) and "expects" not in told(1.0, 1.0)
    assert "1 depth map in out" in told(1.0, 1.0, 1) and "the server expects 500" in told(1.0, 1.0, 1)


MODELS: dict[str, Stereo] = {"mono": "none", "nominal": "nominal", "calibrated": "calibrated"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models with the same weights, and selection/image with two images of the benchmark's size."""
    folder = tmp_path_factory.mktemp("place")
    for name, stereo in MODELS.items():
        config = tiny_config(stereo=stereo)
        state = depth_only(untrained(config).state_dict())
        write_model(folder / name, config, state=state, scale="metric" if name == "calibrated" else "relative")
    (folder / "selection/image").mkdir(parents=True)
    (folder / "selection/intrinsics").mkdir()
    (folder / "selection/intrinsics/0000000000.txt").write_text("721.5 0 609.6 0 721.5 172.9 0 0 1")
    for number in range(2):
        noise(number).save(folder / f"selection/image/{number:010d}.png")
    return folder


def noise(seed: int, size: tuple[int, int] = IMAGE_SIZE) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size)


def run(place: Path, out: Path, model: str, *inputs: Path, factor: float | None = None) -> Predicted:
    opened = open_inputs(tuple(map(str, inputs or (place / "selection",))), camera=None)
    options = SaveOptions(kinds=("kitti",), metres_per_unit=factor)
    return predict_inputs(str(place / model), opened, out, options, device="cpu", precision="fp32")


@pytest.mark.parametrize(
    ("model", "given", "factor"),
    [("mono", 30.0, 30.0), ("nominal", None, 5.4), ("nominal", 5.6, 5.6), ("calibrated", None, 1.0)],
)
def test_the_files_hold_metres_from_the_disparity_at_the_images_size(
    place: Path, tmp_path: Path, model: str, given: float | None, factor: float
) -> None:
    done = run(place, tmp_path, model, factor=given)
    assert (done.count, done.metres_per_unit) == (2, factor)
    written = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert written == ["kitti/0000000000.png", "kitti/0000000001.png"], "the folder to zip holds nothing else"
    with Image.open(tmp_path / "kitti/0000000001.png") as file:
        assert (file.size, file.mode) == (IMAGE_SIZE, "I;16")
    small = resample(np.asarray(noise(1)), WIDTH, HEIGHT)
    disparity = resize_disparity(done.predictor.predict(small).disparity.astype(np.float64), IMAGE_SIZE[::-1])
    expected = np.clip(factor / disparity, 1e-3, 80)
    np.testing.assert_allclose(read_depth_png(tmp_path / "kitti/0000000001.png"), expected, atol=0.51 / 256, rtol=1e-4)


def test_what_the_server_would_not_accept_is_refused_before_anything_is_written(place: Path, tmp_path: Path) -> None:
    (tmp_path / "mixed").mkdir()
    noise(0).save(tmp_path / "mixed/a.png")
    noise(0, (1242, 375)).save(tmp_path / "mixed/b.png")
    with create_video(tmp_path / "drive.mp4", Fraction(10)) as video:
        video.write(np.asarray(noise(0)))
    for model, inputs, kind, sentence in (
        ("mono", (), ConfigError, "has no unit: .*mono; expected --factor.*--part train"),
        ("nominal", (tmp_path / "mixed",), DataError, "mixed/b.png; expected 1216x352.*got 1242x375"),
        ("nominal", (tmp_path / "drive.mp4",), DataError, r"single images: .*drive\.mp4.*got a video"),
    ):
        with pytest.raises(kind, match=sentence) as refusal:
            run(place, tmp_path / "out", model, *inputs)
        assert "\n" not in str(refusal.value)
    assert not (tmp_path / "out").exists()


def test_depth_maps_may_be_written_again_but_not_beside_other_files(place: Path, tmp_path: Path) -> None:
    run(place, tmp_path, "nominal")
    run(place, tmp_path, "nominal")
    noise(0).save(tmp_path / "kitti/0000000009.png")
    with pytest.raises(OutputError, match=r"holds another file: .*0000000009\.png; remove it"):
        run(place, tmp_path, "nominal")


def test_with_the_scale_that_evaluate_shows_the_files_have_the_errors_of_one_scale(place: Path, tmp_path: Path) -> None:
    name = "2011_09_26/2011_09_26_drive_0001_sync"
    drive = render_drive(DriveSpec(seed=1, frames=2, width=IMAGE_SIZE[0], height=IMAGE_SIZE[1]))
    write_kitti_raw(drive, tmp_path / "kitti", image_format="png")
    (tmp_path / "train_files.txt").write_text("".join(f"{name} {number} l\n" for number in range(2)))
    measured = evaluate_model(
        str(place / "mono"), tmp_path / "kitti", split=tmp_path, options=ComparisonOptions(part="train", one_scale=True)
    ).report
    assert measured.ratio_median is not None
    run(place, tmp_path / "out", "mono", tmp_path / "kitti" / name / "image_02/data", factor=measured.ratio_median)
    submitted = evaluate_predictions(
        tmp_path / "out/kitti",
        tmp_path / "kitti",
        split=tmp_path,
        quantity="depth",
        options=ComparisonOptions(part="train", median_scaling=False),
    ).report
    assert measured.abs_rel > 0.1, "an untrained network"
    for metric in METRICS:
        # The files are rounded to 1/256 m, and the decoded images were resized with another rounding.
        assert getattr(submitted, metric) == pytest.approx(getattr(measured, metric), rel=5e-3)

"""`selfdepth predict --save kitti`: depth maps that KITTI's server for single images takes."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from selfdepth.cli.predict import PredictArgs, predict
from selfdepth.config import TrainConfig
from selfdepth.data.kitti.improved import read_depth_png
from selfdepth.errors import ConfigError, DataError, OutputError, SelfDepthError
from selfdepth.evaluation.depth.metrics import METRICS, resize_disparity
from selfdepth.evaluation.depth.run import ComparisonOptions, evaluate_model, evaluate_predictions
from selfdepth.geometry.camera import resample
from selfdepth.inference.predictor import Predictor
from selfdepth.inference.writers import create_video, write_kitti, write_png16
from selfdepth.networks.depth import DepthNet
from selfdepth.structs import DepthPrediction
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw
from selfdepth.weights.files import WeightsMeta, save_weights

SIZE = (1216, 352)
MODELS: dict[str, dict[str, Any]] = {
    "mono": {"stereo": "none"},
    "nominal": {"stereo": "nominal"},
    "calibrated": {"stereo": "calibrated"},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models with the same weights, and selection/image with two images of the benchmark's size."""
    folder = tmp_path_factory.mktemp("place")
    torch.manual_seed(0)
    state = {f"depth_net.{name}": tensor for name, tensor in DepthNet("resnet18").state_dict().items()}
    for name, changes in MODELS.items():
        config = TrainConfig(width=96, height=64, **changes)
        scale = "metric" if name == "calibrated" else "relative"
        save_weights(folder / name, state, WeightsMeta(config=config, camera=None, scale=scale))
    (folder / "selection/image").mkdir(parents=True)
    (folder / "selection/intrinsics").mkdir()
    (folder / "selection/intrinsics/0000000000.txt").write_text("721.5 0 609.6 0 721.5 172.9 0 0 1")
    for number in range(2):
        image(number).save(folder / f"selection/image/{number:010d}.png")
    return folder


def image(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size)


def run(place: Path, out: Path, model: str, **options: Any) -> None:
    inputs = options.pop("inputs", (str(place / "selection"),))
    arguments = {"save": ("kitti",), "device": "cpu", "precision": "fp32", **options}
    predict(PredictArgs(model=str(place / model), inputs=inputs, out=str(out), **arguments))


@pytest.mark.parametrize(
    ("model", "given", "factor", "said"),
    [
        ("mono", 30.0, 30.0, "80 m, times 30 as given;"),
        ("nominal", None, 5.4, "times 5.4, the model's own"),
        ("nominal", 5.6, 5.6, "times 5.6 as given, not 5.4, the model's own"),
        ("calibrated", None, 1.0, "the model's metres"),
        ("calibrated", 1.1, 1.1, "times 1.1 as given, not 1, the model's own"),
    ],
)
def test_the_files_hold_metres_of_the_disparity_at_the_images_size(
    place: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    model: str,
    given: float | None,
    factor: float,
    said: str,
) -> None:
    run(place, tmp_path, model, factor=given)
    written = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert written == ["kitti/0000000000.png", "kitti/0000000001.png"], "nothing but them is in the folder to be zipped"
    with Image.open(tmp_path / "kitti/0000000001.png") as file:
        assert (file.size, file.mode) == (SIZE, "I;16")
    predictor = Predictor.load(place / model, device="cpu", precision="fp32")
    small = resample(np.asarray(image(1)), 96, 64)
    disparity = resize_disparity(predictor.predict(small).disparity.astype(np.float64), SIZE[::-1])
    expected = np.clip(factor / disparity, 1e-3, 80)
    np.testing.assert_allclose(read_depth_png(tmp_path / "kitti/0000000001.png"), expected, atol=0.51 / 256, rtol=1e-4)
    shown = capsys.readouterr().out
    assert all(words in shown for words in (said, "2 depth maps", str(tmp_path / "kitti"), "expects 500"))


@pytest.mark.parametrize(
    ("metres", "stored"),
    [(0.5, 128), (80.0, 20480), (80.1, 20480), (1e6, 20480), (79.999, 20480), (10.001, 2560), (1e-4, 1), (1e-3, 1)],
)
def test_depths_are_rounded_kept_under_80_m_and_never_none(tmp_path: Path, metres: float, stored: int) -> None:
    depth = np.full((3, 4), metres, np.float32)
    write_kitti(tmp_path / "a.png", DepthPrediction(depth=depth, disparity=1 / depth, scale="metric", camera=None))
    assert (read_depth_png(tmp_path / "a.png") == stored / 256).all()


def test_the_benchmarks_file_is_png16_with_a_bound(tmp_path: Path) -> None:
    depth = np.geomspace(0.1, 500, 60, dtype=np.float32).reshape(5, 12)
    prediction = DepthPrediction(depth=depth, disparity=1 / depth, scale="metric", camera=None)
    write_png16(tmp_path / "plain.png", prediction)
    write_kitti(tmp_path / "kitti.png", prediction)
    bounded, plain = read_depth_png(tmp_path / "kitti.png"), read_depth_png(tmp_path / "plain.png")
    assert np.array_equal(bounded, np.minimum(plain, 80))
    assert bounded.max() == 80 < plain.max()


def test_a_prediction_in_metres_is_the_same_shape_larger(tmp_path: Path) -> None:
    depth = np.array([[1.0, 2.0], [4.0, 8.0]], np.float32)
    metres = DepthPrediction(depth=depth, disparity=1 / depth, scale="relative", camera=None).in_metres(5.5)
    assert (metres.depth == 5.5 * depth).all()
    np.testing.assert_allclose(metres.depth * metres.disparity, 1, rtol=1e-6)
    assert metres.scale == "metric"


REFUSED: list[tuple[dict[str, Any], type[SelfDepthError], str]] = [
    ({"model": "mono"}, ConfigError, "has no unit: .*mono; expected --factor.*--part train"),
    ({"inputs": ("small.png",)}, DataError, "not of the benchmark's size: small.png; expected 1216x352.*got 100x40"),
    ({"inputs": ("selection/image", "other")}, DataError, "one flat folder.*got image, other"),
    ({"inputs": ("mixed",)}, DataError, "mixed/b.png; expected 1216x352.*got 1242x375"),
    ({"inputs": ("twice",)}, DataError, "two images would have the same depth map: twice/a"),
    ({"factor": 0.0}, ConfigError, "out of range: --factor"),
    ({"factor": float("nan")}, ConfigError, "out of range: --factor"),
    ({"factor": 2.0, "save": ("color",)}, ConfigError, "--factor applies only to KITTI's benchmark.*--save kitti"),
]


@pytest.mark.parametrize(("options", "kind", "sentence"), REFUSED)
def test_what_the_server_would_not_take_is_refused_before_anything_is_written(
    place: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], kind: type[SelfDepthError], sentence: str
) -> None:
    monkeypatch.chdir(place)
    image(0, (100, 40)).save("small.png")
    for name, size in (("other/c.png", SIZE), ("mixed/a.png", SIZE), ("mixed/b.png", (1242, 375))):
        Path(name).parent.mkdir(exist_ok=True)
        image(0, size).save(name)
    Path("twice").mkdir(exist_ok=True)
    for ending in ("png", "jpg"):
        image(0).save(f"twice/a.{ending}")
    with pytest.raises(kind, match=sentence) as refusal:
        run(place, place / "out", **{"model": "nominal", **options})
    assert "\n" not in str(refusal.value)
    assert not (place / "out").exists()


def test_a_folder_with_other_files_is_not_added_to(place: Path, tmp_path: Path) -> None:
    run(place, tmp_path, "nominal")
    run(place, tmp_path, "nominal")
    image(0).save(tmp_path / "kitti/0000000009.png")
    with pytest.raises(OutputError, match=r"holds something else: .*0000000009\.png; remove it"):
        run(place, tmp_path, "nominal")


def test_a_video_is_no_input_of_the_benchmark(place: Path, tmp_path: Path) -> None:
    with create_video(tmp_path / "drive.mp4", Fraction(10)) as video:
        video.write(np.asarray(image(0)))
    with pytest.raises(DataError, match=r"single images: .*drive\.mp4.*got a video"):
        run(place, tmp_path / "out", "nominal", inputs=(str(tmp_path / "drive.mp4"),))


def test_the_scale_that_evaluate_shows_makes_what_one_scale_measures(place: Path, tmp_path: Path) -> None:
    name = "2011_09_26/2011_09_26_drive_0001_sync"
    drive = render_drive(DriveSpec(seed=1, frames=3, width=SIZE[0], height=SIZE[1]))
    write_kitti_raw(drive, tmp_path / "kitti", image_format="png")
    (tmp_path / "train_files.txt").write_text("".join(f"{name} {number} l\n" for number in range(3)))
    measured = evaluate_model(
        str(place / "mono"), tmp_path / "kitti", split=tmp_path, options=ComparisonOptions(part="train", one_scale=True)
    ).report
    assert measured.ratio_median is not None
    images = str(tmp_path / "kitti" / name / "image_02/data")
    run(place, tmp_path / "out", "mono", inputs=(images,), factor=measured.ratio_median)
    written = evaluate_predictions(
        tmp_path / "out/kitti",
        tmp_path / "kitti",
        split=tmp_path,
        quantity="depth",
        options=ComparisonOptions(part="train", median_scaling=False),
    ).report
    assert measured.abs_rel > 0.1, "a network that has learned nothing"
    for metric in METRICS:
        # Rounded to 1/256 m, and another filter's rounding of the image the network saw.
        assert getattr(written, metric) == pytest.approx(getattr(measured, metric), rel=5e-3)

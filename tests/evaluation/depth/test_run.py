"""Models, given predictions and files against ground truth."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray
from PIL import Image

from helpers.depth_world import DATE, DRIVE, HEIGHT, N_FRAMES, SEQUENCE, TEST, WIDTH, World, write_improved, write_split
from selfdepth.cli.main import main
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.store.build import build_store
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.evaluation.depth.compare import ComparisonOptions, DepthEvaluation
from selfdepth.evaluation.depth.metrics import METRICS, PROTOCOLS, evaluate_set
from selfdepth.evaluation.depth.run import evaluate_files, evaluate_model, evaluate_predictions
from selfdepth.geometry.crop import Crop
from selfdepth.inference.predictor import Predictor
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw

IMAGES = Path(SEQUENCE) / "data"


# A model


def evaluated(world: World, **options: object) -> DepthEvaluation:
    """The model on the test frames."""
    return evaluate_model(str(world.model), world.root, split=world.split, device="cpu", **options)  # type: ignore[arg-type]


def test_a_model_is_evaluated_on_the_test_frames_at_its_own_size(world: World) -> None:
    done = evaluated(world, batch_size=2)
    assert done.frames == "test frames"
    assert [image.name.split()[-1] for image in done.report.images] == [str(number) for number in TEST]
    predictor = Predictor.load(world.model, device="cpu", precision="fp32")
    files = [world.root / IMAGES / f"{number:010d}.png" for number in TEST]
    small = [Image.open(file).resize((96, 64), Image.Resampling.LANCZOS) for file in files]
    disparities = [predictor.predict(image).disparity for image in small]
    by_hand = evaluate_set(disparities, world.truths(), PROTOCOLS["eigen"])
    assert done.report.abs_rel == pytest.approx(by_hand.abs_rel, rel=1e-5)
    assert done.report.ratio_median == pytest.approx(by_hand.ratio_median, rel=1e-5)


def test_a_model_is_evaluated_on_at_most_so_many_frames(world: World) -> None:
    whole, some = evaluated(world), evaluated(world, options=ComparisonOptions(at_most=2))
    assert some.report.images == (whole.report.images[0], whole.report.images[2])


def test_frames_without_a_scan_are_left_out_and_counted(world: World, tmp_path: Path) -> None:
    split = write_split(tmp_path, test=(0, 1, 2, 3))
    report = evaluate_model(str(world.model), world.root, split=split, device="cpu").report
    assert (len(report.images), report.skipped) == (2, 2)


@pytest.mark.parametrize("model", ["model", "cropped_model"])
def test_measured_and_written_ground_truth_give_the_same_errors(world: World, tmp_path: Path, model: str) -> None:
    np.savez_compressed(tmp_path / "gt.npz", data=np.stack(world.truths()).astype(np.float32))
    name = str(getattr(world, model))
    measured = evaluate_model(name, world.root, split=world.split, device="cpu")
    written = evaluate_model(name, world.root, split=world.split, ground_truth=tmp_path / "gt.npz", device="cpu")
    for metric in ("abs_rel", "rmse", "a1", "ratio_median"):
        assert getattr(written.report, metric) == pytest.approx(getattr(measured.report, metric), rel=1e-5)
    assert written.constant_m == pytest.approx(measured.constant_m, rel=1e-5)


def test_a_model_of_cropped_frames_is_compared_inside_its_crop(world: World) -> None:
    done = evaluate_model(str(world.cropped_model), world.root, split=world.split, device="cpu")
    inside = [truth[8:-4, 16:] for truth in world.truths()]
    pixels = [int(PROTOCOLS["eigen"].mask(truth).sum()) for truth in inside]
    assert [image.pixels for image in done.report.images] == pixels


def test_a_store_gives_the_same_errors_as_the_data_that_it_was_made_from(world: World, tmp_path: Path) -> None:
    split = write_split(tmp_path / "split", test=TEST)
    footage = recognise(world.root).footage(split=str(split))
    store = build_store(footage, tmp_path / "store", width=96, height=64, crop=Crop(top=8, bottom=4, left=16))
    from_store = evaluate_model(str(world.cropped_model), store.folder, device="cpu")
    from_source = evaluate_model(str(world.cropped_model), world.root, split=split, device="cpu")
    assert from_store.report == from_source.report
    with pytest.raises(DataError, match="the store does not fit the model"):
        evaluate_model(str(world.model), store.folder, device="cpu")


def test_a_store_whose_root_is_gone_has_no_ground_truth_and_says_why(world: World, tmp_path: Path) -> None:
    root = shutil.copytree(world.root, tmp_path / "kitti")
    store = build_store(recognise(root).footage(split=None), tmp_path / "store", width=96, height=64)
    shutil.rmtree(root)
    with (
        pytest.warns(SelfDepthWarning, match="which no longer exists"),
        pytest.raises(DataError, match="no ground truth"),
    ):
        evaluate_model(str(world.model), store.folder, device="cpu")


def test_the_flipped_prediction_is_blended_in_on_request(world: World) -> None:
    once, twice = evaluated(world), evaluated(world, post_process=True)
    assert once.report.abs_rel != twice.report.abs_rel
    assert once.baseline == twice.baseline


def test_data_that_cannot_be_evaluated_is_refused(world: World, tmp_path: Path) -> None:
    images = tmp_path / "images"
    shutil.copytree(world.root / IMAGES, images)
    np.save(tmp_path / "two.npy", np.ones((2, HEIGHT, WIDTH)))
    np.save(tmp_path / "small.npy", np.ones((3, HEIGHT // 2, WIDTH // 2)))
    kitti = {"data": world.root, "split": world.split}
    cases: list[tuple[Path, dict[str, Path], str]] = [
        (world.model, {"data": tmp_path / "gone"}, "no such data"),
        (world.model, {"data": images}, "no ground truth"),
        (world.model, {"data": images, "split": world.split}, "KITTI only"),
        (world.model, {"data": world.root, "split": tmp_path / "gone"}, "no such split"),
        (world.model, {**kitti, "ground_truth": tmp_path / "two.npy"}, "expected 3.*got 2"),
        (world.cropped_model, {**kitti, "ground_truth": tmp_path / "small.npy"}, "cropped with"),
    ]
    for model, places, sentence in cases:
        with pytest.raises(DataError, match=sentence):
            evaluate_model(str(model), device="cpu", **places)  # type: ignore[arg-type]


def test_kitti_of_another_size_or_without_calibration_is_evaluated_with_ground_truth_from_a_file(
    world: World, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(world.root, tmp_path / "kitti"))
    for path in (root / DATE / DRIVE).glob("image_0?/data/*"):
        Image.open(path).resize((WIDTH // 2, HEIGHT // 2)).save(path)
    for file in (root / DATE).glob("calib_*.txt"):
        file.unlink()
    np.save(tmp_path / "gt.npy", np.full((len(TEST), HEIGHT, WIDTH), 5.0))
    done = evaluate_model(str(world.model), root, split=world.split, ground_truth=tmp_path / "gt.npy", device="cpu")
    assert (done.frames, len(done.report.images)) == ("test frames", len(TEST))


def test_own_images_are_evaluated_with_ground_truth_from_a_file(world: World, tmp_path: Path) -> None:
    images = tmp_path / "images"
    shutil.copytree(world.root / IMAGES, images)
    np.save(tmp_path / "gt.npy", np.full((N_FRAMES, HEIGHT, WIDTH), 5.0))
    options = ComparisonOptions(protocol="dense")
    done = evaluate_model(str(world.model), images, ground_truth=tmp_path / "gt.npy", options=options, device="cpu")
    assert (done.frames, len(done.report.images), done.constant_m) == ("all frames", N_FRAMES, 5.0)
    assert done.baseline.abs_rel == 0


def test_real_scans_and_their_published_depth_maps_give_the_same_errors(shared: Path, world: World) -> None:
    root, split = shared / "kitti-mini/kitti_raw", shared / "kitti-mini/splits/mini"
    measured = evaluate_model(str(world.model), root, split=split, device="cpu")
    written = evaluate_model(str(world.model), root, split=split, ground_truth=split / "gt_depths.npz", device="cpu")
    assert len(measured.report.images) == 4
    for metric in (*METRICS, "ratio_median"):
        assert getattr(written.report, metric) == pytest.approx(getattr(measured.report, metric), rel=1e-6)


# Given predictions


@pytest.fixture
def predictions(world: World, tmp_path: Path) -> Path:
    """A file with a prediction for each test frame."""
    np.save(tmp_path / "all.npy", world.predictions)
    return tmp_path / "all.npy"


def test_predictions_are_compared_with_the_ground_truth_of_their_frames(world: World, predictions: Path) -> None:
    done = evaluate_predictions(predictions, world.root, split=world.split)
    expected = evaluate_set(world.predictions, world.truths(), PROTOCOLS["eigen"])
    assert [image.name.split()[-1] for image in done.report.images] == [str(number) for number in TEST]
    assert done.report.abs_rel == pytest.approx(expected.abs_rel, rel=1e-9)


def test_predictions_with_swapped_axes_are_refused(world: World, tmp_path: Path) -> None:
    np.save(tmp_path / "swapped.npy", world.predictions.transpose(0, 2, 1))
    with pytest.raises(DataError, match=f"cannot be of the same image: .*swapped.npy, {SEQUENCE} 4"):
        evaluate_predictions(tmp_path / "swapped.npy", world.root, split=world.split)


def test_caps_bound_what_counts_and_where_predictions_go(world: World, predictions: Path) -> None:
    options = ComparisonOptions(min_depth=5.0, max_depth=20.0)
    done = evaluate_predictions(predictions, world.root, split=world.split, options=options)
    capped = options.protocol_on("eigen")
    assert done.report.protocol == capped
    expected = evaluate_set(world.predictions, world.truths(), capped)
    assert done.report.abs_rel == expected.abs_rel
    assert expected.abs_rel < evaluate_set(world.predictions, world.truths(), PROTOCOLS["eigen"]).abs_rel


def test_the_split_eigen_benchmark_has_its_protocol_wherever_the_ground_truth_is_from(
    world: World, predictions: Path, tmp_path: Path
) -> None:
    split = write_split(tmp_path / "eigen_benchmark", test=TEST)
    truth = tmp_path / "gt.npy"
    np.save(truth, np.random.default_rng(2).uniform(2, 50, (len(TEST), HEIGHT, WIDTH)))

    def protocol(split: Path, requested: str | None = None) -> str:
        options = ComparisonOptions(protocol=requested)
        done = evaluate_predictions(predictions, world.root, split=split, ground_truth=truth, options=options)
        return done.report.protocol.name

    assert protocol(split) == "eigen_benchmark"
    assert protocol(split, "eigen") == "eigen"
    assert protocol(world.split) == "eigen"


@pytest.mark.parametrize("part", ["", "train", "data_depth_annotated/val"])
def test_the_improved_ground_truth_is_found_where_its_archives_put_it(
    world: World, predictions: Path, tmp_path: Path, part: str
) -> None:
    metres = write_improved(tmp_path / "gt" / part, (0, 2))
    done = evaluate_predictions(predictions, world.root, split=world.split, ground_truth=tmp_path / "gt")
    expected = evaluate_set(world.predictions, [None, metres[0], metres[2]], PROTOCOLS["eigen_benchmark"])
    assert done.report.protocol.name == "eigen_benchmark"
    assert (done.report.abs_rel, done.report.skipped) == (pytest.approx(expected.abs_rel, rel=1e-9), 1)


def test_the_split_eigen_benchmark_takes_the_improved_ground_truth_beside_the_images(tmp_path: Path) -> None:
    drive = render_drive(DriveSpec(seed=1, frames=3, width=WIDTH, height=HEIGHT))
    write_kitti_raw(drive, tmp_path / "kitti")
    split = write_split(tmp_path / "eigen_benchmark", test=(1,))
    np.save(tmp_path / "one.npy", np.ones((1, 12, 24)))
    with pytest.raises(DataError, match=r"no ground truth.*proj_depth/groundtruth.*--ground-truth"):
        evaluate_predictions(tmp_path / "one.npy", tmp_path / "kitti", split=split)
    metres = write_improved(tmp_path / "kitti" / DATE, (1,))
    done = evaluate_predictions(tmp_path / "one.npy", tmp_path / "kitti", split=split)
    expected = evaluate_set([np.ones((2, 2))], [metres[1]], PROTOCOLS["eigen_benchmark"])
    assert done.report.abs_rel == pytest.approx(expected.abs_rel, rel=1e-9)
    scans = evaluate_predictions(
        tmp_path / "one.npy", tmp_path / "kitti", split=split, options=ComparisonOptions(protocol="eigen")
    )
    assert scans.report.abs_rel != done.report.abs_rel


def test_the_verb_takes_predictions_and_caches_no_map_unless_a_folder_is_named(
    world: World, predictions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(world.root.rglob("*"))
    words = ["evaluate", "depth", "--predictions", str(predictions), "--data", str(world.root)]
    words += ["--split", str(world.split), "--one-scale", "--max-depth", "50"]
    assert main(words) == 0
    assert [path.name for path in tmp_path.iterdir()] == [predictions.name]
    cache = ["--truth-cache", str(tmp_path / "cache"), "--json", str(tmp_path / "depth.json")]
    assert main([*words, *cache]) == 0
    assert main([*words, *cache]) == 0
    assert len(list((tmp_path / "cache").rglob("*.npz"))) == len(TEST)
    assert sorted(world.root.rglob("*")) == before
    values = json.loads((tmp_path / "depth.json").read_text())
    assert (values["scaling"], len(values["images"]), values["protocol"]["max_truth"]) == ("set", len(TEST), 50)
    assert "eigen, to 50 m, all images at one scale, that median" in capsys.readouterr().out


def test_ground_truth_from_a_file_is_not_cached(world: World, predictions: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "gt.npy", np.ones((3, HEIGHT, WIDTH)))
    options = ComparisonOptions(truth_cache=tmp_path / "cache")
    with pytest.raises(
        DataError, match=r"no computed depth maps to cache: --truth-cache .*got ground truth from a file"
    ):
        evaluate_predictions(
            predictions, world.root, split=world.split, ground_truth=tmp_path / "gt.npy", options=options
        )


# Files against files


@pytest.fixture
def maps() -> tuple[ndarray, ndarray]:
    """Disparities (4, 10, 20), and ground truth (4, 20, 40) with gaps that is a third of their inverse."""
    rng = np.random.default_rng(0)
    depth = rng.uniform(2, 60, (4, 20, 40)).astype(np.float32)
    disparity = 3 / depth.reshape(4, 10, 2, 20, 2).mean(axis=(2, 4))
    return disparity, np.where(rng.random(depth.shape) < 0.5, depth, 0)


def test_disparities_and_depths_in_files_give_the_same_errors(maps: tuple[ndarray, ndarray], tmp_path: Path) -> None:
    disparity, truth = maps
    np.save(tmp_path / "disparity.npy", disparity)
    np.savez(tmp_path / "depth.npz", depth=1 / disparity, K=np.eye(3))
    np.savez(tmp_path / "gt.npz", data=truth)
    expected = evaluate_set(disparity, truth, PROTOCOLS["dense"], factor=2.0)
    options = ComparisonOptions(protocol="dense", factor=2.0)
    for name, quantity in (("disparity.npy", "disparity"), ("depth.npz", "depth")):
        done = evaluate_files(tmp_path / name, tmp_path / "gt.npz", quantity=quantity, options=options)  # type: ignore[arg-type]
        assert done.report.abs_rel == pytest.approx(expected.abs_rel, rel=1e-5)
        assert done.report.ratio_median == pytest.approx(expected.ratio_median, rel=1e-5)


def test_a_folder_is_compared_with_a_file_of_ground_truth_in_natural_order(tmp_path: Path) -> None:
    disparities = np.random.default_rng(3).uniform(0.02, 0.5, (12, 6, 8))
    (tmp_path / "each").mkdir()
    for index, disparity in enumerate(disparities):
        np.save(tmp_path / "each" / f"frame{index}.npy", disparity)
    np.save(tmp_path / "all.npy", disparities)
    np.save(tmp_path / "gt.npy", np.random.default_rng(2).uniform(2, 50, (12, 24, 32)))
    each, whole = (evaluate_files(tmp_path / name, tmp_path / "gt.npy").report for name in ("each", "all.npy"))
    assert each.abs_rel == whole.abs_rel
    assert [image.name for image in each.images] == [f"frame{index}" for index in range(12)]


Change = Callable[[ndarray, ndarray], tuple[ndarray, ndarray]]
UNFIT: dict[str, tuple[Change, str]] = {
    "one prediction too few": (lambda d, t: (d[1:], t), "expected 4 predictions; got 3"),
    "axes swapped": (lambda d, t: (d.transpose(0, 2, 1), t), "image 0; expected about the aspect of 10x20; got.*40x20"),
    "ground truth out of range": (lambda d, t: (d, t + 100), "no image could be compared"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_files_that_do_not_belong_together_are_refused(
    name: str, maps: tuple[ndarray, ndarray], tmp_path: Path
) -> None:
    change, sentence = UNFIT[name]
    predicted, truth = change(*maps)
    np.save(tmp_path / "predictions.npy", predicted)
    np.savez(tmp_path / "gt.npz", data=truth)
    with pytest.raises(DataError, match=sentence):
        evaluate_files(tmp_path / "predictions.npy", tmp_path / "gt.npz", options=ComparisonOptions(protocol="dense"))

"""Models and files of predictions against ground truth."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy import ndarray
from PIL import Image

from selfdepth.config import TrainConfig
from selfdepth.data.frames import FrameRef
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.store.build import build_store
from selfdepth.data.truth import GivenTruth
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.evaluation.depth.arrays import read_maps, read_predictions
from selfdepth.evaluation.depth.frames import cropped_truth, frames_to_evaluate
from selfdepth.evaluation.depth.metrics import PROTOCOLS, evaluate_set
from selfdepth.evaluation.depth.run import ComparisonOptions, evaluate_files, evaluate_model
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.crop import Crop
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.inference.predictor import Predictor
from selfdepth.networks.depth import DepthNet
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw
from selfdepth.weights.files import WeightsMeta, save_weights

NAME = "2011_09_26/2011_09_26_drive_0001_sync"
N_FRAMES, WIDTH, HEIGHT = 5, 128, 64
TEST = (0, 2, 4)


@dataclass(frozen=True, kw_only=True)
class World:
    """A rendered KITTI root whose frames 0, 2, 4 have scans and are the split's test frames, and two models."""

    root: Path
    split: Path
    model: Path
    cropped: Path


def save_model(folder: Path, state: dict[str, torch.Tensor], crop: str | None) -> Path:
    config = TrainConfig(width=96, height=64, crop=crop)
    save_weights(folder, state, WeightsMeta(config=config, camera=None, scale="relative"))
    return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    drive = render_drive(DriveSpec(seed=1, frames=N_FRAMES, width=WIDTH, height=HEIGHT))
    write_kitti_raw(drive, folder / "kitti", scan_every=2, image_format="png")
    (folder / "split").mkdir()
    (folder / "split/test_files.txt").write_text("".join(f"{NAME} {n:010d} l\n" for n in TEST))
    (folder / "split/val_files.txt").write_text(f"{NAME} 1 l\n")
    (folder / "split/train_files.txt").write_text(f"{NAME} 400 l\n")
    torch.manual_seed(0)
    state = {f"depth_net.{name}": tensor for name, tensor in DepthNet("resnet18").state_dict().items()}
    return World(
        root=folder / "kitti",
        split=folder / "split",
        model=save_model(folder / "model", state, None),
        cropped=save_model(folder / "cropped", state, "8,4,16,0"),
    )


def truths_of(world: World) -> list[ndarray]:
    footage = recognise(world.root).footage(camera=None)
    refs = [ref for ref in (*footage.train, *footage.val)]
    found = [footage.truth(replace(refs[0], number=number)) for number in TEST]
    return [truth for truth in found if truth is not None]


def test_a_model_is_judged_on_the_test_frames_at_its_own_size(world: World) -> None:
    done = evaluate_model(str(world.model), world.root, split=world.split, device="cpu", batch_size=2)
    assert (done.frames, [image.name[-2:] for image in done.report.images]) == ("test frames", [" 0", " 2", " 4"])
    predictor = Predictor.load(world.model, device="cpu", precision="fp32")
    folder = world.root / NAME / "image_02/data"
    small = [Image.open(folder / f"{n:010d}.png").resize((96, 64), Image.Resampling.LANCZOS) for n in TEST]
    by_hand = evaluate_set(
        [predictor.predict(image).disparity for image in small], truths_of(world), PROTOCOLS["eigen"]
    )
    assert done.report.abs_rel == pytest.approx(by_hand.abs_rel, rel=1e-5)
    assert done.report.ratio_median == pytest.approx(by_hand.ratio_median, rel=1e-5)


def test_images_of_other_parts_of_the_split_need_not_be_there(world: World) -> None:
    assert "400" in (world.split / "train_files.txt").read_text()
    fit = CropResize(width=96, height=64)
    assert [ref.number for ref in frames_to_evaluate(world.root, world.split, fit).refs] == list(TEST)


@pytest.mark.parametrize(("kept", "part", "numbers"), [("val", "validation frames", [1]), ("train", "training", [3])])
def test_without_test_frames_the_next_part_is_judged_and_said(
    world: World, tmp_path: Path, kept: str, part: str, numbers: list[int]
) -> None:
    (tmp_path / f"{kept}_files.txt").write_text("".join(f"{NAME} {n} l\n" for n in numbers))
    (tmp_path / "test_files.txt").write_text("\n")
    frames = frames_to_evaluate(world.root, tmp_path, CropResize(width=96, height=64))
    assert [ref.number for ref in frames.refs] == numbers
    assert part in frames.part


@pytest.mark.parametrize(("part", "numbers"), [("val", [1]), ("train", [0, 3, 4])])
def test_the_part_that_is_asked_for_is_judged(world: World, tmp_path: Path, part: str, numbers: list[int]) -> None:
    for name, listed in (("test", [2]), ("val", [1]), ("train", [0, 3, 4])):
        (tmp_path / f"{name}_files.txt").write_text("".join(f"{NAME} {n} l\n" for n in listed))
    assert [ref.number for ref in frames_to_evaluate(world.root, tmp_path, None, part=part).refs] == numbers
    assert [ref.number for ref in frames_to_evaluate(world.root, tmp_path, None).refs] == [2]


def test_a_part_of_a_store_or_of_kitti_without_a_split_is_that_of_training(world: World, tmp_path: Path) -> None:
    footage = recognise(world.root).footage()
    build_store(footage, tmp_path / "store", width=96, height=64)
    fit = CropResize(width=96, height=64)
    for data in (world.root, tmp_path / "store"):
        assert frames_to_evaluate(data, None, fit, part="train").refs == footage.train != ()
        with pytest.raises(DataError, match=f"no test frames to evaluate: {data}"):
            frames_to_evaluate(data, None, fit, part="test")


def test_a_part_that_a_split_lacks_is_refused(world: World, tmp_path: Path) -> None:
    (tmp_path / "test_files.txt").write_text(f"{NAME} 2 l\n")
    with pytest.raises(DataError, match="train"):
        frames_to_evaluate(world.root, tmp_path, None, part="train")


@pytest.mark.parametrize(
    ("count", "rows"), [(1, [0]), (2, [0, 9]), (4, [0, 3, 6, 9]), (10, range(10)), (99, range(10))]
)
def test_some_of_the_frames_are_spread_evenly(world: World, tmp_path: Path, count: int, rows: list[int]) -> None:
    frames = frames_to_evaluate(world.root, world.split, None)
    refs = tuple(replace(frames.refs[0], number=number) for number in range(10))
    frames = replace(frames, selection=replace(frames.selection, refs=refs))
    assert [ref.number for ref in frames.evenly(count).refs] == list(rows)


def test_a_model_is_judged_on_no_more_frames_than_asked_for(world: World) -> None:
    whole = evaluate_model(str(world.model), world.root, split=world.split, device="cpu")
    some = evaluate_model(
        str(world.model), world.root, split=world.split, device="cpu", options=ComparisonOptions(at_most=2)
    )
    assert some.report.images == (whole.report.images[0], whole.report.images[2])


def test_frames_without_a_scan_are_left_out_and_counted(world: World, tmp_path: Path) -> None:
    (tmp_path / "test_files.txt").write_text("".join(f"{NAME} {n} l\n" for n in (0, 1, 2, 3)))
    report = evaluate_model(str(world.model), world.root, split=tmp_path, device="cpu").report
    assert (len(report.images), report.skipped) == (2, 2)


@pytest.mark.parametrize("model", ["model", "cropped"])
def test_measured_and_written_ground_truth_give_the_same_errors(world: World, tmp_path: Path, model: str) -> None:
    np.savez_compressed(tmp_path / "gt.npz", data=np.stack(truths_of(world)).astype(np.float32))
    name = str(getattr(world, model))
    measured = evaluate_model(name, world.root, split=world.split, device="cpu")
    written = evaluate_model(name, world.root, split=world.split, ground_truth=tmp_path / "gt.npz", device="cpu")
    for metric in ("abs_rel", "rmse", "a1", "ratio_median"):
        assert getattr(written.report, metric) == pytest.approx(getattr(measured.report, metric), rel=1e-5)
    assert written.constant_m == pytest.approx(measured.constant_m, rel=1e-5)


def test_a_model_of_cropped_frames_sees_and_is_compared_with_what_is_left(world: World) -> None:
    done = evaluate_model(str(world.cropped), world.root, split=world.split, device="cpu")
    inside = [truth[8:-4, 16:] for truth in truths_of(world)]
    protocol = PROTOCOLS["eigen"]
    assert [image.pixels for image in done.report.images] == [int(protocol.mask(truth).sum()) for truth in inside]
    frames = frames_to_evaluate(
        world.root, world.split, CropResize(width=96, height=64, crop=Crop(top=8, bottom=4, left=16))
    )
    image = Image.open(world.root / NAME / "image_02/data/0000000000.png")
    seen = image.crop((16, 8, WIDTH, HEIGHT - 4)).resize((96, 64), Image.Resampling.LANCZOS)
    assert np.abs(next(frames.read(frames.refs[:1])).astype(int) - np.asarray(seen)).max() <= 1


def test_a_store_gives_the_same_errors_as_what_it_was_made_of(world: World, tmp_path: Path) -> None:
    split = tmp_path / "split"
    split.mkdir()
    shutil.copy(world.split / "test_files.txt", split)
    footage = recognise(world.root).footage(split=str(split))
    store = build_store(footage, tmp_path / "store", width=96, height=64, crop=Crop(top=8, bottom=4, left=16))
    from_store = evaluate_model(str(world.cropped), store.folder, device="cpu")
    from_source = evaluate_model(str(world.cropped), world.root, split=split, device="cpu")
    assert from_store.report == from_source.report
    with pytest.raises(DataError, match="the store does not fit the model"):
        evaluate_model(str(world.model), store.folder, device="cpu")


def test_a_store_whose_root_is_gone_has_no_ground_truth_and_says_why(world: World, tmp_path: Path) -> None:
    root = shutil.copytree(world.root, tmp_path / "kitti")
    footage = recognise(root).footage(split=None)
    store = build_store(footage, tmp_path / "store", width=96, height=64)
    shutil.rmtree(root)
    with (
        pytest.warns(SelfDepthWarning, match="which no longer exists"),
        pytest.raises(DataError, match="no ground truth"),
    ):
        evaluate_model(str(world.model), store.folder, device="cpu")


def test_the_flipped_prediction_is_blended_in_where_asked(world: World) -> None:
    once = evaluate_model(str(world.model), world.root, split=world.split, device="cpu")
    twice = evaluate_model(str(world.model), world.root, split=world.split, device="cpu", post_process=True)
    assert once.report.abs_rel != twice.report.abs_rel
    assert once.baseline == twice.baseline


def test_the_baseline_is_the_best_constant_under_the_protocol(world: World) -> None:
    done = evaluate_model(str(world.model), world.root, split=world.split, device="cpu")
    truths = truths_of(world)

    def abs_rel(depth_m: float) -> float:
        constant = np.full((2, 2), 1 / depth_m)
        return evaluate_set([constant] * 3, truths, PROTOCOLS["eigen"], median_scaling=False).abs_rel

    assert done.baseline.abs_rel == pytest.approx(abs_rel(done.constant_m))
    assert done.baseline.abs_rel <= min(abs_rel(done.constant_m * 0.95), abs_rel(done.constant_m * 1.05))


@pytest.fixture
def maps() -> tuple[ndarray, ndarray]:
    """Disparities (4, 10, 20) and the ground truth (4, 20, 40) that they are a third of, holes left out."""
    rng = np.random.default_rng(0)
    depth = rng.uniform(2, 60, (4, 20, 40)).astype(np.float32)
    disparity = 3 / depth.reshape(4, 10, 2, 20, 2).mean(axis=(2, 4))
    return disparity, np.where(rng.random(depth.shape) < 0.5, depth, 0)


def test_disparities_and_depths_in_files_give_the_same_errors(maps: tuple[ndarray, ndarray], tmp_path: Path) -> None:
    disparity, truth = maps
    np.save(tmp_path / "disparity.npy", disparity)
    np.savez(tmp_path / "depth.npz", depth=1 / disparity, K=np.eye(3))
    np.savez(tmp_path / "each.npz", *disparity)
    np.savez(tmp_path / "gt.npz", data=truth)
    expected = evaluate_set(disparity, truth, PROTOCOLS["dense"], factor=2.0)
    measure = ComparisonOptions(protocol="dense", factor=2.0)
    for name, quantity in (("disparity.npy", "disparity"), ("depth.npz", "depth"), ("each.npz", "disparity")):
        done = evaluate_files(tmp_path / name, tmp_path / "gt.npz", quantity=quantity, options=measure)  # type: ignore[arg-type]
        assert done.report.abs_rel == pytest.approx(expected.abs_rel, rel=1e-5)
        assert done.report.ratio_median == pytest.approx(expected.ratio_median, rel=1e-5)


def test_images_of_different_sizes_are_read_from_one_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "maps.npz", np.ones((4, 6)), np.ones((5, 7)))
    assert [one.shape for one in read_maps(tmp_path / "maps.npz")] == [(4, 6), (5, 7)]


def spoilt(array: ndarray, value: float) -> ndarray:
    array = array.copy()
    array[1, 2, 3] = value
    return array


Spoil = Callable[[ndarray, ndarray], tuple[ndarray, ndarray]]
BAD: dict[str, tuple[Spoil, str]] = {
    "NaN": (lambda d, t: (spoilt(d, np.nan), t), "cannot be a disparity.*image 1, row 2, column 3.*got nan"),
    "zero": (lambda d, t: (spoilt(d, 0), t), "image 1, row 2, column 3.*got 0, and 0 more"),
    "negative": (lambda d, t: (spoilt(d, -1), t), "positive, finite numbers; got -1"),
    "infinite": (lambda d, t: (spoilt(d, np.inf), t), "got inf"),
    "one too few": (lambda d, t: (d[1:], t), "expected 4 predictions; got 3"),
    "axes swapped": (lambda d, t: (d.transpose(0, 2, 1), t), "image 0; expected about the aspect of 10x20; got.*40x20"),
    "no array of maps": (lambda d, t: (d[0, 0], t), r"does not hold maps.*shape \(20,\)"),
    "text": (lambda d, t: (np.array([["a"]]), t), "does not hold maps.*type"),
    "objects": (lambda d, t: (np.array([d[0], None], dtype=object), t), "Python objects, which are not read"),
    "empty": (lambda d, t: (d[:0], t), "does not hold maps"),
    "truth of zeros": (lambda d, t: (d, 0 * t), "no ground truth.*zeros only"),
    "negative truth": (lambda d, t: (d, spoilt(t, -2)), "ground truth cannot be depth.*image 1.*got -2"),
    "NaN truth": (lambda d, t: (d, spoilt(t, np.nan)), "ground truth cannot be depth"),
    "truth out of range": (lambda d, t: (d, t + 100), "no image could be compared"),
}


@pytest.mark.parametrize("name", BAD)
def test_files_that_cannot_be_compared_are_refused(name: str, maps: tuple[ndarray, ndarray], tmp_path: Path) -> None:
    spoil, sentence = BAD[name]
    predictions, truth = spoil(*maps)
    np.save(tmp_path / "predictions.npy", predictions, allow_pickle=True)
    np.savez(tmp_path / "gt.npz", data=truth)
    with pytest.raises(DataError, match=sentence):
        evaluate_files(tmp_path / "predictions.npy", tmp_path / "gt.npz", options=ComparisonOptions(protocol="dense"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "no such file"),
        (b"", "cannot be read"),
        (b"no numbers", "cannot be read"),
        (b"PK\x03\x04cut", "cannot be"),
    ],
)
def test_files_that_are_no_arrays_are_refused(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    path = tmp_path / "maps.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=sentence) as refused:
        read_predictions(path, "disparity")
    assert str(path) in str(refused.value)


def test_data_that_cannot_be_judged_is_refused(world: World, tmp_path: Path) -> None:
    images = tmp_path / "images"
    shutil.copytree(world.root / NAME / "image_02/data", images)
    np.save(tmp_path / "two.npy", np.ones((2, HEIGHT, WIDTH)))
    np.save(tmp_path / "small.npy", np.ones((3, HEIGHT // 2, WIDTH // 2)))
    cases: list[tuple[str, dict[str, Path | None], str]] = [
        ("model", {"data": tmp_path / "gone"}, "no such data"),
        ("model", {"data": images}, "no ground truth"),
        ("model", {"data": images, "split": world.split}, "KITTI only"),
        ("model", {"data": world.root, "split": tmp_path / "gone"}, "no such split"),
        (
            "model",
            {"data": world.root, "split": world.split, "ground_truth": tmp_path / "two.npy"},
            "expected 3.*got 2",
        ),
        ("cropped", {"data": world.root, "split": world.split, "ground_truth": tmp_path / "small.npy"}, "cropped with"),
    ]
    for model, places, sentence in cases:
        with pytest.raises(DataError, match=sentence):
            evaluate_model(str(getattr(world, model)), device="cpu", **places)  # type: ignore[arg-type]


def test_kitti_of_another_size_or_without_calibration_is_judged_with_ground_truth_from_a_file(
    world: World, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(world.root, tmp_path / "kitti"))
    for path in (root / NAME).glob("image_0?/data/*"):
        Image.open(path).resize((WIDTH // 2, HEIGHT // 2)).save(path)
    for file in (root / "2011_09_26").glob("calib_*.txt"):
        file.unlink()
    np.save(tmp_path / "gt.npy", np.full((len(TEST), HEIGHT, WIDTH), 5.0))
    done = evaluate_model(str(world.model), root, split=world.split, ground_truth=tmp_path / "gt.npy", device="cpu")
    assert (done.frames, len(done.report.images)) == ("test frames", len(TEST))


def test_own_images_are_judged_with_ground_truth_from_a_file(world: World, tmp_path: Path) -> None:
    images = tmp_path / "images"
    shutil.copytree(world.root / NAME / "image_02/data", images)
    np.save(tmp_path / "gt.npy", np.full((N_FRAMES, HEIGHT, WIDTH), 5.0))
    done = evaluate_model(
        str(world.model),
        images,
        ground_truth=tmp_path / "gt.npy",
        options=ComparisonOptions(protocol="dense"),
        device="cpu",
    )
    assert (done.frames, len(done.report.images), done.constant_m) == ("all frames", N_FRAMES, 5.0)
    assert done.baseline.abs_rel == 0


def test_a_crop_of_everything_leaves_no_ground_truth() -> None:
    camera, ref = Camera(fx=5.0, fy=5.0, cx=3.5, cy=2.5, width=8, height=6), FrameRef("s", 0)

    def cropped(crop: Crop) -> ndarray | None:
        return cropped_truth(GivenTruth({ref: np.ones((6, 8))}), ref, camera, crop)

    found = cropped(Crop(top=1, bottom=2, left=3))
    assert found is not None and found.shape == (3, 5)
    with pytest.raises(DataError, match="leaves nothing"):
        cropped(Crop(top=3, bottom=3))


def test_real_scans_and_their_published_depth_maps_give_the_same_errors(shared: Path, world: World) -> None:
    root, split = shared / "kitti-mini/kitti_raw", shared / "kitti-mini/splits/mini"
    measured = evaluate_model(str(world.model), root, split=split, device="cpu")
    written = evaluate_model(str(world.model), root, split=split, ground_truth=split / "gt_depths.npz", device="cpu")
    assert len(measured.report.images) == 4
    for metric in ("abs_rel", "sq_rel", "rmse", "rmse_log", "a1", "a2", "a3", "ratio_median"):
        assert getattr(written.report, metric) == pytest.approx(getattr(measured.report, metric), rel=1e-6)

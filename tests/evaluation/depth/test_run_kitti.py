"""Anybody's predictions for KITTI's frames, the improved ground truth, one scale for the set, caps, and the cache."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray
from PIL import Image

from selfdepth.cli.main import main
from selfdepth.data.frames import FrameRef
from selfdepth.data.kitti.raw import KittiTruth
from selfdepth.errors import DataError
from selfdepth.evaluation.depth.compare import ComparisonOptions
from selfdepth.evaluation.depth.metrics import PROTOCOLS, evaluate_set
from selfdepth.evaluation.depth.run import evaluate_files, evaluate_predictions
from selfdepth.evaluation.depth.truth_cache import CachedTruth
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw

DRIVE = "2011_09_26_drive_0001_sync"
SEQUENCE = f"2011_09_26/{DRIVE}/image_02"
TEST = (4, 0, 2)
WIDTH, HEIGHT = 96, 48


@dataclasses.dataclass(frozen=True)
class World:
    """A KITTI root whose frames 0, 2, 4 have scans, their split in another order, and predictions for them."""

    root: Path
    split: Path
    maps: ndarray

    def refs(self) -> list[FrameRef]:
        return [FrameRef(SEQUENCE, number) for number in TEST]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    drive = render_drive(DriveSpec(seed=1, frames=5, width=WIDTH, height=HEIGHT))
    write_kitti_raw(drive, folder / "kitti", scan_every=2)
    (folder / "split").mkdir()
    (folder / "split/test_files.txt").write_text("".join(f"2011_09_26/{DRIVE} {n} l\n" for n in TEST))
    maps = np.random.default_rng(0).uniform(0.02, 0.5, (len(TEST), 12, 24)).astype(np.float32)
    return World(root=folder / "kitti", split=folder / "split", maps=maps)


def write_improved(folder: Path, numbers: tuple[int, ...], camera: str = "image_02") -> dict[int, ndarray]:
    """16-bit PNGs in the published layout; the metres in them."""
    rng, metres = np.random.default_rng(1), {}
    for number in numbers:
        values = np.where(rng.random((HEIGHT, WIDTH)) < 0.3, rng.integers(500, 25000, (HEIGHT, WIDTH)), 0)
        path = folder / DRIVE / "proj_depth/groundtruth" / camera / f"{number:010d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values.astype(np.uint16)).save(path)
        metres[number] = values / 256
    return metres


@pytest.mark.parametrize("place", ["{}/data/{:010d}.npy", "{}/{}.npy", "{:.0}{:010d}.npz", "{:.0}{}.npz"])
def test_a_folder_and_a_file_of_predictions_give_the_same_errors(world: World, tmp_path: Path, place: str) -> None:
    np.save(tmp_path / "all.npy", world.maps)
    for number, one in zip(TEST, world.maps, strict=True):
        path = tmp_path / "each" / place.format(SEQUENCE, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".npy":
            np.save(path, one)
        else:  # as predict writes it, with a picture beside
            np.savez(path, depth=1 / one, disparity=one, scale="relative")
            Image.new("RGB", (4, 4)).save(path.with_suffix(".png"))
    from_file, from_folder = (
        evaluate_predictions(tmp_path / name, world.root, split=world.split) for name in ("all.npy", "each")
    )
    assert from_folder.report == from_file.report
    assert [image.name.split()[-1] for image in from_file.report.images] == [str(number) for number in TEST]
    truths = [KittiTruth(world.root)(ref) for ref in world.refs()]
    expected = evaluate_set(world.maps, truths, PROTOCOLS["eigen"])
    assert from_file.report.abs_rel == pytest.approx(expected.abs_rel, rel=1e-9)


def test_16_bit_pngs_are_depth(world: World, tmp_path: Path) -> None:
    stored = np.rint(256 / world.maps).astype(np.uint16)
    for number, one in zip(TEST, stored, strict=True):
        Image.fromarray(one).save(tmp_path / f"{number:010d}.png")
    done = evaluate_predictions(tmp_path, world.root, split=world.split, quantity="depth")
    truths = [KittiTruth(world.root)(ref) for ref in world.refs()]
    expected = evaluate_set(256 / stored.astype(np.float64), truths, PROTOCOLS["eigen"])
    assert done.report.rmse == pytest.approx(expected.rmse, rel=1e-6)
    with pytest.raises(DataError, match="--predictions-are depth"):
        evaluate_predictions(tmp_path, world.root, split=world.split)


BAD: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "nothing there": (lambda folder, _: None, "no predictions.*got none"),
    "one missing": (lambda folder, _: np.save(folder / "0.npy", np.ones((2, 4))), "no prediction.*0000000004"),
    "two maps in one": (
        lambda folder, _: [np.save(folder / f"{n}.npy", np.ones((2, 2, 4))) for n in TEST] and None,
        "does not hold one map.*got 2",
    ),
    "zeros": (
        lambda folder, _: [np.save(folder / f"{n}.npy", np.zeros((2, 4))) for n in TEST] and None,
        "0000000004|4.npy, row 0, column 0",
    ),
    "axes swapped": (
        lambda folder, _: [np.save(folder / f"{n}.npy", np.ones((8, 4))) for n in TEST] and None,
        "cannot be of the same image",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_folder_that_cannot_be_compared_is_refused(world: World, tmp_path: Path, name: str) -> None:
    spoil, sentence = BAD[name]
    folder, split = tmp_path / "each", tmp_path / "split"
    folder.mkdir()
    split.mkdir()
    (split / "test_files.txt").write_text((world.split / "test_files.txt").read_text())
    spoil(folder, split)
    with pytest.raises(DataError, match=sentence):
        evaluate_predictions(folder, world.root, split=split)


def test_a_name_that_two_frames_have_needs_its_folder(world: World, tmp_path: Path) -> None:
    other = DRIVE.replace("0001", "0002")
    shutil.copytree(world.root, tmp_path / "kitti")
    shutil.copytree(world.root / "2011_09_26" / DRIVE, tmp_path / "kitti/2011_09_26" / other)
    (tmp_path / "test_files.txt").write_text(f"2011_09_26/{DRIVE} 0 l\n2011_09_26/{other} 0 l\n")
    for place in (tmp_path / "bare", *(tmp_path / "each" / drive / "image_02" for drive in (DRIVE, other))):
        place.mkdir(parents=True)
        np.save(place / "0.npy", world.maps[0])
    with pytest.raises(DataError, match="other frames have the same name, so folders tell them"):
        evaluate_predictions(tmp_path / "bare", tmp_path / "kitti", split=tmp_path)
    assert len(evaluate_predictions(tmp_path / "each", tmp_path / "kitti", split=tmp_path).report.images) == 2


def test_a_file_with_another_number_of_predictions_is_refused(world: World, tmp_path: Path) -> None:
    np.save(tmp_path / "two.npy", world.maps[:2])
    with pytest.raises(DataError, match="expected 3, one for each of the test frames, in their order; got 2"):
        evaluate_predictions(tmp_path / "two.npy", world.root, split=world.split)


@pytest.mark.parametrize("pattern", ["{:03d}", "{}", "frame{}"])
def test_a_folder_is_compared_with_ground_truth_in_the_order_of_its_names(tmp_path: Path, pattern: str) -> None:
    maps = np.random.default_rng(3).uniform(0.02, 0.5, (12, 6, 8))
    (tmp_path / "each").mkdir()
    for index, one in enumerate(maps):
        np.save(tmp_path / "each" / f"{pattern.format(index)}.npy", one)
    np.save(tmp_path / "all.npy", maps)
    np.save(tmp_path / "gt.npy", np.random.default_rng(2).uniform(2, 50, (12, HEIGHT, WIDTH)))
    each, whole = (evaluate_files(tmp_path / name, tmp_path / "gt.npy").report for name in ("each", "all.npy"))
    assert each.abs_rel == whole.abs_rel
    assert [image.name for image in each.images] == [pattern.format(index) for index in range(12)]


def test_the_split_eigen_benchmark_is_judged_by_its_protocol_wherever_the_truth_is_from(
    world: World, tmp_path: Path
) -> None:
    split = tmp_path / "eigen_benchmark"
    shutil.copytree(world.split, split)
    np.save(tmp_path / "gt.npy", np.random.default_rng(2).uniform(2, 50, (len(TEST), HEIGHT, WIDTH)))
    np.save(tmp_path / "all.npy", world.maps)

    def judged(by: Path, protocol: str | None = None) -> str:
        measure = ComparisonOptions(protocol=protocol)
        done = evaluate_predictions(
            tmp_path / "all.npy", world.root, split=by, ground_truth=tmp_path / "gt.npy", options=measure
        )
        return done.report.protocol.name

    assert judged(split) == "eigen_benchmark"
    assert judged(split, "eigen") == "eigen"
    assert judged(world.split) == "eigen"


@pytest.mark.parametrize("part", ["", "train", "data_depth_annotated/val"])
def test_the_improved_ground_truth_is_found_where_its_archives_put_it(world: World, tmp_path: Path, part: str) -> None:
    metres = write_improved(tmp_path / "gt" / part, (0, 2))
    np.save(tmp_path / "all.npy", world.maps)
    done = evaluate_predictions(tmp_path / "all.npy", world.root, split=world.split, ground_truth=tmp_path / "gt")
    expected = evaluate_set(world.maps, [None, metres[0], metres[2]], PROTOCOLS["eigen_benchmark"])
    assert done.report.protocol.name == "eigen_benchmark"
    assert (done.report.abs_rel, done.report.skipped) == (pytest.approx(expected.abs_rel, rel=1e-9), 1)


def test_the_split_eigen_benchmark_takes_the_improved_ground_truth_beside_the_images(tmp_path: Path) -> None:
    drive = render_drive(DriveSpec(seed=1, frames=3, width=WIDTH, height=HEIGHT))
    write_kitti_raw(drive, tmp_path / "kitti")
    split = tmp_path / "eigen_benchmark"
    split.mkdir()
    (split / "test_files.txt").write_text(f"2011_09_26/{DRIVE} 1 l\n")
    np.save(tmp_path / "one.npy", np.ones((1, 12, 24)))
    with pytest.raises(DataError, match=r"no ground truth.*proj_depth/groundtruth.*--ground-truth"):
        evaluate_predictions(tmp_path / "one.npy", tmp_path / "kitti", split=split)
    metres = write_improved(tmp_path / "kitti/2011_09_26", (1,))
    done = evaluate_predictions(tmp_path / "one.npy", tmp_path / "kitti", split=split)
    expected = evaluate_set([np.ones((2, 2))], [metres[1]], PROTOCOLS["eigen_benchmark"])
    assert done.report.abs_rel == pytest.approx(expected.abs_rel, rel=1e-9)
    scans = evaluate_predictions(
        tmp_path / "one.npy", tmp_path / "kitti", split=split, options=ComparisonOptions(protocol="eigen")
    )
    assert scans.report.abs_rel != done.report.abs_rel


def test_one_scale_for_the_set_is_the_median_of_the_ratios_and_the_factor_of_all(world: World, tmp_path: Path) -> None:
    np.save(tmp_path / "all.npy", world.maps * np.array([1, 2, 5])[:, None, None])
    each, one, fixed = (
        evaluate_predictions(tmp_path / "all.npy", world.root, split=world.split, options=measure)
        for measure in (
            ComparisonOptions(factor=3.0),
            ComparisonOptions(factor=3.0, one_scale=True),
            ComparisonOptions(factor=None, median_scaling=False),
        )
    )
    ratio = each.report.ratio_median
    assert ratio is not None and (one.report.ratio_median, one.report.ratio_spread) == (ratio, each.report.ratio_spread)
    by_hand = evaluate_predictions(
        tmp_path / "all.npy",
        world.root,
        split=world.split,
        options=ComparisonOptions(factor=3.0 * ratio, median_scaling=False),
    )
    for metric in ("abs_rel", "sq_rel", "rmse", "rmse_log", "a1", "a2", "a3"):
        assert getattr(one.report, metric) == pytest.approx(getattr(by_hand.report, metric), rel=1e-9)
    assert [image.rmse for image in one.report.images] == [image.rmse for image in by_hand.report.images]
    assert one.report.abs_rel > each.report.abs_rel
    kinds = [done.to_json()["scaling"] for done in (each, one, fixed)]
    assert kinds == ["image", "set", "none"]


def test_caps_bound_what_counts_and_where_predictions_go(world: World, tmp_path: Path) -> None:
    np.save(tmp_path / "all.npy", world.maps)
    measure = ComparisonOptions(min_depth=5.0, max_depth=20.0)
    done = evaluate_predictions(tmp_path / "all.npy", world.root, split=world.split, options=measure)
    truths = [KittiTruth(world.root)(ref) for ref in world.refs()]
    capped = dataclasses.replace(PROTOCOLS["eigen"], min_truth=5.0, max_truth=20.0, clamp=(5.0, 20.0))
    assert done.report == dataclasses.replace(
        evaluate_set(world.maps, truths, capped), images=done.report.images, protocol=done.report.protocol
    )
    assert done.report.protocol == capped
    assert done.report.abs_rel < evaluate_set(world.maps, truths, PROTOCOLS["eigen"]).abs_rel


def test_kept_depth_maps_are_the_same_and_made_anew_when_the_scan_changes(world: World, tmp_path: Path) -> None:
    ref, truth = FrameRef(SEQUENCE, 0), KittiTruth(world.root)
    cached = CachedTruth(truth, tmp_path / "cache")
    expected = truth(ref)
    assert expected is not None
    for _ in range(2):
        found = cached(ref)
        assert found is not None and found.dtype == expected.dtype and np.array_equal(found, expected)
    (file,) = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert cached(FrameRef(SEQUENCE, 1)) is None  # it has no scan
    kept = dict(np.load(file))
    np.savez(file, **{**kept, "depth": kept["depth"] + 1})
    changed = cached(ref)
    assert changed is not None and changed.max() == expected.max() + 1  # read, not made
    scan = truth.scan(ref)
    before = scan.stat()
    os.utime(scan, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert np.array_equal(cached(ref), expected)  # type: ignore[arg-type]
    file.write_bytes(file.read_bytes()[:100])
    assert np.array_equal(cached(ref), expected)  # type: ignore[arg-type]


def test_the_verb_takes_predictions_on_data_and_keeps_nothing_unless_told(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "all.npy", world.maps)
    before = sorted(world.root.rglob("*"))
    words = ["evaluate", "depth", "--predictions", str(tmp_path / "all.npy"), "--data", str(world.root)]
    words += ["--split", str(world.split), "--one-scale", "--max-depth", "50"]
    assert main(words) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.npy"]
    cache = ["--truth-cache", str(tmp_path / "cache"), "--json", str(tmp_path / "depth.json")]
    assert main([*words, *cache]) == 0
    assert main([*words, *cache]) == 0
    assert len(list((tmp_path / "cache").rglob("*.npz"))) == len(TEST)
    assert sorted(world.root.rglob("*")) == before
    values = json.loads((tmp_path / "depth.json").read_text())
    assert (values["scaling"], len(values["images"]), values["protocol"]["max_truth"]) == ("set", len(TEST), 50)
    assert "eigen, to 50 m, all images at one scale, that median" in capsys.readouterr().out
    capsys.readouterr()
    np.save(tmp_path / "gt.npy", np.ones((3, HEIGHT, WIDTH)))
    assert main([*words, *cache, "--ground-truth", str(tmp_path / "gt.npy")]) == 2
    assert "no depth maps to keep" in capsys.readouterr().err

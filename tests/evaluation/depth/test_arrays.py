"""Predictions and ground truth in files of numpy."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray

from helpers.peak import run_measured
from selfdepth.errors import DataError
from selfdepth.evaluation.depth.arrays import check_aspect, check_pairs, read_maps, read_predictions, read_truths
from selfdepth.limits import VARIABLE

MAPS = np.random.default_rng(0).uniform(0.1, 1, (4, 10, 20)).astype(np.float32)


def spoilt(value: float) -> ndarray:
    """The maps with one wrong pixel."""
    array = MAPS.copy()
    array[1, 2, 3] = value
    return array


@pytest.mark.parametrize(
    "write",
    [
        lambda path: np.save(path.with_suffix(".npy"), MAPS),
        lambda path: np.savez(path, data=MAPS, K=np.eye(3)),
        lambda path: np.savez(path, of_any_name=MAPS),
        lambda path: np.savez(path, *MAPS),
    ],
)
def test_every_layout_of_a_file_gives_the_same_maps(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path / "maps.npz")
    (file,) = tmp_path.iterdir()
    np.testing.assert_array_equal(read_maps(file), MAPS)


def test_one_map_alone_is_one_image(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", MAPS[0].astype(np.float64))
    (one,) = read_maps(tmp_path / "one.npy")
    assert one.dtype == np.float32
    np.testing.assert_array_equal(one, MAPS[0])


def test_images_of_different_sizes_are_read_from_one_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "maps.npz", np.ones((4, 6)), np.ones((5, 7)))
    assert [each.shape for each in read_maps(tmp_path / "maps.npz")] == [(4, 6), (5, 7)]


def test_depths_are_read_as_disparities(tmp_path: Path) -> None:
    np.savez(tmp_path / "depth.npz", depth=1 / MAPS, disparity=MAPS)  # as `predict` writes both
    for quantity in ("depth", "disparity"):
        read = read_predictions(tmp_path / "depth.npz", quantity)  # type: ignore[arg-type]
        np.testing.assert_allclose(read, MAPS, rtol=1e-6)


BAD_PREDICTIONS: dict[str, tuple[ndarray, str]] = {
    "NaN": (spoilt(np.nan), "cannot be a disparity.*image 1, row 2, column 3.*got nan"),
    "zero": (spoilt(0), "image 1, row 2, column 3.*got 0, and 0 more"),
    "negative": (spoilt(-1), "positive, finite numbers; got -1.*--predictions-are depth"),
    "infinite": (spoilt(np.inf), "got inf"),
    "a row": (MAPS[0, 0], r"does not hold maps.*shape \(20,\)"),
    "text": (np.array([["a"]]), "does not hold maps.*type"),
    "objects": (np.array([MAPS[0], None], dtype=object), "Python objects, which are not read.*np.savez"),
    "nothing": (MAPS[:0], "does not hold maps"),
}


@pytest.mark.parametrize("name", BAD_PREDICTIONS)
def test_a_file_that_cannot_be_predictions_is_refused(tmp_path: Path, name: str) -> None:
    array, sentence = BAD_PREDICTIONS[name]
    np.save(tmp_path / "predictions.npy", array, allow_pickle=True)
    with pytest.raises(DataError, match=sentence):
        read_predictions(tmp_path / "predictions.npy", "disparity")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "no such file"),
        (b"", "cannot be read"),
        (b"no numbers", "cannot be read"),
        (b"PK\x03\x04cut", "cannot be"),
    ],
)
def test_a_file_that_is_no_array_is_refused_by_name(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    path = tmp_path / "maps.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=sentence) as refused:
        read_predictions(path, "disparity")
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("shape", ["(50000000, 0, 1)", f"({10**12}, 0, 1)", "(0, 5, 5)", "(0, 0)"])
def test_any_number_of_maps_without_pixels_is_none(tmp_path: Path, shape: str) -> None:
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}".ljust(117)
    (tmp_path / "maps.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + text.encode() + b"\n")
    with pytest.raises(DataError, match=r"does not hold maps: .*maps\.npy; .*an array of shape"):
        read_maps(tmp_path / "maps.npy")


def test_too_many_or_too_large_maps_are_refused_before_they_are_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "many.npy", np.zeros((30_000_000, 1, 1), np.uint8))
    with pytest.raises(DataError, match=f"too many maps: .*; got 30,000,000 maps; .*{VARIABLE}=array_maps=30000001"):
        read_maps(tmp_path / "many.npy")
    np.savez(tmp_path / "several.npz", *np.ones((6, 500, 500), np.uint8))
    for limits, sentence in (
        ("array_maps=5", "too many maps.*at most 5 maps; got 6.0"),
        ("array_megabytes=5", "the maps are too large.*got 6.0 megabytes"),
        ("image_megapixels=0", "a map is too large"),
    ):
        monkeypatch.setenv(VARIABLE, limits)
        with pytest.raises(DataError, match=sentence):
            read_maps(tmp_path / "several.npz")


def test_a_refusal_takes_no_more_memory_than_the_file(tmp_path: Path) -> None:
    """Maps in float64, of which the last is wrong."""
    path = tmp_path / "maps.npz"
    header = {"descr": "<f8", "fortran_order": False, "shape": (40, 1000, 1000)}
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("data.npy", "w", force_zip64=True) as member,
    ):
        np.lib.format.write_array_header_1_0(member, header)
        for index in range(40):
            member.write(np.full(1_000_000, float(index < 39)).tobytes())
    code = (
        "import pathlib; from selfdepth.evaluation.depth.arrays import read_predictions\n"
        "from selfdepth.errors import DataError\n"
        f"try: read_predictions(pathlib.Path({str(path)!r}), 'depth')\n"
        "except DataError as error: print(error)"
    )
    said, peak = run_measured(code)
    assert "image 39" in said
    assert peak < 1.02e9


def test_ground_truth_may_have_gaps_but_not_only_gaps(tmp_path: Path) -> None:
    np.save(tmp_path / "truth.npy", spoilt(0))
    np.testing.assert_array_equal(read_truths(tmp_path / "truth.npy"), spoilt(0))
    np.save(tmp_path / "empty.npy", 0 * MAPS)
    with pytest.raises(DataError, match=r"no ground truth.*zeros only"):
        read_truths(tmp_path / "empty.npy")


@pytest.mark.parametrize("value", [-2, np.nan, np.inf])
def test_ground_truth_that_cannot_be_metres_is_refused(tmp_path: Path, value: float) -> None:
    np.save(tmp_path / "truth.npy", spoilt(value))
    with pytest.raises(DataError, match=f"ground truth cannot be depth.*image 1.*got {value:g}"):
        read_truths(tmp_path / "truth.npy")


def test_each_ground_truth_needs_a_prediction() -> None:
    with pytest.raises(DataError, match="expected 4 predictions; got 3"):
        check_pairs(list(MAPS[1:]), list(MAPS), "mine.npy")


@pytest.mark.parametrize(("shape", "fits"), [((192, 640), True), ((100, 200), True), ((100, 160), False)])
def test_predictions_may_be_stretched_a_little(shape: tuple[int, int], fits: bool) -> None:
    kitti = (375, 1242)
    if fits:
        check_aspect(shape, kitti, "mine.npy")
    else:
        with pytest.raises(DataError, match="the aspect of 160x100; got ground truth of 1242x375"):
            check_aspect(shape, kitti, "mine.npy")


def test_swapped_axes_are_refused() -> None:
    with pytest.raises(DataError, match=r"image 0; expected about the aspect of 10x20; got.*20x10"):
        check_pairs(list(MAPS.transpose(0, 2, 1)), list(MAPS), "mine.npy")


def test_disparity_with_an_unknown_shift_may_have_any_sign_and_stays_above_zero(tmp_path: Path) -> None:
    given = np.array([[[-3.0, 0, 1, 5]]], np.float32)
    np.save(tmp_path / "maps.npy", given)
    (found,) = read_predictions(tmp_path / "maps.npy", "disparity-affine")
    assert found.min() > 0 and np.corrcoef(found.ravel(), given.ravel())[0, 1] == pytest.approx(1)
    np.save(tmp_path / "bad.npy", np.where(given == 0, np.nan, given))
    with pytest.raises(DataError, match=r"cannot be a disparity.*row 0, column 1; expected finite numbers"):
        read_predictions(tmp_path / "bad.npy", "disparity-affine")

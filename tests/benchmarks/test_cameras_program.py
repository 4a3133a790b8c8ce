"""The program that compares cameras: what it trains, and that it compares like with like."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cameras
from cameras import IGNORED, NATIVE, RECTIFIED, Job, Streets
from selfdepth.demo.run import DEMO_CONFIG
from selfdepth.geometry.ray_depth import DepthIs
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.synthetic.lenses import LENSES

OPTIONS = {"street": 0, "streets": 1, "frames": 3, "width": 64, "height": 32}


@pytest.fixture(scope="module")
def brown(tmp_path_factory: pytest.TempPathFactory) -> Streets:
    return cameras.render("brown", OPTIONS, tmp_path_factory.mktemp("brown"))


def truth_of(streets: Streets) -> np.ndarray:
    with np.load(streets.held_out) as held_out:
        return np.array(held_out["distances"])


@pytest.mark.slow
def test_the_held_out_street_is_another_one_and_its_truth_no_training_can_see(brown: Streets) -> None:
    assert sorted(path.name for path in brown.train.iterdir()) == ["street_0"]
    assert not list(brown.train.rglob("*.npz"))
    drive = render_drive(DriveSpec(seed=1, frames=3, width=64, height=32, lens=LENSES["brown"]))
    rays, _ = drive.camera.rays()
    np.testing.assert_allclose(truth_of(brown), drive.depth / rays[..., 2], rtol=1e-6)


@pytest.mark.slow
def test_a_perfect_prediction_has_no_error_whatever_its_unit_and_whether_it_is_along_z_or_the_ray(
    brown: Streets,
) -> None:
    truth, (rays, _) = truth_of(brown), brown.camera.rays()
    unseen = np.where(truth > 0, truth, 50.0)

    def distances(way: str, depth_is: DepthIs, depths: np.ndarray) -> np.ndarray:
        return np.stack([cameras.predicted_distances(depth, depth_is, brown, way) for depth in depths])

    predictions = {
        NATIVE: distances(NATIVE, "ray", 0.3 * unseen),
        RECTIFIED: distances(RECTIFIED, "z", 0.1 * unseen * rays[..., 2]),
        IGNORED: distances(IGNORED, "z", 7.0 * unseen * rays[..., 2] ** 2),
    }
    found = cameras.errors(brown, predictions)
    assert found[NATIVE]["abs_rel"] < 1e-6 and found[RECTIFIED]["abs_rel"] < 1e-6
    assert found[IGNORED]["abs_rel"] > 0.05
    assert found[NATIVE]["seen"] == 1


@pytest.mark.slow
def test_only_pixels_that_all_ways_see_are_compared(brown: Streets) -> None:
    truth = truth_of(brown)
    good = np.where(truth > 0, truth, 50.0)
    bad_left, left_missing = good.copy(), good.copy()
    bad_left[:, :, :32] *= np.linspace(1, 9, 32)
    left_missing[:, :, :32] = 0
    assert cameras.errors(brown, {NATIVE: bad_left})[NATIVE]["abs_rel"] > 0.1
    both = cameras.errors(brown, {NATIVE: bad_left, RECTIFIED: left_missing})
    assert both[NATIVE]["abs_rel"] < 1e-6 and both[NATIVE]["abs_rel_own"] > 0.1
    assert both[NATIVE]["seen"] == 1 and 0.3 < both[RECTIFIED]["seen"] < 0.7


def test_what_a_pinhole_sees_is_a_part_of_what_wider_lenses_do() -> None:
    share = {name: cameras._in_pinhole(lens.camera(128, 64)).mean() for name, lens in LENSES.items()}
    assert share["pinhole"] == 1
    assert 0.5 < share["brown"] < 0.95 and 0.1 < share["fisheye"] < share["brown"]


def test_where_a_lens_sees_beside_the_camera_depth_along_z_is_a_distance_by_the_camera_that_was_told() -> None:
    lens = LENSES["fisheye"]
    streets = Streets(
        lens="fisheye", camera=lens.camera(64, 32), depth_is="ray", train=Path("train"), held_out=Path("held_out.npz")
    )
    ones = np.ones((32, 64))
    told = cameras.predicted_distances(ones, "z", streets, IGNORED)
    assert (told >= 1).all() and told.max() < 2.5
    true = cameras.predicted_distances(ones, "z", streets, RECTIFIED)
    assert true.max() > 10 and (true == 0).any(), "behind the camera there is no z"


@pytest.mark.slow
def test_every_way_but_the_ignorant_is_told_the_true_camera(brown: Streets, tmp_path: Path) -> None:
    job = Job(way=IGNORED, config=DEMO_CONFIG, streets=brown, folder=tmp_path)
    config = cameras.configured(job)
    c = brown.camera
    assert config.camera == f"{c.fx!r},{c.fy!r},{c.cx!r},{c.cy!r}" and config.data == str(brown.train)
    pinhole = replace(brown, camera=LENSES["pinhole"].camera(64, 32))
    assert pinhole.ways == (NATIVE,) and brown.ways == (IGNORED, RECTIFIED, NATIVE)
    given = cameras.configured(replace(job, way=NATIVE, streets=pinhole)).camera
    assert given == str(brown.train / "street_0/camera.yaml")
    lens = {way: cameras.configured(replace(job, way=way)) for way in (RECTIFIED, NATIVE)}
    assert {config.camera for config in lens.values()} == {given}
    assert (lens[RECTIFIED].rectify, lens[NATIVE].rectify) == ("yes", "no")


@pytest.mark.slow
def test_a_way_that_is_refused_is_said_so_in_the_table(brown: Streets, tmp_path: Path) -> None:
    np.save(tmp_path / "distances.npy", np.where(truth_of(brown) > 0, truth_of(brown), 1))
    found = cameras.judged(
        brown, {IGNORED: tmp_path / "distances.npy", RECTIFIED: "cannot be held", NATIVE: tmp_path / "distances.npy"}
    )
    assert found[RECTIFIED] == {"refused": "cannot be held"} and found[NATIVE]["abs_rel"] < 1e-6
    rows = cameras.table({"lenses": {"brown": {0: found}}}).splitlines()
    assert rows[2].startswith("| brown | ignored | 0.000 ± 0.000 |")
    assert rows[3] == "| brown | rectified | refused | refused | refused |  | refused |  |"


def test_the_table_compares_every_way_with_the_pinhole() -> None:
    def ways(**abs_rel: float) -> dict[str, dict[str, float]]:
        return {
            way: {"abs_rel": x, "a1": 0.9, "abs_rel_shared": x, "abs_rel_own": 0.5, "seen": 0.52}
            for way, x in abs_rel.items()
        }

    lenses = {
        "pinhole": {0: ways(native=0.1), 1: ways(native=0.3)},
        "brown": {0: ways(ignored=0.4, native=0.2), 1: ways(ignored=0.4, native=0.22)},
    }
    assert cameras.table({"lenses": lenses}).splitlines()[2:] == [
        "| pinhole | native | 0.200 ± 0.141 | 0.900 ± 0.000 | 0.200 ± 0.141 | +0 % | 0.500 ± 0.000 | 52 % |",
        "| brown | ignored | 0.400 ± 0.000 | 0.900 ± 0.000 | 0.400 ± 0.000 | +100 % | 0.500 ± 0.000 | 52 % |",
        "| brown | native | 0.210 ± 0.014 | 0.900 ± 0.000 | 0.210 ± 0.014 | +5 % | 0.500 ± 0.000 | 52 % |",
    ]


@pytest.mark.slow
def test_lenses_are_trained_every_way_and_compared(tmp_path: Path) -> None:
    words = [
        "--lenses",
        "pinhole",
        "brown",
        "fisheye",
        "--steps",
        "1",
        "--batch",
        "2",
        "--seeds",
        "0",
        "--frames",
        "24",
    ]
    sizes = ["--width", "64", "--height", "64", "--streets", "1", "--encoder", "test_resnet", "--workers", "1"]
    document = cameras.main([*words, *sizes, "--json", str(tmp_path / "cameras.json")])
    assert document["lenses"]["pinhole"][0][NATIVE]["abs_rel"] > 0
    for lens in ("brown", "fisheye"):
        ways = document["lenses"][lens][0]
        assert set(ways) == {IGNORED, RECTIFIED, NATIVE} and all("abs_rel" in each for each in ways.values())
    assert document["lenses"]["fisheye"][0][RECTIFIED]["seen"] < 0.8 < document["lenses"]["brown"][0][RECTIFIED]["seen"]
    assert json.loads((tmp_path / "cameras.json").read_text())["arguments"]["steps"] == "1"

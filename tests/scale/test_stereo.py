"""The baseline of stereo pairs as a witness: the factor at which the depth rebuilds the partner."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray

from selfdepth.data.frames import FrameRef
from selfdepth.scale.frames import ScaleFrame, open_footage
from selfdepth.scale.stereo import StereoWitness, best_factor
from selfdepth.synthetic.drive import BASELINE_M, DriveSpec, SyntheticDrive, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw

TO_RIGHT = np.array([-BASELINE_M, 0, 0])


@pytest.fixture(scope="module")
def drive() -> SyntheticDrive:
    return render_drive(DriveSpec(seed=3, frames=4, width=256, height=80, stereo=True))


def frame(drive: SyntheticDrive, factor: float, number: int = 0) -> ScaleFrame:
    depth = np.where(drive.depth[number] > 0, drive.depth[number], 500.0) / factor
    return ScaleFrame(ref=FrameRef("a", number), time_s=0.0, depth=depth.astype(np.float64), whole=drive.camera)


def pair(drive: SyntheticDrive, number: int = 0) -> tuple[ndarray, ndarray]:
    assert drive.partner is not None
    return drive.images[number], drive.partner[number]


@pytest.mark.parametrize("factor", [0.02, 1.0, 37.0])
def test_the_factor_is_found_within_two_percent_whatever_the_unit(drive: SyntheticDrive, factor: float) -> None:
    found = [best_factor(frame(drive, factor, n), *pair(drive, n), TO_RIGHT) for n in range(4)]
    assert all(not isinstance(each, str) for each in found)
    assert np.median(np.array(found, float)) == pytest.approx(factor, rel=0.02)


def test_from_the_right_picture_the_left_is_on_the_other_side(drive: SyntheticDrive) -> None:
    own, other = pair(drive)
    mirrored = frame(drive, 3.0)
    camera = drive.camera
    flipped = type(camera)(
        fx=camera.fx, fy=camera.fy, cx=camera.width - 1 - camera.cx, cy=camera.cy, width=256, height=80
    )
    mirrored = ScaleFrame(ref=mirrored.ref, time_s=0.0, depth=mirrored.depth[:, ::-1], whole=flipped)
    found = best_factor(mirrored, own[:, ::-1], other[:, ::-1], -TO_RIGHT)
    assert found == pytest.approx(3.0, rel=0.04)


def test_brightness_and_contrast_of_the_partner_do_not_matter(drive: SyntheticDrive) -> None:
    own, other = pair(drive)
    dimmed = (other.astype(float) * 0.6 + 20).astype(np.uint8)
    found = best_factor(frame(drive, 5.0), own, dimmed, TO_RIGHT)
    assert found == pytest.approx(5.0, rel=0.04)


def test_errors_of_the_depth_and_a_moving_thing_leave_the_factor(drive: SyntheticDrive) -> None:
    wrong = frame(drive, 5.0)
    wrong.depth[20:60, 100:150] *= 0.4
    found = best_factor(wrong, *pair(drive), TO_RIGHT)
    assert found == pytest.approx(5.0, rel=0.04)


def test_pictures_that_show_nothing_are_left_out_with_the_reason(drive: SyntheticDrive) -> None:
    grey = np.full_like(pair(drive)[0], 128)
    assert "too little texture" in str(best_factor(frame(drive, 1.0), grey, grey, TO_RIGHT))
    noise = np.random.default_rng(0).integers(0, 255, (2, *grey.shape), np.uint8)
    assert "no factor" in str(best_factor(frame(drive, 1.0), noise[0], noise[1], TO_RIGHT))


def test_the_pairs_of_kitti_are_witnesses_with_their_baseline(drive: SyntheticDrive, tmp_path: Path) -> None:
    root = tmp_path / "kitti"
    write_kitti_raw(drive, root, image_format="png")
    footage = open_footage(root, stereo=True)
    witness = StereoWitness(footage)
    assert witness.source == "baseline 0.54 m" and len(footage.refs) == 4
    (root / footage.partners[footage.sequences[0].name].name / "data" / "0000000002.png").unlink()
    fewer = open_footage(root, stereo=True)
    assert [fewer.has_partner(ref) for ref in fewer.refs] == [True, True, False, True]
    depth = frame(drive, 4.0, footage.refs[1].number).depth
    ours = ScaleFrame(ref=footage.refs[1], time_s=0.0, depth=depth, whole=footage.sequences[0].camera)
    (found,) = witness.observe(ours)
    assert found == pytest.approx(4.0, rel=0.04)

"""KITTI odometry roots."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from selfdepth.data.kitti.odometry import is_kitti_odometry, odometry_truth, open_odometry_split
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.store.build import build_store
from selfdepth.errors import ConfigError, DataError
from selfdepth.synthetic.drive import BASELINE_M, SyntheticDrive
from selfdepth.synthetic.kitti_odometry import write_kitti_odometry


@pytest.fixture(scope="module")
def world(drive: SyntheticDrive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sequence 00 as PNG, sequence 09 as JPEG."""
    root = tmp_path_factory.mktemp("odometry")
    write_kitti_odometry(drive, root)
    write_kitti_odometry(drive, root, number=9, image_format="jpg")
    return root


@pytest.fixture
def root(world: Path, tmp_path: Path) -> Path:
    """One that may be broken."""
    return Path(shutil.copytree(world, tmp_path / "root"))


def write_split(folder: Path, **parts: str) -> Path:
    folder.mkdir()
    for part, text in parts.items():
        (folder / f"{part.replace('test_', 'test_files_') if '_' in part else part + '_files'}.txt").write_text(text)
    return folder


def test_a_root_is_recognised_by_its_numbered_sequences(root: Path, tmp_path: Path) -> None:
    assert is_kitti_odometry(root)
    for number in ("00", "09"):
        (root / "sequences" / number / "calib.txt").unlink()
    assert is_kitti_odometry(root)  # by its images
    assert not is_kitti_odometry(root / "sequences")
    (tmp_path / "other/sequences/first/image_2").mkdir(parents=True)
    assert not is_kitti_odometry(tmp_path / "other")
    assert not is_kitti_odometry(tmp_path / "nothing")


def test_without_a_split_the_left_camera_of_every_sequence_is_used(world: Path, drive: SyntheticDrive) -> None:
    footage = recognise(world).footage()
    assert footage.kind == "kitti-odometry"
    assert [sequence.name for sequence in footage.sequences] == ["00/image_2", "09/image_2"]
    assert footage.sequences[0].numbers == tuple(range(24))
    assert (len(footage.train), len(footage.val)) == (36, 4)
    camera = footage.sequences[0].camera
    assert (camera.fx, camera.cx, camera.width) == pytest.approx((drive.camera.fx, drive.camera.cx, 96))
    image = next(footage.sequences[0].read((3,)))
    assert np.array_equal(image, drive.images[3])


def test_a_split_in_the_published_format_names_targets_sides_and_a_test_file_per_sequence(
    world: Path, drive: SyntheticDrive, tmp_path: Path
) -> None:
    split = write_split(
        tmp_path / "split", train="0 3 l\n0 4 r\n", val="0 9 l\n", test_09="9 0 l\n9 23 l\n", test_10=""
    )
    footage = recognise(world).footage(split=str(split))
    assert [(ref.sequence, ref.number) for ref in footage.train] == [("00/image_2", 3), ("00/image_3", 4)]
    assert [ref.number for ref in footage.test] == [0, 23]
    assert {s.name: s.numbers for s in footage.sequences} == {
        "00/image_2": (2, 3, 4, 8, 9, 10),
        "00/image_3": (3, 4, 5),
        "09/image_2": (0, 23),
    }
    assert drive.partner is not None
    assert np.array_equal(next(footage.sequence("00/image_3").read((4,))), drive.partner[4])


def test_both_sides_of_a_pair_know_each_other_and_hold_what_their_partner_needs(
    root: Path, drive: SyntheticDrive, tmp_path: Path
) -> None:
    (root / "sequences/00/image_3/000012.png").unlink()
    split = write_split(tmp_path / "split", train="0 3 l\n0 1 r\n0 12 l\n", val="0 20 l\n", test="9 0 l\n")
    footage = recognise(root).footage(split=str(split), stereo=True)
    assert {sequence.name: sequence.numbers for sequence in footage.sequences} == {
        "00/image_2": (1, 2, 3, 4, 11, 12, 13, 19, 20, 21),
        "00/image_3": (0, 1, 2, 3, 20),
        "09/image_2": (0,),
    }
    left, right, other = footage.sequences
    assert left.partner is not None and right.partner is not None and other.partner is None
    assert (left.partner.sequence, right.partner.sequence) == ("00/image_3", "00/image_2")
    assert left.partner.translation_m == pytest.approx((-BASELINE_M, 0, 0))
    assert right.partner.translation_m == pytest.approx((BASELINE_M, 0, 0))
    assert drive.partner is not None
    assert np.array_equal(next(right.read((20,))), drive.partner[20])
    assert all(sequence.partner is None for sequence in recognise(root).footage(split=str(split)).sequences)


@pytest.mark.parametrize(("offsets", "spacing"), [((-1, 1), 1), ((-1, 1), 2), ((), 1)])
def test_without_a_split_the_left_images_get_partners_where_there_are_any(
    root: Path, offsets: tuple[int, ...], spacing: int
) -> None:
    shutil.rmtree(root / "sequences/09/image_3")
    footage = recognise(root).footage(offsets=offsets, spacing=spacing, stereo=True)
    targets = {ref.number for ref in (*footage.train, *footage.val) if ref.sequence == "00/image_2"}
    assert [sequence.name for sequence in footage.sequences] == ["00/image_2", "00/image_3", "09/image_2"]
    assert footage.sequences[0].numbers == tuple(range(24))
    assert footage.sequences[1].numbers == tuple(sorted(targets))
    assert footage.sequences[0].partner is not None and footage.sequences[2].partner is None
    assert {ref.sequence for ref in footage.train} == {"00/image_2", "09/image_2"}
    mono = recognise(root).footage(offsets=offsets, spacing=spacing)
    assert (mono.train, mono.val) == (footage.train, footage.val)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            "no images",
            r"no training frame has a stereo partner: .*root; expected .*image_2 and image_3.*got 36 training",
        ),
        ("no P3", r"calib\.txt; expected P3: 12 numbers; got no P3"),
        ("another K", r"cameras of the stereo pair do not agree: .*calib\.txt; expected .* in P2 and P3"),
    ],
)
def test_a_root_without_pairs_is_refused_only_if_stereo_is_requested(root: Path, change: str, sentence: str) -> None:
    for number in ("00", "09"):
        if change == "no images":
            shutil.rmtree(root / "sequences" / number / "image_3")
            continue
        path = root / "sequences" / number / "calib.txt"
        kept = [line for line in path.read_text().splitlines() if not line.startswith("P3")]
        if change == "another K":
            kept.append("P3: 50 0 47 -30 0 50 15 0 0 0 1 0")
        path.write_text("\n".join(kept))
    assert recognise(root).footage().train
    with pytest.raises(DataError, match=sentence):
        recognise(root).footage(stereo=True)


def test_a_store_can_be_made_of_it(world: Path, tmp_path: Path) -> None:
    store = build_store(recognise(world).footage(), tmp_path / "store", width=96, height=32)
    assert store.kind == "kitti-odometry" and len(store.train) == 36


def test_the_published_split_is_understood(shared: Path, tmp_path: Path) -> None:
    split = shared / "splits" / "odom"
    with pytest.raises(DataError, match=r"train_files\.txt, line 1; expected .*sequences/08/image_3/004056\.png"):
        open_odometry_split(tmp_path, split)


def test_true_poses_are_those_of_camera_0_at_their_times(world: Path, drive: SyntheticDrive) -> None:
    truth = odometry_truth(world, "09/image_2", tuple(range(24)))
    assert truth is not None
    np.testing.assert_allclose(truth.timestamps, drive.timestamps, atol=1e-6)
    np.testing.assert_allclose(truth.T_world_camera[0], np.eye(4), atol=1e-12)
    # Camera 0 stands 6 cm left of the camera of the images.
    np.testing.assert_allclose(truth.T_world_camera[:, :3, 3], drive.T_world_camera[:, :3, 3], atol=0.06)
    np.testing.assert_allclose(truth.T_world_camera[:, :3, :3], drive.T_world_camera[:, :3, :3], atol=1e-9)


def test_the_calibration_holds_the_baseline(world: Path) -> None:
    entries = dict(line.split(":") for line in (world / "sequences/00/calib.txt").read_text().splitlines())
    left, right = (np.array(entries[key].split(), float) for key in ("P2", "P3"))
    assert (left[3] - right[3]) / left[0] == pytest.approx(BASELINE_M)


def test_a_sequence_without_poses_has_none_and_one_with_too_few_is_refused(root: Path) -> None:
    (root / "poses/00.txt").unlink()
    assert odometry_truth(root, "00/image_2", tuple(range(24))) is None
    lines = (root / "poses/09.txt").read_text().splitlines(keepends=True)
    (root / "poses/09.txt").write_text("".join(lines[:-1]))
    with pytest.raises(DataError, match=r"09\.txt"):
        odometry_truth(root, "09/image_2", tuple(range(24)))
    (root / "poses/09.txt").write_text("".join(lines))
    times = root / "sequences/09/times.txt"
    times.write_text("".join(times.read_text().splitlines(keepends=True)[:9]))
    with pytest.raises(DataError, match=r"a time for each frame: .*times\.txt; expected 24 lines.*got 9"):
        odometry_truth(root, "09/image_2", tuple(range(24)))
    (root / "poses/09.txt").write_text("".join(lines[:-1]))
    times.unlink()
    with pytest.raises(DataError, match=r"one ground-truth pose for each frame: .*09\.txt; expected 24 lines.*got 23"):
        odometry_truth(root, "09/image_2", tuple(range(24)))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0 0 l\n", "neighbour at -1 of frame 0 is missing"),
        ("0 23 l\n", r"neighbour at \+1 of frame 23 is missing"),
        ("0 99 l\n", "the frame is missing"),
        ("5 1 l\n", "no images in that folder"),
        ("0 1 x\n", 'got "0 1 x"'),
        ("zero 1 l\n", "the line cannot be read"),
        ("2011_09_26/2011_09_26_drive_0005_sync 12 l\n", "the line cannot be read"),
        ("", "the split has no frames"),
    ],
)
def test_a_split_that_does_not_fit_is_refused_by_its_line(
    world: Path, tmp_path: Path, text: str, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        recognise(world).footage(split=str(write_split(tmp_path / "split", train=text)))


def test_images_that_their_calibration_is_not_for_are_refused_and_a_given_camera_does_without(root: Path) -> None:
    calibration = root / "sequences/00/calib.txt"
    text = calibration.read_text().splitlines()
    for broken, sentence in (
        ("P2: 1 2 3", "P2: 12 numbers"),
        (None, r"calib\.txt"),
        ("P2: 55 0 999 0 0 55 9 0 0 0 1 0", "inside 96x32"),
    ):
        if broken is None:
            calibration.unlink()
        else:
            calibration.write_text("\n".join([broken, *text[:2], text[3]]))
        with pytest.raises(DataError, match=sentence):
            recognise(root).footage()
    assert recognise(root).footage(camera="55,55,47,15").sequences[0].camera.fx == 55


def test_a_root_without_images_is_refused(root: Path) -> None:
    for image in root.rglob("0000*"):
        image.unlink()
    with pytest.raises(DataError, match="there are no images"):
        recognise(root).footage()


def test_a_number_that_no_sequence_can_have_is_refused(drive: SyntheticDrive, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="number"):
        write_kitti_odometry(drive, tmp_path, number=100)

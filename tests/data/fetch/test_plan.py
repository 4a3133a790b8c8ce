"""Which drives and frames a split needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from helpers.mirror import DRIVES
from selfdepth.config import TrainConfig
from selfdepth.data.fetch.plan import Plan
from selfdepth.data.kitti.raw import open_kitti_raw
from selfdepth.errors import ConfigError, DataError


def config_of(split: Path | str, *, stereo: bool = False, **changes: object) -> TrainConfig:
    config = TrainConfig(data="kitti", split=str(split), stereo="calibrated" if stereo else "none", width=64)
    return replace(config, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("stereo", [False, True])
def test_the_frames_are_those_that_the_unpacked_tree_is_opened_with(tree: Path, split: Path, stereo: bool) -> None:
    plan = Plan.of(config_of(split, stereo=stereo))
    opened = open_kitti_raw(tree, split, stereo=stereo).sequences
    needed = {name: numbers for drive in plan.drives for name, numbers in plan.expected[drive].items()}
    assert list(needed.items()) == [(each.name, list(each.numbers)) for each in opened], "in the order of the rows"
    assert plan.n_frames(plan.drives) == sum(len(each.numbers) for each in opened)
    assert plan.first_sequence == opened[0].name


def test_drives_follow_each_other_as_their_sequences_do(tmp_path: Path) -> None:
    names = ["2011_09_26/a", "2011_09_26/a-b", "2011_09_26/a.b", "2011_09_26/a_b", "2011_09_25/z"]
    (tmp_path / "train_files.txt").write_text("".join(f"{name} 1 l\n" for name in names))
    plan = Plan.of(config_of(tmp_path))
    sequences = [name for drive in plan.drives for name in plan.expected[drive]]
    assert sequences == sorted(sequences) and len(sequences) == 5
    assert plan.dates == ("2011_09_25", "2011_09_26")


def test_scans_are_those_of_frames_that_are_evaluated(split: Path) -> None:
    plan = Plan.of(config_of(split))
    assert [plan.scans(drive) for drive in plan.drives] == [[], [], [0, 5]]


def test_a_partner_that_the_archive_lacks_is_left_out_and_a_frame_is_missed(split: Path) -> None:
    plan = Plan.of(config_of(split, stereo=True))
    drive = DRIVES[1]
    images = {f"{drive}/image_02": range(8), f"{drive}/image_03": [4]}
    assert plan.needed(drive, images) == {f"{drive}/image_02": [1, 2, 3, 4, 5], f"{drive}/image_03": [4]}
    images[f"{drive}/image_02"] = [1, 2, 3, 4]
    with pytest.raises(DataError, match=r"files\.txt, line 3; expected .*image_02/data/0000000005\.png.*got 4 im"):
        plan.needed(drive, images)


def test_whatever_the_store_depends_on_is_in_the_digest(split: Path, tmp_path: Path) -> None:
    camera = tmp_path / "camera.yaml"
    camera.write_text("width: 128\nheight: 64\nfx: 90\nfy: 90\ncx: 63.5\ncy: 31.5\n")
    fewer = tmp_path / "fewer"
    fewer.mkdir()
    (fewer / "train_files.txt").write_text(f"{DRIVES[0]} 1 l\n")
    plain = config_of(split)
    others = [
        config_of(fewer),
        config_of(split, stereo=True),
        *(replace(plain, **each) for each in ({"width": 96}, {"height": 96}, {"crop": "1,0,0,0"}, {"camera": "paper"})),
        replace(plain, camera=str(camera)),
    ]
    digests = {Plan.of(each).digest() for each in (plain, *others)}
    camera.write_text(camera.read_text().replace("90", "91"))
    digests.add(Plan.of(others[-1]).digest())
    assert len(digests) == len(others) + 2
    assert Plan.of(plain).digest() == Plan.of(config_of(split)).digest()


def test_odometry_is_refused_with_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"only KITTI raw is fetched.*65 GB.*expected .*eigen_zhou.*prepare"):
        Plan.of(config_of("odom"))


def test_a_split_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such split"):
        Plan.of(config_of(tmp_path / "gone"))
    with pytest.raises(DataError, match="no frames"):
        Plan.of(config_of(tmp_path))


def test_the_published_test_frames_need_the_drives_that_the_field_names(shared: Path) -> None:
    plan = Plan.of(config_of(shared / "splits" / "eigen"))
    assert (len(plan.drives), plan.n_frames(plan.drives)) == (28, 697)
    assert sum(len(plan.scans(drive)) for drive in plan.drives) == 697

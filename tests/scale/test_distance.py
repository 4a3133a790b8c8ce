"""A tape measure's list as a witness."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from selfdepth.data.frames import FrameRef
from selfdepth.data.sources.rendered import write_drive
from selfdepth.errors import DataError
from selfdepth.geometry.crop import Crop
from selfdepth.scale.distance import DistanceWitness, read_distances
from selfdepth.scale.frames import ScaleFootage, ScaleFrame, open_footage
from selfdepth.synthetic.drive import DriveSpec, render_drive


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> ScaleFootage:
    folder = tmp_path_factory.mktemp("data") / "street"
    write_drive(render_drive(DriveSpec(seed=2, frames=4, width=96, height=64)), folder)
    return open_footage(folder)


def listed(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "tape.csv"
    file.write_text(text)
    return file


def wall(footage: ScaleFootage, depth: float, number: int = 0, crop: Crop | None = None) -> ScaleFrame:
    whole = footage.sequences[0].camera
    crop = crop or Crop()
    size = crop.size_of(whole.width, whole.height)
    return ScaleFrame(
        ref=FrameRef(footage.sequences[0].name, number),
        time_s=0.0,
        depth=np.full((size[1] // 2, size[0] // 2), depth),
        whole=whole,
        crop=crop,
    )


def test_the_distance_from_the_camera_is_along_the_ray_as_a_tape_lies(footage: ScaleFootage, tmp_path: Path) -> None:
    camera = footage.sequences[0].camera
    u, v = 90.0, 10.0
    along = math.hypot((u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, 1)
    witness = DistanceWitness(listed(tmp_path, f"0, {u}, {v}, {12 * along}\n"), footage)
    (factor,) = witness.observe(wall(footage, 4.0))
    assert factor == pytest.approx(3.0)


def test_between_two_pixels_it_is_the_distance_of_their_points(footage: ScaleFootage, tmp_path: Path) -> None:
    camera = footage.sequences[0].camera
    witness = DistanceWitness(listed(tmp_path, f"000000 20 30 70 30 {50 / camera.fx * 10}\n"), footage)
    (factor,) = witness.observe(wall(footage, 4.0))
    assert factor == pytest.approx(2.5)


def test_pixels_are_those_of_the_whole_frame_and_those_cropped_off_say_nothing(
    footage: ScaleFootage, tmp_path: Path
) -> None:
    witness = DistanceWitness(listed(tmp_path, "0,40,30,8\n"), footage)
    whole = witness.observe(wall(footage, 4.0))
    assert witness.observe(wall(footage, 4.0, crop=Crop(8, 8, 8, 8))) == pytest.approx(whole)
    assert witness.observe(wall(footage, 4.0, crop=Crop(0, 40, 0, 0))) == "the measured pixels have no depth"


def test_headings_comments_and_separators_are_free(footage: ScaleFootage, tmp_path: Path) -> None:
    text = "# hall\n\nframe; u; v; metres\n000001; 1; 2; 3.5  # door\n2 1 2 3 4 5\n"
    first, second = read_distances(listed(tmp_path, text), footage)
    assert (first.ref.number, first.pixels, first.metres) == (1, ((1.0, 2.0),), 3.5)
    assert (second.ref.number, second.pixels, second.metres) == (2, ((1.0, 2.0), (3.0, 4.0)), 5.0)
    assert DistanceWitness(listed(tmp_path, text), footage).refs == {first.ref, second.ref}


@pytest.mark.parametrize("separator", [";", "\t", "; "])
def test_a_decimal_comma_separates_nothing_where_something_else_does(
    footage: ScaleFootage, tmp_path: Path, separator: str
) -> None:
    """Read as a separator it would give a distance between two other pixels."""
    text = separator.join(["frame", "u", "v", "Meter (m)"]) + "\n" + separator.join(["1", "2,5", "3", "4,25"]) + "\n"
    (found,) = read_distances(listed(tmp_path, text), footage)
    assert (found.pixels, found.metres) == (((2.5, 3.0),), 4.25)


def test_a_frame_of_several_sequences_is_named_with_its_sequence(tmp_path: Path) -> None:
    drive = render_drive(DriveSpec(seed=2, frames=3, width=96, height=64))
    for name in ("a", "b"):
        write_drive(drive, tmp_path / "data" / name)
    footage = open_footage(tmp_path / "data")
    (found,) = read_distances(listed(tmp_path, "b/1, 1, 2, 3\n"), footage)
    assert found.ref == FrameRef("b", 1)
    with pytest.raises(DataError, match=r"several frames have this name: .*line 1; expected a/1 or b/1"):
        read_distances(listed(tmp_path, "1, 1, 2, 3\n"), footage)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0, 1, 2\n", r"line 1; expected frame, u, v, metres"),
        ("0, 1, 2, 3, 4\n", r"line 1; expected frame, u, v, metres"),
        ("0; 1,5; 2,5,1; 3\n", r"line 1; expected frame, u, v, metres.*got 0, 1.5, 2,5,1, 3"),
        ("0, 1, 2, x\n", r"line 1; expected frame, u, v, metres.*got 0, 1, 2, x"),
        ("0, 1, 2, nan\n", r"got 0, 1, 2, nan"),
        ("0, 1, 2, inf\n", r"got 0, 1, 2, inf"),
        ("0, 1, 2, 0\n", r"expected a distance of more than 0 metres; got 0"),
        ("0, 1, 2, -3\n", r"expected a distance of more than 0 metres; got -3"),
        ("0, 96, 2, 3\n", r"outside the frame: .*line 1; expected u from 0 to 95, v from 0 to 63; got 96, 2"),
        ("0, 1, 2, 3\n0, 5, -1, 3\n", r"outside the frame: .*line 2"),
        ("0, 1, 2, 1, 2, 3\n", r"expected two different pixels"),
        ("9, 1, 2, 3\n", r"no such frame: .*expected a name or number such as 000000; got 9"),
        ("frame,u,v,cm\n0, 1, 2, 3\n", r"the last column in metres; got cm"),
        ("", r"got none"),
        ("# nothing\n", r"got none"),
        ("0, 1, 2, 3\nframe, u, v, metres\n", r"line 2"),
    ],
)
def test_what_is_no_list_of_distances_is_refused_with_its_line(
    footage: ScaleFootage, tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        read_distances(listed(tmp_path, text), footage)


def test_a_missing_list_is_refused(footage: ScaleFootage, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the list of distances cannot be used"):
        read_distances(tmp_path / "no.csv", footage)

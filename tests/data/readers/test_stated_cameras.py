"""What the entries of a document say of a camera: its numbers, by their several names."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from selfdepth.data.readers.camera_entries import Entries
from selfdepth.data.readers.stated_cameras import camera_of, sensor_of, states_camera, warn_of_rectified
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import Lens

SIZE = "image_width: 640\nimage_height: 480\n"


def _entries(text: str) -> Entries:
    return Entries(yaml.load(text, yaml.BaseLoader).items(), Path("camera.yaml"))


@pytest.mark.parametrize(
    ("text", "lens"),
    [
        ("fx: 500\nfy: 501\ncx: 320\ncy: 240", Lens()),
        ("intrinsics: [500, 501, 320, 240]", Lens()),
        ("intrinsics: [500, 0, 320, 0, 501, 240, 0, 0, 1]", Lens()),
        ("K: [500, 0, 320, 0, 501, 240, 0, 0, 1]", Lens()),
        ("mtx: [500, 0, 320, 0, 501, 240, 0, 0, 1]", Lens()),
        ("model_type: MEI\nxi: 0.9\ngamma1: 500\ngamma2: 501\nu0: 320\nv0: 240", Lens("ucm", (0.9,))),
        ("model_type: KANNALA_BRANDT\nmu: 500\nmv: 501\nu0: 320\nv0: 240", Lens("kannala-brandt")),
        ("camera_model: omni\nintrinsics: [0.9, 500, 501, 320, 240]", Lens("ucm", (0.9,))),
        ("camera_model: eucm\nintrinsics: [0.6, 1.1, 500, 501, 320, 240]", Lens("eucm", (0.6, 1.1))),
        ("camera_model: eucm\nalpha: 0.6\nbeta: 1.1\nintrinsics: [500, 501, 320, 240]", Lens("eucm", (0.6, 1.1))),
    ],
)
def test_intrinsics_are_read_by_every_name(text: str, lens: Lens) -> None:
    entries = _entries(SIZE + text)
    assert states_camera(entries)
    expected = Camera(fx=500, fy=501, cx=320, cy=240, width=640, height=480, lens=lens)
    assert sensor_of(entries) == camera_of(entries).camera == expected


@pytest.mark.parametrize("size", ["width: 640.0\nheight: 480.", "image_size: [640, 480]", "resolution: [640, 480]"])
def test_a_size_is_read_in_every_form(size: str) -> None:
    camera = sensor_of(_entries(f"{size}\nfx: 500\nfy: 501\ncx: 320\ncy: 240"))
    assert (camera.width, camera.height) == (640, 480)


def test_a_region_and_binning_change_the_pinhole_and_keep_the_lens() -> None:
    text = "intrinsics: [500, 501, 320, 240]\nD: [-0.3, 0.1]\nbinning_x: 2\nbinning_y: 2\n"
    read = camera_of(_entries(SIZE + text + "roi: {x_offset: 100, y_offset: 40, width: 320, height: 240}"))
    lens = Lens("brown", (-0.3, 0.1))
    part = Camera(fx=500, fy=501, cx=220, cy=200, width=320, height=240, lens=lens)
    assert (read.camera, read.sensor_size) == (part.resized(160, 120), (640, 480))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("camera_model: omni\nintrinsics: [500, 501, 320, 240]", "does not state xi.*intrinsics: .xi, fx"),
        ("intrinsics: [0.9, 500, 501, 320, 240]", "no intrinsics.*got 5 numbers"),
        ("camera_model: eucm\nintrinsics: [0.9, 500, 501, 320, 240]", "no intrinsics.*got 5 numbers"),
        ("intrinsics: [500, 501, 320, 240]\nskew: 9", "skew, which is not modelled"),
        ("K: [.nan, 0, 320, 0, 501, 240, 0, 0, 1]", "invalid focal length fx.*got nan"),
        ("K: [0, 0, 0, 0, 0, 0, 0, 0, 0]", "not calibrated.*got zeros.*fov:DEGREES"),
        ("intrinsics: [500, 501, 320, 240]\nD: [.nan]", r"not finite: camera\.yaml"),
    ],
)
def test_what_is_missing_or_cannot_be_held_is_refused(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        camera_of(_entries(SIZE + text))


def test_a_rectified_projection_is_named_if_it_differs() -> None:
    entries = _entries(SIZE + "intrinsics: [500, 501, 320, 240]\nP: [400, 0, 1, 0, 0, 400, 1, 0, 0, 0, 1, 0]")
    with pytest.warns(SelfDepthWarning, match=r"P \(fx 400\) besides K \(fx 500\)"):
        warn_of_rectified(entries, sensor_of(entries))

"""Files of predictions: each kind holds what it promises."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from selfdepth.data.kitti.improved import read_depth_png
from selfdepth.errors import OutputError
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import Lens
from selfdepth.inference.visualize import colorize_disparity
from selfdepth.inference.writers import (
    create_video,
    write_color,
    write_kitti,
    write_npz,
    write_png16,
    write_png16_note,
)
from selfdepth.structs import DepthPrediction


def _prediction(camera: Camera | None = None, scale: str = "relative") -> DepthPrediction:
    disparity = np.geomspace(0.002, 10, 12 * 16).reshape(12, 16).astype(np.float32)
    return DepthPrediction(depth=1 / disparity, disparity=disparity, scale=scale, camera=camera)  # type: ignore[arg-type]


def _frames(count: int, height: int = 40, width: int = 60) -> list[np.ndarray]:
    return [np.full((height, width, 3), 40 * number, np.uint8) for number in range(count)]


def test_npz_holds_the_exact_numbers_the_scale_and_the_camera_without_pickles(tmp_path: Path) -> None:
    camera = Camera(fx=10.0, fy=11.0, cx=7.0, cy=5.0, width=16, height=12)
    prediction = _prediction(camera, "metric")
    write_npz(tmp_path / "a.npz", prediction)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert set(arrays) == {"depth", "disparity", "scale", "depth_is", "K"}
        assert np.array_equal(arrays["depth"], prediction.depth)
        assert np.array_equal(arrays["disparity"], prediction.disparity)
        assert str(arrays["scale"]) == "metric" and str(arrays["depth_is"]) == "z"
        assert arrays["K"].tolist() == [[10, 0, 7], [0, 11, 5], [0, 0, 1]]


def test_npz_of_a_lens_says_what_the_depth_is_and_what_the_lens_is(tmp_path: Path) -> None:
    lens = Lens("kannala-brandt", (0.1, -0.02))
    camera = Camera(fx=5.0, fy=5.0, cx=7.0, cy=5.0, width=16, height=12, lens=lens)
    write_npz(tmp_path / "a.npz", replace(_prediction(camera), depth_is="ray"))
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert str(arrays["depth_is"]) == "ray" and str(arrays["lens"]) == lens.model
        assert tuple(arrays["lens_coefficients"]) == lens.coefficients


def test_where_there_is_no_depth_every_kind_of_file_says_so(tmp_path: Path) -> None:
    prediction = _prediction()
    known = np.arange(12 * 16).reshape(12, 16) % 3 > 0
    prediction = replace(prediction, depth=prediction.depth * known, disparity=prediction.disparity * known)
    for name, write in (("png16", write_png16), ("kitti", write_kitti), ("color", write_color)):
        write(tmp_path / f"{name}.png", prediction)
    for name in ("png16", "kitti"):
        assert np.array_equal(np.asarray(Image.open(tmp_path / f"{name}.png")) > 0, known)
    colours = np.asarray(Image.open(tmp_path / "color.png"))
    assert not colours[~known].any() and colours[known].any(axis=-1).all()


def test_the_note_beside_png16_says_what_the_depth_is(tmp_path: Path) -> None:
    for depth_is, words in (("z", "along z"), ("ray", "the distance along the ray")):
        write_png16_note(tmp_path, "relative", depth_is=depth_is)  # type: ignore[arg-type]
        assert words in (tmp_path / "README.txt").read_text()


def test_npz_has_no_k_where_no_camera_is_known(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", _prediction())
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert set(arrays) == {"depth", "disparity", "scale", "depth_is"}


def test_png16_holds_depth_times_256_clipped_and_never_zero(tmp_path: Path) -> None:
    prediction = _prediction()
    write_png16(tmp_path / "a.png", prediction)
    with Image.open(tmp_path / "a.png") as image:
        stored = np.asarray(image).astype(np.float64)
        assert image.mode == "I;16"
    assert stored.min() >= 1 and stored.max() == 65535
    inside = prediction.depth < 255.9
    np.testing.assert_allclose(stored[inside] / 256, prediction.depth[inside], atol=0.5 / 256 + 1e-5)


@pytest.mark.parametrize(
    ("metres", "stored"),
    [(0.5, 128), (80.0, 20480), (80.1, 20480), (1e6, 20480), (79.999, 20480), (10.001, 2560), (1e-4, 1), (1e-3, 1)],
)
def test_depths_for_kitti_are_rounded_clamped_to_80_m_and_never_zero(
    tmp_path: Path, metres: float, stored: int
) -> None:
    depth = np.full((3, 4), metres, np.float32)
    write_kitti(tmp_path / "a.png", DepthPrediction(depth=depth, disparity=1 / depth, scale="metric", camera=None))
    assert (read_depth_png(tmp_path / "a.png") == stored / 256).all()


def test_the_file_for_kitti_is_png16_with_a_bound(tmp_path: Path) -> None:
    depth = np.geomspace(0.1, 500, 60, dtype=np.float32).reshape(5, 12)
    prediction = DepthPrediction(depth=depth, disparity=1 / depth, scale="metric", camera=None)
    write_png16(tmp_path / "plain.png", prediction)
    write_kitti(tmp_path / "kitti.png", prediction)
    bounded, plain = read_depth_png(tmp_path / "kitti.png"), read_depth_png(tmp_path / "plain.png")
    assert np.array_equal(bounded, np.minimum(plain, 80))
    assert bounded.max() == 80 < plain.max()


@pytest.mark.parametrize(("scale", "sentence"), [("relative", "not metres"), ("metric", "Unit: metres.")])
def test_a_note_beside_16_bit_pngs_says_what_they_hold(tmp_path: Path, scale: str, sentence: str) -> None:
    write_png16_note(tmp_path, scale)  # type: ignore[arg-type]
    assert sentence in (tmp_path / "README.txt").read_text()


def test_the_colour_png_is_the_picture(tmp_path: Path) -> None:
    prediction = _prediction()
    write_color(tmp_path / "a.png", prediction, (0.1, 2.0))
    expected = colorize_disparity(prediction.disparity, low=0.1, high=2.0)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), expected)


def test_a_video_keeps_rate_count_and_order_and_odd_sizes_are_padded(tmp_path: Path) -> None:
    with create_video(tmp_path / "a.mp4", Fraction(30000, 1001)) as video:
        for frame in _frames(6, height=41, width=63):
            video.write(frame)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name in ("h264", "mpeg4") and stream.average_rate == Fraction(30000, 1001)
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert [frame.shape for frame in frames] == [(42, 64, 3)] * 6
    np.testing.assert_allclose([frame.mean() for frame in frames], [40 * number for number in range(6)], atol=4)


def test_a_picture_of_another_size_is_fitted_into_the_video(tmp_path: Path) -> None:
    with create_video(tmp_path / "a.mp4", Fraction(10)) as video:
        video.write(np.full((40, 60, 3), 200, np.uint8))
        video.write(np.full((40, 20, 3), 200, np.uint8))
    with av.open(str(tmp_path / "a.mp4")) as container:
        last = list(container.decode(video=0))[-1].to_ndarray(format="rgb24")
    assert last.shape == (40, 60, 3) and last[20, 30].min() > 180 and last[20, 3].max() < 20


def test_a_place_that_cannot_be_written_to_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_npz(tmp_path / "file" / "a.npz", _prediction())
    with pytest.raises(OutputError, match="cannot write"), create_video(tmp_path / "file" / "a.mp4", Fraction(10)):
        pass


@pytest.mark.parametrize("folder", ["12:30:15", "http:", "a%03d"])
def test_a_video_is_written_into_a_folder_of_any_name(
    tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with create_video(Path(folder) / "video.mp4", Fraction(10)) as video:
        for image in _frames(3):
            video.write(image)
    with av.open(f"file:{tmp_path / folder / 'video.mp4'}") as container:
        assert sum(1 for _ in container.decode(video=0)) == 3


def test_a_video_of_the_same_frames_is_the_same_file_each_time(tmp_path: Path) -> None:
    # 96x96 is a size in which x264, left to itself, does not repeat itself in half of the cases.
    coarse = np.random.default_rng(0).integers(0, 256, (6, 12, 12, 3)).astype(np.uint8)
    frames = coarse.repeat(8, axis=1).repeat(8, axis=2)

    def written() -> bytes:
        with create_video(tmp_path / "video.mp4", Fraction(20)) as video:
            for number, frame in enumerate(frames):
                video.write(frame, number / 20)
        return (tmp_path / "video.mp4").read_bytes()

    assert len({written() for _ in range(12)}) == 1

"""Files of predictions, and the pipeline that writes them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from selfdepth.errors import DataError, OutputError
from selfdepth.files import whole_file
from selfdepth.geometry.camera import Camera
from selfdepth.inference.inputs import PredictionInput
from selfdepth.inference.predictor import Predictor
from selfdepth.inference.save import SaveOptions, output_paths, save_predictions
from selfdepth.inference.threads import read_ahead
from selfdepth.inference.visualize import colorize_disparity
from selfdepth.inference.writers import create_video, write_color, write_npz, write_png16, write_png16_note
from selfdepth.structs import DepthPrediction


def _prediction(camera: Camera | None = None, scale: str = "relative") -> DepthPrediction:
    disparity = np.geomspace(0.002, 10, 12 * 16).reshape(12, 16).astype(np.float32)
    return DepthPrediction(depth=1 / disparity, disparity=disparity, scale=scale, camera=camera)  # type: ignore[arg-type]


def _frames(count: int, height: int = 40, width: int = 60) -> list[np.ndarray]:
    return [np.full((height, width, 3), 40 * number, np.uint8) for number in range(count)]


def _source(frames: list[np.ndarray], **changes: object) -> PredictionInput:
    names = tuple(f"{number:06d}" for number in range(len(frames)))
    return PredictionInput(
        **{"name": "drive", "names": names, "read": lambda: iter(frames), "first_size": (60, 40), **changes}
    )  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def predictor(model: Path) -> Predictor:
    return Predictor.load(model, device="cpu", precision="fp32")


def test_npz_holds_the_exact_numbers_the_scale_and_the_camera_without_pickles(tmp_path: Path) -> None:
    camera = Camera(fx=10.0, fy=11.0, cx=7.0, cy=5.0, width=16, height=12)
    prediction = _prediction(camera, "metric")
    write_npz(tmp_path / "a.npz", prediction)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert set(arrays) == {"depth", "disparity", "scale", "K"}
        assert np.array_equal(arrays["depth"], prediction.depth)
        assert np.array_equal(arrays["disparity"], prediction.disparity)
        assert str(arrays["scale"]) == "metric"
        assert arrays["K"].tolist() == [[10, 0, 7], [0, 11, 5], [0, 0, 1]]


def test_npz_has_no_k_where_no_camera_is_known(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", _prediction())
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert set(arrays) == {"depth", "disparity", "scale"}


def test_png16_holds_depth_times_256_clipped_and_never_zero(tmp_path: Path) -> None:
    prediction = _prediction()
    write_png16(tmp_path / "a.png", prediction)
    with Image.open(tmp_path / "a.png") as image:
        stored = np.asarray(image).astype(np.float64)
        assert image.mode == "I;16"
    assert stored.min() >= 1 and stored.max() == 65535
    inside = prediction.depth < 255.9
    np.testing.assert_allclose(stored[inside] / 256, prediction.depth[inside], atol=0.5 / 256 + 1e-5)


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


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt), whole_file(tmp_path / "a") as temporary:
        temporary.write_text("ne")
        raise KeyboardInterrupt
    assert (tmp_path / "a").read_text() == "old" and len(list(tmp_path.iterdir())) == 1
    with whole_file(tmp_path / "new" / "b") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "new" / "b").read_text() == "new"


def test_a_place_that_cannot_be_written_to_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_npz(tmp_path / "file" / "a.npz", _prediction())
    with pytest.raises(OutputError, match="cannot write"), create_video(tmp_path / "file" / "a.mp4", Fraction(10)):
        pass


def test_every_kind_is_written_for_every_frame_in_order(predictor: Predictor, tmp_path: Path) -> None:
    source, seen = _source(_frames(5)), []
    kinds = ("color", "npz", "png16", "mp4")
    assert (
        save_predictions(predictor, source, tmp_path, SaveOptions(kinds=kinds, batch_size=2), advance=seen.append) == 5
    )
    assert seen == [1] * 5
    written = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    promised = {path.relative_to(tmp_path) for path in output_paths(source, tmp_path, kinds)}
    assert written == promised | {Path("png16/README.txt")} and len(promised) == 16
    for number, frame in enumerate(_frames(5)):
        with np.load(tmp_path / f"npz/{number:06d}.npz") as arrays:
            np.testing.assert_allclose(arrays["depth"], predictor.predict(frame).depth, rtol=1e-4)
    with av.open(str(tmp_path / "video.mp4")) as container:
        films = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert [film.shape for film in films] == [(80, 60, 3)] * 5
    np.testing.assert_allclose([film[:38].mean() for film in films], [40 * number for number in range(5)], atol=5)


def test_the_camera_of_the_source_goes_into_the_files(predictor: Predictor, tmp_path: Path) -> None:
    source = _source(_frames(1), camera_for=lambda width, height: Camera.from_fov(90.0, width=width, height=height))
    save_predictions(predictor, source, tmp_path, SaveOptions(kinds=("npz",)))
    with np.load(tmp_path / "npz/000000.npz") as arrays:
        np.testing.assert_allclose(arrays["K"], [[30, 0, 29.5], [0, 30, 19.5], [0, 0, 1]])


@pytest.mark.parametrize("failure", [DataError("the image cannot be read", where="3.jpg"), KeyboardInterrupt()])
def test_a_failure_on_the_way_leaves_whole_files_only(
    predictor: Predictor, tmp_path: Path, failure: BaseException
) -> None:
    def read() -> Iterator[np.ndarray]:
        yield from _frames(3)
        raise failure

    source = _source(_frames(6), read=read)
    with pytest.raises(type(failure)):
        save_predictions(predictor, source, tmp_path, SaveOptions(kinds=("color", "npz", "mp4"), batch_size=1))
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert written <= {f"{kind}" for n in range(3) for kind in (f"color/{n:06d}.png", f"npz/{n:06d}.npz")}
    for path in tmp_path.rglob("*.npz"):
        with np.load(path) as arrays:
            assert arrays["depth"].shape == (40, 60)


def test_reading_ahead_changes_nothing_but_the_time() -> None:
    assert list(read_ahead(range(100), depth=3)) == list(range(100))
    assert list(read_ahead([], depth=3)) == []


def test_reading_ahead_stops_at_its_depth_and_with_its_reader() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in range(1000):
            made.append(number)
            yield number

    ahead = read_ahead(items(), depth=2)
    assert next(ahead) == 0
    time.sleep(0.2)
    assert len(made) <= 5
    ahead.close()
    count = len(made)
    time.sleep(0.2)
    assert len(made) == count <= 6

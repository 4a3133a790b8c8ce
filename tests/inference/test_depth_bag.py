"""Bags of depth, read back with our reader and with that of `rosbags`."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rosbags")

from rosbags.highlevel import AnyReader

from helpers.bags import KINDS, START_NS, STEP_NS, Kind, compressed, encoded, frames, image, info, stamps, write_bag
from helpers.models import tiny_config, write_model
from selfdepth.cli.main import main
from selfdepth.data.readers.bag_files import opened_bag
from selfdepth.data.readers.bag_topics import image_topics
from selfdepth.errors import ConfigError, DataError, OutputError, SelfDepthError, SelfDepthWarning
from selfdepth.geometry.camera import Camera
from selfdepth.inference import depth_bag
from selfdepth.inference.depth_bag import BAG_FILES, bag_factor, check_bag, create_bag, describe_bag, headers_of
from selfdepth.inference.inputs import PredictionInput, open_inputs
from selfdepth.inference.predict import predict_inputs
from selfdepth.inference.predictor import Predictor
from selfdepth.inference.save import SaveOptions, save_predictions
from selfdepth.structs import DepthPrediction

CAMERA = Camera(fx=40.0, fy=41.0, cx=23.0, cy=15.0, width=48, height=32)


@pytest.fixture(scope="module")
def metric(tmp_path_factory: pytest.TempPathFactory) -> Path:
    camera = Camera(fx=80.0, fy=81.0, cx=47.0, cy=31.0, width=96, height=64)
    return write_model(tmp_path_factory.mktemp("metric"), tiny_config(), camera=camera, scale="metric")


@pytest.fixture(scope="module")
def relative(model: Path) -> Predictor:
    return Predictor.load(model, device="cpu", precision="fp32")


def drive(path: Path, kind: Kind = "mcap", *, topic: str = "/cam/image_raw", **options: Any) -> Path:
    """A bag whose images were recorded 5 ms after they were taken."""
    messages = []
    for pixels, stamp in zip(frames(4), stamps(4), strict=True):
        late = replace(image(pixels, stamp, topic=topic), log_ns=stamp + 5_000_000)
        messages.append(late)
        if options.get("camera", CAMERA) is not None:
            lens = {key: options[key] for key in ("model", "D") if key in options}
            messages.append(info(options.get("camera", CAMERA), stamp, **lens))
    return write_bag(path, messages, kind)


def read(bag: Path) -> dict[str, list[tuple[int, Any]]]:
    """Every topic's messages, with their times of recording, as `rosbags` reads them."""
    found: dict[str, list[tuple[int, Any]]] = {}
    with AnyReader([bag]) as reader:
        for connection, log_ns, data in reader.messages():
            message = reader.deserialize(data, connection.msgtype)
            found.setdefault(connection.topic, []).append((log_ns, message))
    return found


def in_times(count: int = 3, start_s: float = 0.0) -> PredictionInput:
    times = tuple(start_s + 0.04 * i for i in range(count))
    names = tuple(f"{i:06d}" for i in range(count))
    return PredictionInput(
        name="street", names=names, read=lambda: iter(frames(count)), first_size=(48, 32), times_s=times
    )


def predicted(tmp_path: Path, model: Path, bag: Path, *kinds: Any) -> dict[str, list[tuple[int, Any]]]:
    """The messages of the bag that is written for a bag."""
    out = tmp_path / "out"
    predict_inputs(str(model), open_inputs((str(bag),), camera=None), out, SaveOptions(kinds=("bag", *kinds)))
    return read(out / "bag")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def pixels_of(message: Any) -> np.ndarray:
    return np.frombuffer(message.data.tobytes(), "<f4").reshape(message.height, message.width)


@pytest.mark.parametrize("kind", KINDS)
def test_depth_has_the_stamps_the_frame_and_the_camera_of_its_images(tmp_path: Path, metric: Path, kind: Kind) -> None:
    bag, out = drive(tmp_path / "drive", kind), tmp_path / "out"
    found = predicted(tmp_path, metric, bag, "npz")
    assert sorted(path.name for path in (out / "bag").iterdir()) == sorted(BAG_FILES)
    assert sorted(found) == ["/cam/depth/camera_info", "/cam/depth/image_rect"]
    for topic in found.values():
        assert [log_ns for log_ns, _ in topic] == [START_NS + i * STEP_NS + 5_000_000 for i in range(4)]
        headers = [message.header for _, message in topic]
        assert [each.stamp.sec * 10**9 + each.stamp.nanosec for each in headers] == stamps(4)
        assert {each.frame_id for each in headers} == {"camera"}
    for i, (_, message) in enumerate(found["/cam/depth/image_rect"]):
        assert (message.encoding, message.step, message.is_bigendian) == ("32FC1", 4 * 48, 0)
        with np.load(out / f"npz/{START_NS + i * STEP_NS}.npz") as arrays:
            np.testing.assert_array_equal(pixels_of(message), arrays["depth"])
    for _, message in found["/cam/depth/camera_info"]:
        np.testing.assert_array_equal(message.k, CAMERA.matrix().ravel())
        assert (message.distortion_model, message.d.tolist()) == ("plumb_bob", [0] * 5)


def test_our_reader_finds_depth_and_its_camera(tmp_path: Path, metric: Path) -> None:
    predicted(tmp_path, metric, drive(tmp_path / "drive"))
    with opened_bag(tmp_path / "out/bag") as bag:
        (topic,) = image_topics(bag)
        assert topic.depth and topic.topic.count == 4
        message = bag.parsed(next(bag.records(topic.topic.name)), topic.topic.name)
        assert (message.width, message.height) == (48, 32)


def test_a_lens_goes_into_camera_info_and_its_depth_is_not_called_rectified(tmp_path: Path, metric: Path) -> None:
    D = (-0.2, 0.03, 0.001, -0.002, 0.0)
    found = predicted(tmp_path, metric, drive(tmp_path / "drive", model="plumb_bob", D=D))
    _, message = found["/cam/depth/camera_info"][0]
    assert (message.distortion_model, message.d.tolist()) == ("plumb_bob", list(D))
    np.testing.assert_array_equal(message.k, CAMERA.matrix().ravel())
    assert "/cam/depth/image_raw" in found and "/cam/depth/image_rect" not in found


def test_pixels_without_depth_are_nan(tmp_path: Path, metric: Path) -> None:
    wide = Camera(fx=14.0, fy=14.0, cx=23.5, cy=15.5, width=48, height=32)
    bag = drive(tmp_path / "drive", camera=wide, model="equidistant", D=(0.01, 0, 0, 0))
    _, message = predicted(tmp_path, metric, bag, "npz")["/cam/depth/image_raw"][0]
    with np.load(tmp_path / f"out/npz/{START_NS}.npz") as arrays:
        unknown = arrays["depth"] == 0
    assert unknown.any() and not unknown.all()
    np.testing.assert_array_equal(np.isnan(pixels_of(message)), unknown)


def test_without_a_camera_info_it_is_the_models_camera_and_without_that_a_k_of_zeros(
    tmp_path: Path, metric: Path, recwarn: pytest.WarningsRecorder
) -> None:
    found = predicted(tmp_path, metric, drive(tmp_path / "drive", camera=None))
    resized = Camera(fx=80.0, fy=81.0, cx=47.0, cy=31.0, width=96, height=64).resized(48, 32)
    np.testing.assert_allclose(found["/cam/depth/camera_info"][0][1].k, resized.matrix().ravel())
    assert not [each for each in recwarn if "K of zeros" in str(each.message)]
    stranger = write_model(tmp_path / "stranger", tiny_config(), scale="metric")
    with pytest.warns(SelfDepthWarning, match=r"its camera is not known.*K of zeros"):
        found = predicted(tmp_path, stranger, tmp_path / "drive")
    assert not found["/cam/depth/camera_info"][0][1].k.any()
    assert "/cam/depth/image_raw" in found, "what is not calibrated is not called rectified"


@pytest.mark.parametrize(
    ("topic", "space"),
    [
        ("/cam/image_raw/compressed", "/cam"),
        ("/robot/front/image_rect_color", "/robot/front"),
        ("/image", ""),
    ],
)
def test_depth_lies_beside_the_topic_of_its_images(tmp_path: Path, metric: Path, topic: str, space: str) -> None:
    if topic.endswith("compressed"):
        messages = [compressed(encoded(each), stamp) for each, stamp in zip(frames(2), stamps(2), strict=True)]
    else:
        messages = [image(each, stamp, topic=topic) for each, stamp in zip(frames(2), stamps(2), strict=True)]
    bag = write_bag(tmp_path / "drive", [*messages, info(CAMERA, START_NS, topic=f"{space}/camera_info")])
    assert sorted(predicted(tmp_path, metric, bag)) == [f"{space}/depth/camera_info", f"{space}/depth/image_rect"]


def test_a_video_has_stamps_from_its_start_but_none_of_zero(tmp_path: Path, relative: Predictor) -> None:
    options = SaveOptions(kinds=("bag",), metres_per_unit=2.0)
    save_predictions(relative, in_times(), tmp_path, options)
    found = read(tmp_path / "bag")["/camera/depth/image_rect"]
    assert [log_ns for log_ns, _ in found] == [1, 40_000_001, 80_000_001]
    assert {message.header.frame_id for _, message in found} == {"camera_optical_frame"}
    np.testing.assert_allclose(pixels_of(found[0][1]), 2 * relative.predict(frames(3)[0]).depth, rtol=1e-5)
    later = [each.stamp_ns for each in headers_of(in_times(start_s=1_700_000_000.0))]
    assert later[0] == START_NS and later[1] - later[0] == pytest.approx(40_000_000, abs=300)


def test_relative_depth_is_refused_or_in_topics_that_say_so(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(model), str(drive(tmp_path / "drive")), "--out", str(tmp_path / "out"), "--save", "bag"]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "relative" in said and "selfdepth calibrate" in said and "--allow-relative" in said
    assert not (tmp_path / "out").exists()
    assert main([*words, "--allow-relative"]) == 0
    assert "NOT metres" in capsys.readouterr().out
    assert sorted(read(tmp_path / "out/bag")) == ["/cam/relative_depth/camera_info", "/cam/relative_depth/image_rect"]
    assert main([*words, "--factor", "3"]) == 0
    assert "metres along z, times 3" in capsys.readouterr().out
    assert "/cam/depth/image_rect" in read(tmp_path / "out/bag"), "a bag of ours is replaced"


def test_the_factor_is_the_given_one_before_the_models_own(metric: Path, relative: Predictor) -> None:
    known = Predictor.load(metric, device="cpu")
    assert bag_factor(known, None, allow_relative=False, model="m") == 1
    assert bag_factor(known, 2.0, allow_relative=True, model="m") == 2
    assert bag_factor(relative, None, allow_relative=True, model="m") is None
    with pytest.raises(ConfigError):
        bag_factor(relative, None, allow_relative=False, model="m")
    assert "NOT metres" in describe_bag(relative, None) and "times 2" in describe_bag(known, 2.0)


def _stills(tmp_path: Path) -> PredictionInput:
    return replace(in_times(), times_s=None)


def _in_the_future(tmp_path: Path) -> PredictionInput:
    return in_times(start_s=3e9)


def _recording_in_the_way(tmp_path: Path) -> PredictionInput:
    drive(tmp_path / "bag")  # with the very names of files that ours would have
    return in_times()


def _file_in_the_way(tmp_path: Path) -> PredictionInput:
    (tmp_path / "bag").write_text("notes")
    return in_times()


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (_stills, DataError, "the times of these frames are not known.*leave --save bag out"),
        (_in_the_future, DataError, "does not fit into a stamp.*3000000000"),
        (_recording_in_the_way, OutputError, "something else has the place of the bag"),
        (_file_in_the_way, OutputError, "something else has the place of the bag.*got bag"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, relative: Predictor, make: Any, kind: type[SelfDepthError], words: str
) -> None:
    source = make(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(kind, match=words):
        check_bag(source, tmp_path, relative)
    assert contents(tmp_path) == before


def test_without_rosbags_it_is_said_how_to_install_it(
    tmp_path: Path, relative: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(depth_bag.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'selfdepth\[ros\]'"):
        check_bag(in_times(), tmp_path, relative)


@pytest.mark.parametrize("failure", [DataError("the image cannot be read"), KeyboardInterrupt()])
def test_a_failure_on_the_way_leaves_no_bag_and_an_older_one_as_it_was(
    tmp_path: Path, relative: Predictor, failure: BaseException
) -> None:
    def broken() -> Any:
        yield from frames(2)
        raise failure

    options = SaveOptions(kinds=("bag",), metres_per_unit=1.0, batch_size=1)
    source = replace(in_times(), read=broken)
    with pytest.raises(type(failure)):
        save_predictions(relative, source, tmp_path, options)
    assert not list(tmp_path.iterdir())
    save_predictions(relative, in_times(), tmp_path, options)
    before = contents(tmp_path)
    with pytest.raises(type(failure)):
        save_predictions(relative, source, tmp_path, options)
    assert contents(tmp_path) == before


def test_frames_of_two_sizes_are_refused(tmp_path: Path, relative: Predictor) -> None:
    source = replace(in_times(2), read=lambda: iter([frames(1)[0], frames(1, (60, 40))[0]]))
    with pytest.raises(DataError, match=r"two sizes.*48x32.*60x40"):
        save_predictions(relative, source, tmp_path, SaveOptions(kinds=("bag",), metres_per_unit=1.0))
    assert not list(tmp_path.iterdir())


def test_a_bag_takes_no_more_memory_the_longer_it_is(tmp_path: Path) -> None:
    depth = np.ones((500, 500), np.float32)
    prediction = DepthPrediction(depth=depth, disparity=depth, scale="metric", camera=None)
    source = replace(in_times(60), first_size=(500, 500))
    with create_bag(tmp_path, source, None, 1.0) as bag:
        bag.write(prediction, 0)  # what is made once
        tracemalloc.start()
        try:
            for index in range(1, 60):
                bag.write(prediction, index)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 15e6, "the frames have 60 MB"
    assert (tmp_path / "bag/bag.mcap").stat().st_size > 60e6 * 0.99

"""The live loop with a small model: what it shows, records and counts, and how it ends."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from helpers.models import HEIGHT, WIDTH, depth_only, tiny_config, untrained, write_model
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera
from selfdepth.inference.predict import ReadyModel, load_ready
from selfdepth.live.run import LiveOptions, go_live
from selfdepth.live.sources import LiveFrame
from selfdepth.structs import MetricScale

OPTIONS = LiveOptions(port=0)


@dataclass(frozen=True)
class Frames:
    """A source of noise in these sizes. What follows the last frame is an end, an error or silence."""

    sizes: tuple[tuple[int, int], ...] = ((WIDTH, HEIGHT),) * 3
    error: Exception | None = None
    name: str = "street"
    returns: bool = False
    files: tuple[Path, ...] = ()
    camera: Camera | None = None
    endless: bool = False

    def frames(self, stop: threading.Event) -> Iterator[LiveFrame]:
        import time

        for number, (width, height) in enumerate(self.sizes):
            pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)
            yield LiveFrame(
                read=lambda pixels=pixels: pixels,  # type: ignore[misc]
                arrived_s=time.monotonic(),
                time_s=number / 5,
                camera_for=lambda width, height: self.camera,
            )
        if self.error is not None:
            raise self.error
        if self.endless:
            stop.wait(60)


@pytest.fixture(scope="module")
def ready(model: Path) -> ReadyModel:
    return load_ready(str(model), (), device="cpu", precision="fp32")


def run(ready: ReadyModel, source: Frames, **more: Any) -> dict[str, Any]:
    options = LiveOptions(port=0, lossless=True)
    return go_live(ready, ready.predictor.predict, source, more.pop("options", options), **more)


def after(looks: int) -> Callable[[], bool]:
    """A user who ends it after so many looks, of which each takes a frame, if there is one."""
    left = iter(range(looks))
    return lambda: next(left, None) is None


def sizes_of(video: Path) -> list[tuple[int, int]]:
    with av.open(str(video)) as container:
        return [(frame.width, frame.height) for frame in container.decode(video=0)]


def times_of(video: Path) -> list[float]:
    with av.open(str(video)) as container:
        return [frame.time for frame in container.decode(video=0)]


def test_every_frame_is_counted_with_its_latency(ready: ReadyModel) -> None:
    found = run(ready, Frames())
    assert (found["frames"], found["predicted"], found["dropped"]) == (3, 3, 0)
    assert 0 < found["latency_ms"]["p50"] <= found["latency_ms"]["p95"] <= found["latency_ms"]["max"]
    assert (found["state"], found["losses"], found["size"]) == ("ended", 0, [WIDTH, HEIGHT])
    assert found["unit"] == "units" and "relative" in found["about"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_depth_is_that_of_predict(ready: ReadyModel) -> None:
    source = Frames(sizes=((80, 48),))
    image = next(source.frames(threading.Event())).read()
    depth = ready.predictor.predict(image).depth
    assert run(ready, source)["middle"] == pytest.approx(float(depth[24, 40]), rel=1e-3)


def test_a_calibrated_model_shows_metres(ready: ReadyModel) -> None:
    metric = MetricScale(factor=20.0, spread=0.02, witness="height 1.65 m")
    calibrated = replace(ready.weights, metric=metric)
    in_metres = replace(ready, weights=calibrated, predictor=type(ready.predictor)(calibrated, device="cpu"))
    found, own = run(in_metres, Frames()), run(ready, Frames())
    assert found["unit"] == "m" and "height 1.65 m" in found["about"]
    assert found["middle"] == pytest.approx(20 * own["middle"], rel=2e-3)


def test_the_recording_holds_each_frame_above_its_depth_at_its_time(ready: ReadyModel, tmp_path: Path) -> None:
    video = tmp_path / "out.mp4"
    run(ready, Frames(), options=LiveOptions(port=0, lossless=True, record=video))
    assert sizes_of(video) == [(WIDTH, 2 * HEIGHT)] * 3
    assert times_of(video) == pytest.approx([0.0, 0.2, 0.4], abs=1e-3)


def test_frames_may_change_their_size_and_the_recording_keeps_its_own(ready: ReadyModel, tmp_path: Path) -> None:
    video = tmp_path / "out.mp4"
    source = Frames(sizes=((96, 64), (64, 96), (200, 50)))
    found = run(ready, source, options=LiveOptions(port=0, lossless=True, record=video))
    assert found["size"] == [200, 50] and sizes_of(video) == [(96, 128)] * 3


def test_a_source_that_fails_leaves_a_whole_recording_of_what_it_gave(ready: ReadyModel, tmp_path: Path) -> None:
    video = tmp_path / "out.mp4"
    with pytest.raises(DataError, match="damaged"):
        run(
            ready,
            Frames(error=DataError("the video is damaged")),
            options=LiveOptions(port=0, lossless=True, record=video),
        )
    assert len(sizes_of(video)) == 3 and [*tmp_path.iterdir()] == [video]


def test_a_source_without_a_frame_leaves_nothing(ready: ReadyModel, tmp_path: Path) -> None:
    for source in (Frames(sizes=()), Frames(sizes=(), error=DataError("there is no such camera"))):
        with pytest.raises(DataError, match=r"gave no frame|no such camera"):
            run(ready, source, options=LiveOptions(port=0, record=tmp_path / "out.mp4"))
    assert not [*tmp_path.iterdir()]


def test_ended_at_once_it_has_recorded_one_frame(ready: ReadyModel, tmp_path: Path) -> None:
    video = tmp_path / "out.mp4"
    for ended in ({"stopped": lambda: True}, {"options": LiveOptions(port=0, record=video, duration_s=1e-9)}):
        with suppress(DataError):  # the first frame may come after the end of so short a time
            run(ready, Frames(endless=True), **{"options": LiveOptions(port=0, record=video), **ended})
            assert len(sizes_of(video)) == 1


def test_the_user_ends_it_and_the_recording_is_whole(ready: ReadyModel, tmp_path: Path) -> None:
    video = tmp_path / "out.mp4"
    found = run(
        ready,
        Frames(endless=True),
        options=LiveOptions(port=0, lossless=True, record=video),
        stopped=after(6),
    )
    assert found["predicted"] == 3 and len(sizes_of(video)) == 3


def test_it_ends_after_its_time(ready: ReadyModel) -> None:
    assert run(ready, Frames(endless=True), options=LiveOptions(port=0, duration_s=0.3))["predicted"] >= 1


def test_a_silent_source_ends_after_the_time_in_one_sentence(ready: ReadyModel) -> None:
    with pytest.raises(DataError, match=r"gave no frame.*none in 0.2 s"):
        run(ready, Frames(sizes=(), endless=True), options=LiveOptions(port=0, duration_s=0.2))


def test_the_page_shows_the_figures_and_the_pictures_while_it_runs(ready: ReadyModel) -> None:
    url, done = list[str](), threading.Event()
    thread = threading.Thread(
        target=lambda: run(ready, Frames(endless=True), tell_page=url.append, stopped=done.is_set), daemon=True
    )
    thread.start()
    for _ in range(600):
        if url:
            break
        thread.join(0.05)
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{url[0]}figures.json", timeout=30) as answer:
            assert json.load(answer)["source"] == "street"
        with opener.open(f"{url[0]}depth.mjpg", timeout=30) as answer:
            assert b"image/jpeg" in answer.read(80)
    finally:
        done.set()
        thread.join(30)


def test_frames_of_the_training_size_are_cropped_as_these_were_and_others_are_not(tmp_path: Path) -> None:
    config = tiny_config(crop="16,0,0,0")
    camera = Camera(fx=80.0, fy=81.0, cx=47.0, cy=30.0, width=WIDTH, height=HEIGHT + 16)
    folder = write_model(tmp_path, config, state=depth_only(untrained(config).state_dict()), camera=camera)
    cropped = load_ready(str(folder), (), device="cpu", precision="fp32")
    assert run(cropped, Frames(sizes=((WIDTH, HEIGHT + 16),)))["size"] == [WIDTH, HEIGHT]
    with pytest.warns(SelfDepthWarning, match="are not cropped"):
        assert run(cropped, Frames(sizes=((WIDTH, 80 - 16),) * 2))["size"] == [WIDTH, HEIGHT]


def test_too_small_frames_of_a_recording_end_it_in_one_sentence_and_what_came_before_stays(
    ready: ReadyModel, tmp_path: Path
) -> None:
    video = tmp_path / "out.mp4"
    options = LiveOptions(port=0, lossless=True, record=video)
    with pytest.raises(DataError, match="too small"):
        run(ready, Frames(sizes=((8, 8), (96, 64))), options=options)
    assert not video.exists()
    with pytest.raises(DataError, match="too small"):
        run(ready, Frames(sizes=((96, 64), (96, 64), (8, 8), (96, 64))), options=options)
    assert len(sizes_of(video)) == 2


def test_frames_of_a_camera_that_cannot_be_used_are_left_out_and_that_is_said_once(
    ready: ReadyModel, tmp_path: Path
) -> None:
    video, said = tmp_path / "out.mp4", list[str]()
    options = LiveOptions(port=0, lossless=True, record=video)
    camera = Frames(sizes=((8, 8), (96, 64), (8, 8), (8, 8), (96, 64)), returns=True, endless=True)
    assert run(ready, camera, options=options, say=said.append, stopped=after(7))["predicted"] == 2
    assert len(sizes_of(video)) == 2 and sum("left out" in each for each in said) == 1
    video.unlink()
    with pytest.raises(DataError, match="too small"):
        run(ready, replace(camera, sizes=((8, 8),)), options=options, stopped=after(2))
    assert not video.exists()

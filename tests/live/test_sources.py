"""What a source may be, how its frames come, and what is refused."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from helpers.live import mpegts, tcp_stream
from helpers.rtsp import rtsp_camera
from selfdepth.errors import ConfigError, DataError
from selfdepth.limits import VARIABLE
from selfdepth.live import capture
from selfdepth.live.capture import Capture
from selfdepth.live.sources import RecordedSource, SourceOptions, StreamSource, open_source, shown

OPTIONS = SourceOptions()


def grey(source: Any) -> list[int]:
    """The level of each frame, in tens."""
    return [round(float(each.read().mean()) / 10) for each in source.frames(threading.Event())]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(3):
        Image.new("RGB", (32, 24), (50 * number,) * 3).save(tmp_path / f"{number:04d}.png")
    return tmp_path


class Opened:
    """Stands for `av.open`: notes what it was asked, and opens a stream in memory."""

    def __init__(self, data: bytes) -> None:
        self.data, self.asked = data, list[tuple[str, str | None, dict[str, str]]]()

    def __call__(self, address: str, *, format: str | None, options: dict[str, str], **more: Any) -> Any:
        import io

        self.asked.append((address, format, options))
        return av.open(io.BytesIO(self.data), format="mpegts")


def test_a_number_is_a_camera_read_through_v4l2(tmp_path: Path) -> None:
    (tmp_path / "video0").touch()
    opener = Opened(mpegts())
    source = open_source("0", OPTIONS, opener=opener, devices=tmp_path)
    assert grey(source) == [4, 7, 10, 14, 17, 20] and source.returns
    assert opener.asked[0][:2] == (str(tmp_path / "video0"), "v4l2")


def test_a_camera_that_is_not_there_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such camera.*video7; got no camera at all"):
        open_source("7", OPTIONS, devices=tmp_path)
    (tmp_path / "video2").touch()
    with pytest.raises(DataError, match="one of video2"):
        open_source("7", OPTIONS, devices=tmp_path)


def test_a_camera_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "video0").touch()

    def busy(*words: Any, **more: Any) -> Any:
        raise OSError(16, "Device or resource busy")

    with pytest.raises(DataError, match="the camera cannot be opened: camera 0; got Device or resource busy"):
        grey(open_source("0", OPTIONS, opener=busy, devices=tmp_path))


def test_what_does_not_answer_is_said_to_and_for_how_long() -> None:
    def silent(*words: Any, **more: Any) -> Any:
        raise av.error.ExitError(1414092869, "Immediate exit requested")

    with pytest.raises(DataError, match="cannot be opened: http://host/x; got no answer for 15 s"):
        grey(open_source("http://host/x", OPTIONS, opener=silent))


def test_time_goes_on_while_a_stream_is_lost() -> None:
    source = open_source("tcp://127.0.0.1:1", OPTIONS, opener=Opened(mpegts()))
    first, again = ([frame.time_s for frame in source.frames(threading.Event())] for _ in range(2))
    assert again[0] > first[-1] and sorted(again) == again


def test_a_frame_that_cannot_be_converted_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any, frame: Any) -> Any:
        raise ValueError("conversion to rgb24 is not supported")

    monkeypatch.setattr("selfdepth.data.readers.video_frames.Converter.__call__", refuse)
    with pytest.raises(DataError, match="cannot be converted"):
        grey(open_source("tcp://127.0.0.1:1", OPTIONS, opener=Opened(mpegts())))


def test_frames_of_a_stream_come_over_the_network() -> None:
    with tcp_stream(mpegts()) as address:
        assert grey(open_source(address, OPTIONS)) == [4, 7, 10, 14, 17, 20]


def test_a_stream_may_change_its_size_in_the_middle() -> None:
    with tcp_stream(mpegts([(96, 64), (64, 96), (96, 64)], frames=3)) as address:
        sizes = [each.read().shape[:2] for each in open_source(address, OPTIONS).frames(threading.Event())]
    assert [size for size, _ in itertools.groupby(sizes)] == [(64, 96), (96, 64), (64, 96)] and len(sizes) >= 6


def test_a_stream_whose_frames_grow_above_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = mpegts([(96, 64), (1280, 1024)], frames=3)
    monkeypatch.setenv(VARIABLE, "video_megapixels=1")
    with tcp_stream(data) as address:
        frames = open_source(address, OPTIONS).frames(threading.Event())
        with pytest.raises(DataError):
            for each in frames:
                assert each.read().shape == (64, 96, 3)


def test_damage_in_a_stream_costs_frames_and_does_not_end_it() -> None:
    data = bytearray(mpegts(frames=30))
    middle = len(data) // 2
    data[middle : middle + 4 * 188] = np.random.default_rng(0).bytes(4 * 188)
    with tcp_stream(bytes(data)) as address:
        levels = grey(open_source(address, OPTIONS))
    assert levels[0] == 4 and levels[-1] == 20 and len(levels) > 15


def test_a_stream_of_rubbish_is_one_sentence() -> None:
    with (
        tcp_stream(np.random.default_rng(0).bytes(300_000)) as address,
        pytest.raises(DataError, match=r"127\.0\.0\.1"),
    ):
        grey(open_source(address, OPTIONS))


def test_a_stream_that_nobody_serves_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(DataError, match=r"the stream cannot be opened.*refused"):
        grey(open_source(f"tcp://127.0.0.1:{port}", OPTIONS))


def test_a_playlist_from_the_network_cannot_name_files_of_this_machine(loopback: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret.ts"
    secret.write_bytes(mpegts())
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n"
    loopback.give("/list.m3u8", text.encode())
    with pytest.raises(DataError):
        grey(open_source(f"{loopback.url}/list.m3u8", OPTIONS))


def test_dropped_frames_are_never_converted() -> None:
    with tcp_stream(mpegts()) as address:
        frames = list(open_source(address, OPTIONS).frames(threading.Event()))
    assert len(frames) == 6 and frames[5].read().shape == (64, 96, 3)


def test_a_folder_is_played_at_its_rate_and_its_frames_arrive_when_they_are_due(folder: Path) -> None:
    source = open_source(str(folder), OPTIONS)
    start_s = time.monotonic()
    frames = list(source.frames(threading.Event()))
    assert [each.time_s for each in frames] == pytest.approx([0.0, 0.1, 0.2])
    assert all(each.arrived_s - start_s >= each.time_s for each in frames)
    assert not source.returns and len(source.files) == 3


def test_fast_does_not_wait(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    stop = threading.Event()
    monkeypatch.setattr(stop, "wait", lambda timeout: waits.append(timeout))
    frames = list(open_source(str(folder), SourceOptions(fast=True)).frames(stop))
    assert [each.time_s for each in frames] == pytest.approx([0.0, 0.1, 0.2]) and waits == [0.0] * 3


def test_a_pause_in_a_recording_is_shortened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_source(str(folder), OPTIONS)
    assert isinstance(source, RecordedSource)
    object.__setattr__(source.inputs[0], "times_s", (0.0, 3600.0, 3600.1))
    stop = threading.Event()
    monkeypatch.setattr(stop, "wait", lambda timeout: None)
    assert [each.time_s for each in source.frames(stop)] == pytest.approx([0.0, 2.0, 2.1])


def test_stopping_ends_a_recording_while_it_waits(folder: Path) -> None:
    stop = threading.Event()
    stop.set()
    assert list(open_source(str(folder), OPTIONS).frames(stop)) == []


@pytest.mark.parametrize(
    ("text", "options", "kind", "words"),
    [
        ("file:///etc/passwd", OPTIONS, ConfigError, "not read.*give the path"),
        ("concat://a|b", OPTIONS, ConfigError, "not read.*rtsp"),
        ("nothing.mp4", OPTIONS, DataError, "no such input"),
        ("", OPTIONS, ConfigError, "--source; expected the number of a camera"),
        ("rtsp://camera/", SourceOptions(fast=True), ConfigError, "--fast applies to recordings"),
        ("rtsp://camera/", SourceOptions(topic="/left"), ConfigError, "--topic applies to recordings"),
    ],
)
def test_what_is_no_source_is_refused(text: str, options: SourceOptions, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        open_source(text, options)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("rtsp://admin:secret@10.0.0.5:554/live?token=secret", "rtsp://10.0.0.5:554/live"),
        ("RTSP://[fe80::1]/x", "rtsp://[fe80::1]/x"),
        ("http://user@host/secret/../video", "http://host/secret/../video"),
        ("rtsp://host:notaport/", "rtsp://..."),
        ("street.mp4", "street.mp4"),
    ],
)
def test_passwords_of_an_address_are_never_shown(address: str, expected: str) -> None:
    assert shown(address) == expected


def test_the_password_is_in_no_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(DataError) as refused:
        grey(open_source(f"rtsp://admin:hunter2@127.0.0.1:{port}/live", OPTIONS))
    assert "hunter2" not in str(refused.value)


def test_a_stream_number_that_is_not_there_is_refused() -> None:
    with tcp_stream(mpegts()) as address, pytest.raises(DataError, match="no such stream"):
        grey(open_source(address, SourceOptions(stream=3)))


def test_rtsp_goes_over_tcp_and_lets_nothing_else_be_opened() -> None:
    source = open_source("rtsp://camera/live", OPTIONS)
    assert isinstance(source, StreamSource) and source.options["rtsp_transport"] == "tcp"
    assert "file" not in source.options["protocol_whitelist"].split(",")


def test_frames_of_a_camera_come_by_rtsp() -> None:
    asked: list[str] = []
    with rtsp_camera([40, 80, 120, 160, 200] * 3, asked=asked) as address:
        source = open_source(address, OPTIONS)
        levels = grey(source)
    assert levels[:5] == [4, 8, 12, 16, 20] and len(levels) >= 14
    assert asked[:4] == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"] and "secret" not in source.name


def test_a_camera_that_hangs_up_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "FIRST_DELAY_S", 0.01)
    said: list[str] = []
    back = threading.Event()

    def say(sentence: str) -> None:
        said.append(sentence)
        if "is back after" in sentence:
            back.set()

    with (
        rtsp_camera([40] * 20, [200] * 20) as address,
        Capture(open_source(address, OPTIONS), lossless=False, say=say) as running,
    ):
        assert back.wait(60) and running.losses >= 1
    assert "was lost" in said[0] and "secret" not in " ".join(said)

"""`selfdepth fetch kitti`: a store from a server, said in sentences."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.mirror import Mirror, mirrored, packed, packed_calibration, wait_for
from selfdepth.cli.main import main
from selfdepth.data.store.store import open_store

DATE = "2011_09_26"
CALIBRATION = """S_rect_02: 96 64
P_rect_02: 50 0 47.5 0 0 50 31.5 0 0 0 1 0
S_rect_03: 96 64
P_rect_03: 50 0 47.5 -27 0 50 31.5 0 0 0 1 0
R_rect_00: 1 0 0 0 1 0 0 0 1
"""


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Two drives of noise, as KITTI packs them."""
    root = tmp_path_factory.mktemp("tree")
    noise = np.random.default_rng(0)
    for drive in (1, 2):
        folder = root / DATE / f"{DATE}_drive_{drive:04d}_sync" / "image_02" / "data"
        folder.mkdir(parents=True)
        for number in range(6):
            image = noise.integers(0, 255, (64, 96, 3), dtype=np.uint8)
            Image.fromarray(image).save(folder / f"{number:010d}.png")
    for name in ("cam_to_cam", "velo_to_cam", "imu_to_velo"):
        (root / DATE / f"calib_{name}.txt").write_text(CALIBRATION)
    drives = {
        f"/raw_data/{DATE}_drive_{n:04d}/{DATE}_drive_{n:04d}_sync.zip": packed(
            root, f"{DATE}/{DATE}_drive_{n:04d}_sync"
        )
        for n in (1, 2)
    }
    return {f"/raw_data/{DATE}_calib.zip": packed_calibration(root, DATE), **drives}


@pytest.fixture
def mirror(archives: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with mirrored() as known:
        for path, body in archives.items():
            known.give(path, body)
        yield known


@pytest.fixture
def words(mirror: Mirror, tmp_path: Path) -> list[str]:
    """The command line of a small fetch."""
    split = tmp_path / "split"
    split.mkdir()
    (split / "train_files.txt").write_text(f"{DATE}/{DATE}_drive_0001_sync 1 l\n{DATE}/{DATE}_drive_0002_sync 3 l\n")
    url = ["--url", f"{mirror.url}/raw_data/"]
    return ["fetch", "kitti", "--split", str(split), "--out", str(tmp_path / "store"), "--width", "64", *url]


def test_the_licence_the_progress_and_what_the_store_holds_are_said(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    shown = capsys.readouterr()
    for piece in ("CC BY-NC-SA 3.0", "fetching:", "MB", "left"):
        assert piece in shown.err
    for piece in ("made", "6 of 64x64", "2 sequences", "2 to train on", f"--data {tmp_path / 'store'}", "store_kitti"):
        assert piece in shown.out
    assert main(words) == 0
    again = capsys.readouterr()
    assert "already there" in again.out and again.err == ""


def test_where_the_rest_goes_and_which_scans_is_the_users_choice(words: list[str], tmp_path: Path) -> None:
    assert main([*words, "--raw", str(tmp_path / "rest"), "--no-scans", "--downloads", "1"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rest", "split", "store"]
    assert (tmp_path / "rest" / DATE / "calib_cam_to_cam.txt").is_file()


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--downloads", "0"], "--downloads; expected 1 to 16; got 0"),
        (["--downloads", "17"], "--downloads; expected 1 to 16"),
        (["--url", "ftp://kitti"], "--url; expected an address like https://"),
        (["--url", "kitti.org/raw_data"], "--url; expected"),
        (["--url", "file:///etc"], "--url; expected"),
        (["--url", "http://"], "--url; expected"),
        (["--url", "http://a:b:c/"], "--url; expected"),
        (["--url", "http://a:99999/"], "--url; expected"),
        (["--url", "http://a/b c"], "--url; expected"),
        (["--url", "http://a/?x=1"], "--url; expected"),
        (["--width", "100"], "--width"),
        (["--crop", "1"], "--crop"),
        (["--crop", "999,0,0,0"], "crop"),
        (["--camera", "learn"], "--camera learn"),
        (["--camera", "gone.yaml"], "gone.yaml"),
        (["--split", "gone"], "no such split"),
        (["--split", "odom"], "only KITTI raw is fetched"),
        (["--raw", "OUT/raw"], "not in --out"),
        (["--raw", "OUT"], "not in --out"),
        (["--out", "SPLIT"], "holds other files"),
        (["--out", "SPLIT/train_files.txt/x"], "train_files.txt"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], sentence: str
) -> None:
    more = [word.replace("OUT", str(tmp_path / "store")).replace("SPLIT", str(tmp_path / "split")) for word in more]
    assert main([*words, *more]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ") and sentence in last
    assert not (tmp_path / "store").exists()


@pytest.mark.faults
def test_ctrl_c_and_kill_leave_nothing_that_passes_for_whole_and_the_next_start_goes_on(
    words: list[str], mirror: Mirror, tmp_path: Path
) -> None:
    second = next(file for path, file in mirror.files.items() if "0002_sync" in path)
    whole = second.body
    for number in (signal.SIGINT, signal.SIGKILL):
        second.drip = len(whole) // 2
        process = subprocess.Popen(
            [sys.executable, "-m", "selfdepth", *words], env=os.environ, stderr=subprocess.PIPE, text=True
        )
        wait_for((tmp_path / ".store.fetching" / "journal.json").exists, "the first drive", 120)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        assert process.returncode == (130 if number == signal.SIGINT else -number)
        assert "Traceback" not in said
        assert not (tmp_path / "store").exists()
    second.drip = None
    assert main(words) == 0
    assert len(open_store(tmp_path / "store").frames) == 6
    assert len(mirror.gets("0001_sync.zip")) == 1, "the first drive came once"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["split", "store", "store_kitti"]

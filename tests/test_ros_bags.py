"""The whole program on ROS bags of a rendered drive."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from helpers.bags import KINDS, START_NS, STEP_NS, Kind, compressed, encoded, image, info, odometry, write_bag
from selfdepth.cli.main import main
from selfdepth.data.frames import FrameSequence
from selfdepth.data.readers.speeds import read_speed_log
from selfdepth.data.sources.recognise import recognise
from selfdepth.structs import Trajectory
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive

SMALL = "--encoder.name test_resnet --encoder.pose-name test_resnet --encoder.no-pretrained --batch-size 4"
N_FRAMES = 30


@cache
def drawn() -> SyntheticDrive:
    return render_drive(DriveSpec(frames=N_FRAMES, width=64, height=64, stops=False))


def drive_bag(path: Path, kind: Kind, *, jpeg: bool = False, rear: bool = False) -> Path:
    """The drive as a robot would record it: images, camera_info, and odometry that knows the metres."""
    drive, messages = drawn(), []
    for i, pixels in enumerate(drive.images):
        stamp = START_NS + i * STEP_NS
        position = drive.T_world_camera[i, :3, 3]
        if jpeg:
            messages.append(compressed(encoded(pixels), stamp))
        else:
            messages.append(image(pixels, stamp))
        if rear:
            messages.append(image(pixels[:, ::-1], stamp, topic="/rear/image_raw"))
        messages.append(info(drive.camera, stamp))
        messages.append(odometry(position, 0, stamp))
    return write_bag(path, messages, kind)


def sequence_of(path: Path) -> FrameSequence:
    (sequence,) = recognise(path).sequences()
    return sequence


@pytest.mark.parametrize("kind", KINDS)
def test_a_bag_gives_the_frames_and_the_camera_of_the_drive(tmp_path: Path, kind: Kind) -> None:
    sequence = sequence_of(drive_bag(tmp_path / "drive", kind))
    np.testing.assert_array_equal(list(sequence.read(sequence.numbers)), drawn().images)
    assert sequence.camera == drawn().camera


def test_every_verb_takes_a_bag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag, run, numbers = drive_bag(tmp_path / "drive", "mcap", jpeg=True), tmp_path / "run", tmp_path / "numbers.json"

    assert main(["check", str(bag), "--json", str(numbers)]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"\n  /cam/image_raw/compressed +sensor_msgs/msg/CompressedImage +30 +10\.00 +64x64 jpeg\n", shown)
    assert re.search(r"\n  /odom +nav_msgs/msg/Odometry +30 +10\.00\n", shown)
    report = json.loads(numbers.read_text())
    assert (report["footage"]["kind"], report["footage"]["sequences"][0]["camera"]) == ("bag", "calibration")
    assert report["contents"]["rows"][1][:4] == [
        "/cam/image_raw/compressed",
        "sensor_msgs/msg/CompressedImage",
        str(N_FRAMES),
        "10.00",
    ]

    assert main(f"prepare {bag} --out {tmp_path / 'store'} --width 64 --height 64".split()) == 0
    assert main(f"train mono-192x64 --data {bag} --out {run} --width 64 --height 64 --steps 2 {SMALL}".split()) == 0
    assert main(["predict", str(run), str(bag), "--out", str(tmp_path / "out"), "--save", "npz", "trajectory"]) == 0
    names = sorted(path.stem for path in (tmp_path / "out/npz").iterdir())
    assert names == [str(START_NS + i * STEP_NS) for i in range(N_FRAMES)]
    tum = np.loadtxt(tmp_path / "out/trajectory/tum.txt")
    np.testing.assert_allclose(tum[:, 0], (START_NS + STEP_NS * np.arange(N_FRAMES)) / 1e9, atol=1e-5)

    truth = Trajectory(T_world_camera=drawn().T_world_camera, timestamps=tum[:, 0])
    (tmp_path / "truth.txt").write_text(truth.to_tum())
    words = ["evaluate", "odometry", str(run), "--data", str(bag), "--ground-truth", str(tmp_path / "truth.txt")]
    assert main([*words, "--json", str(numbers)]) == 0
    assert json.loads(numbers.read_text())["poses"] == N_FRAMES


def test_a_bag_knows_the_speed_of_its_drive(tmp_path: Path) -> None:
    bag = drive_bag(tmp_path / "drive.bag", "ros1")
    log = read_speed_log(bag)
    positions = drawn().T_world_camera[:, :3, 3]
    speeds = np.linalg.norm(np.diff(positions, axis=0), axis=1) / (STEP_NS / 1e9)
    np.testing.assert_allclose(log.speeds_m_s, speeds, rtol=1e-4)
    times = np.array(sequence_of(bag).times_s)
    distances, known = log.distances(times[1:-1])
    assert known.all()
    assert abs(distances.sum() / np.linalg.norm(np.diff(positions[1:-1], axis=0), axis=1).sum() - 1) < 0.02


def test_of_several_cameras_one_is_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag, run = drive_bag(tmp_path / "drive", "sqlite3", rear=True), tmp_path / "run"
    assert main(["check", str(bag)]) == 2
    said = capsys.readouterr()
    assert "/rear/image_raw" in said.out  # the list of topics comes first
    assert said.err.count("\n") == 1 and "several cameras" in said.err and "--topic /cam/image_raw" in said.err
    topic = "--topic /cam/image_raw"
    command = f"train mono-192x64 --data {bag} {topic} --out {run} --width 64 --height 64 --steps 1 {SMALL}"
    assert main(command.split()) == 0
    assert json.loads((run / "config.json").read_text())["topic"] == "/cam/image_raw"
    assert main(f"predict {run} {bag} {topic} --out {tmp_path / 'out'} --save png16".split()) == 0
    assert main(f"evaluate odometry {run} --data {bag} {topic}".split()) == 2  # there are no true poses
    assert "several cameras" not in capsys.readouterr().err
    assert main(f"predict {run} {bag} --out {tmp_path / 'other'}".split()) == 2
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("verb", ["check", "predict"])
def test_a_bad_bag_is_one_sentence_and_exit_code_2(
    tmp_path: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = drive_bag(tmp_path / "drive.bag", "ros1")
    bag.write_bytes(bag.read_bytes()[:20_000])
    words = (
        ["check", str(bag)] if verb == "check" else ["predict", str(tmp_path), str(bag), "--out", str(tmp_path / "o")]
    )
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: the bag cannot be opened") and said.count("\n") == 1


def test_help_and_the_package_itself_do_without_rosbags() -> None:
    loaded = "any(name.startswith('rosbags') for name in sys.modules)"
    code = f"import sys, selfdepth.data.sources.recognise; sys.exit({loaded})"
    subprocess.run([sys.executable, "-c", code], check=True)

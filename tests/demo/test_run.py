"""The demo, from nothing to a report, on a drive small enough for a test."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import numpy as np
import pytest

from selfdepth.config import EncoderConfig, TrainConfig
from selfdepth.data.sources.recognise import recognise
from selfdepth.demo.run import DEMO_CONFIG, Demo, DemoPlan, demo_plan, run_demo
from selfdepth.engine.watch import Silent
from selfdepth.errors import ConfigError, Interrupted, OutputError
from selfdepth.evaluation.depth.baselines import profile_disparity, row_profile
from selfdepth.evaluation.depth.metrics import PROTOCOLS, evaluate_set
from selfdepth.inference.predictor import Predictor
from selfdepth.synthetic.drive import DriveSpec, render_drive

TINY = TrainConfig(
    width=64,
    height=64,
    encoder=EncoderConfig(name="mobilenetv3_small_050", pose_name="mobilenetv3_small_050", pretrained=False),
    batch_size=2,
    steps=3,
    save_every=2,
    compile=False,
    device="cpu",
)


class Listener(Silent):
    """Remembers what it was told; asks to stop at a step, if it is given one."""

    def __init__(self, stop_in_stage: str = "") -> None:
        self.stages: list[str] = []
        self.rendered: list[tuple[int, int]] = []
        self._stop_in_stage = stop_in_stage

    def rendering(self, done: int, total: int) -> None:
        self.rendered.append((done, total))

    def stage(self, name: str) -> None:
        self.stages.append(name)

    def say(self, text: str) -> None:
        if self._stop_in_stage and self.stages[-1] == self._stop_in_stage:
            signal.raise_signal(signal.SIGINT)


def plan() -> DemoPlan:
    return DemoPlan(
        train=DriveSpec(seed=0, frames=12, width=80, height=64),
        held_out=DriveSpec(seed=1, frames=8, width=80, height=64),
        config=TINY,
        val_every=2,
        n_views=2,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "out"


@pytest.fixture(scope="module")
def listener() -> Listener:
    return Listener()


@pytest.fixture(scope="module")
def done(folder: Path, listener: Listener) -> Demo:
    return run_demo(plan(), folder, listener)


def test_the_demo_writes_one_page_with_its_numbers(done: Demo, folder: Path) -> None:
    page = done.path.read_text(encoding="utf-8")
    assert done.path == folder / "report.html"
    assert f"{done.report.ours.abs_rel:.3f}" in page
    assert page.count("data:image/png;base64,") == 2 * 5
    assert not re.search(r"https?://", page)


def test_the_stages_are_told_and_timed(done: Demo, listener: Listener) -> None:
    assert [stage.name for stage in done.report.stages] == listener.stages
    assert listener.rendered[-1] == (20, 20)


def test_depth_is_measured_on_every_frame_of_the_other_street(done: Demo, folder: Path) -> None:
    truth = np.load(folder / "drives" / "heldout" / "depth.npz")["depth"]
    images = sorted((folder / "drives" / "heldout").glob("*.png"))
    predictor = Predictor.load(folder / "run" / "last", device="cpu")
    disparities = [predictor.predict(image).disparity for image in images]
    again = evaluate_set(disparities, list(truth), PROTOCOLS["dense"])
    assert len(images) == len(truth) == 8
    assert done.report.ours.abs_rel == pytest.approx(again.abs_rel, rel=1e-3)


def test_the_rows_are_those_of_the_training_drive(done: Demo, folder: Path) -> None:
    dense = PROTOCOLS["dense"]
    rows = profile_disparity(row_profile(render_drive(plan().train).depth, dense, 64), 80)
    truth = np.load(folder / "drives" / "heldout" / "depth.npz")["depth"]
    assert done.report.per_row.abs_rel == pytest.approx(evaluate_set([rows] * 8, list(truth), dense).abs_rel)


def test_depth_errors_are_recorded_while_it_trains(done: Demo) -> None:
    assert len(done.report.abs_rel.values) == 2  # after steps 2 and 3
    assert np.isfinite(done.report.abs_rel.values).all()
    assert len(done.report.loss.values) > 0


def test_the_drives_can_be_trained_on_by_hand(done: Demo, folder: Path) -> None:
    data = folder / "drives" / "train"
    footage = recognise(data).footage(camera=str(data / "camera.yaml"))
    assert footage.sequences[0].numbers == tuple(range(12))
    assert footage.sequences[0].camera == plan().train.camera()


def test_a_folder_in_use_is_refused_before_anything_is_rendered(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("keep me")
    listener = Listener()
    with pytest.raises(OutputError, match="not empty"):
        run_demo(plan(), tmp_path, listener)
    assert listener.rendered == []


def test_an_interrupt_while_training_leaves_a_run_and_no_report(tmp_path: Path) -> None:
    with pytest.raises(Interrupted) as caught:
        run_demo(plan(), tmp_path / "out", Listener(stop_in_stage="training"))
    assert caught.value.signal_number == signal.SIGINT
    assert (tmp_path / "out" / "run" / "last" / "model.safetensors").is_file()
    assert not (tmp_path / "out" / "report.html").exists()


@pytest.mark.parametrize("minutes", [0.2, float("nan")])
def test_too_little_time_is_refused(minutes: float) -> None:
    with pytest.raises(ConfigError, match="--minutes"):
        demo_plan(minutes=minutes, seed=0)


def test_the_two_streets_differ_whatever_the_seed() -> None:
    plans = [demo_plan(minutes=5.5, seed=seed) for seed in range(4)]
    assert len({spec.seed for each in plans for spec in (each.train, each.held_out)}) == 8
    assert {each.config.encoder.pretrained for each in plans} == {False} == {DEMO_CONFIG.encoder.pretrained}

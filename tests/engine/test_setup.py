"""What a run is made ready from: another model's weights, its own checkpoint; and what is refused before that."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from selfdepth.config import EncoderConfig, TrainConfig
from selfdepth.engine.progress import Progress
from selfdepth.engine.setup import Run, _layout, prepare_run, start_from
from selfdepth.engine.train import train
from selfdepth.errors import CheckpointError, ConfigError, SelfDepthError, SelfDepthWarning
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.losses.fused import binding
from selfdepth.networks import encoder as encoder_module
from selfdepth.structs import MetricScale
from selfdepth.weights.files import load_weights
from selfdepth.weights.metres import write_copy


def put_nothing(path: Path) -> None:
    """Leave the place empty."""


def put_one_image(path: Path) -> None:
    Image.new("RGB", (96, 64)).save(path, format="PNG")


@pytest.mark.parametrize(
    ("name", "put", "named"),
    [
        ("", put_nothing, "--data VIDEO or --data FOLDER"),
        ("gone", put_nothing, "gone; check --data"),
        ("empty", Path.mkdir, "expected a root of KITTI raw or odometry, images, folders of images, videos"),
        ("street.png", put_one_image, "give its folder"),
    ],
)
def test_data_that_cannot_be_used_is_refused_before_pretrained_weights_are_looked_for(
    tiny: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    put: Callable[[Path], None],
    named: str,
) -> None:
    monkeypatch.setattr(encoder_module, "pretrained_options", lambda name: pytest.fail("looked for ImageNet weights"))
    put(tmp_path / name)
    requested = replace(tiny, data=name and str(tmp_path / name), encoder=replace(tiny.encoder, pretrained=True))
    with pytest.raises(SelfDepthError, match=named):
        prepare_run(requested, tmp_path / "run", resume=False)


def test_missing_pretrained_weights_are_refused_before_a_frame_is_decoded(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ConfigError("no such weights", where=name)

    monkeypatch.setattr(encoder_module, "pretrained_options", missing)
    requested = replace(tiny, encoder=replace(tiny.encoder, pretrained=True))
    with pytest.raises(ConfigError, match="no such weights"):
        prepare_run(
            requested, tmp_path / "run", resume=False, on_frames=lambda done, total: pytest.fail("decoded a frame")
        )
    assert not (tmp_path / "run").exists()


def test_a_run_on_a_cpu_says_once_that_the_compiled_pass_is_missing(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binding, "library", lambda: None)
    with pytest.warns(SelfDepthWarning) as said:
        prepare_run(tiny, tmp_path / "run", resume=False)
    assert len([each for each in said if "without a C compiler" in str(each.message)]) == 1


def test_a_run_starts_from_the_weights_of_the_model_and_at_the_first_step(
    whole_run: Run, tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        encoder_module, "pretrained_options", lambda name: pytest.fail("ImageNet weights are not needed")
    )
    model = str(whole_run.folder / "last")
    requested = replace(tiny, init=model, width=96, encoder=replace(tiny.encoder, pretrained=True))
    run = prepare_run(requested, tmp_path / "run", resume=False)
    before = whole_run.learner.state_dict()
    assert all(torch.equal(tensor, before[name]) for name, tensor in run.learner.state_dict().items())
    assert (run.progress.step, run.config.init) == (0, model)


def test_a_run_does_not_take_over_the_metres_of_the_calibrated_model_that_it_starts_from(
    whole_run: Run, tiny: TrainConfig, tmp_path: Path
) -> None:
    metric = MetricScale(factor=25.0, spread=0.05, witness="height 1.65 m")
    write_copy(tmp_path / "calibrated", load_weights(whole_run.folder / "last"), metric)
    with pytest.warns(SelfDepthWarning, match=r"metres of .*calibrated \(by height 1.65 m\).*calibrate that again"):
        run = prepare_run(replace(tiny, init=str(tmp_path / "calibrated")), tmp_path / "run", resume=False)
    meta = run.weights_meta()
    assert meta.metric is None and meta.scale == "relative"


def test_pairs_alone_may_start_from_a_model_with_a_pose_network(whole_run: Run, tiny: TrainConfig) -> None:
    encoder = replace(tiny.encoder, pose_name=EncoderConfig().pose_name)
    learner = SelfSupervisedDepth(replace(tiny, offsets=(), stereo="nominal", encoder=encoder))
    start_from(learner, str(whole_run.folder / "last"))
    before = whole_run.learner.state_dict()
    assert all(torch.equal(tensor, before[name]) for name, tensor in learner.state_dict().items())


@pytest.mark.parametrize(
    ("changes", "got"),
    [
        ({"encoder": {"scales": (0,)}}, "unexpected, e.g. depth_net.decoder"),
        ({"encoder": {"pose_network": "posecnn", "pose_name": "resnet18"}}, "missing, e.g. pose_net"),
        ({"encoder": {"pose_input": "all"}}, "of another shape, e.g. pose_net"),
        ({"init": "nowhere/at/all"}, "no such model"),
    ],
)
def test_a_model_with_other_networks_is_refused_before_anything_is_decoded(
    whole_run: Run, tiny: TrainConfig, tmp_path: Path, changes: dict[str, Any], got: str
) -> None:
    encoder: EncoderConfig = replace(tiny.encoder, **changes.get("encoder", {}))
    requested = replace(tiny, encoder=encoder, init=changes.get("init", str(whole_run.folder)))
    with pytest.raises(CheckpointError) as refused:
        prepare_run(requested, tmp_path / "run", resume=False)
    assert got in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "run").exists()


def test_a_model_that_does_not_fit_leaves_the_networks_as_they_were(whole_run: Run, tiny: TrainConfig) -> None:
    learner = SelfSupervisedDepth(replace(tiny, encoder=replace(tiny.encoder, scales=(0,))))
    before = {name: tensor.clone() for name, tensor in learner.state_dict().items()}
    with pytest.raises(CheckpointError):
        start_from(learner, str(whole_run.folder))
    assert all(torch.equal(tensor, before[name]) for name, tensor in learner.state_dict().items())


@pytest.mark.parametrize("changes", [{"width": 96}, {"crop": "0,8,0,0"}], ids=["width", "crop"])
def test_a_resume_that_is_refused_leaves_the_run_and_its_store_as_they_were(
    whole_run: Run, tiny: TrainConfig, changes: dict[str, Any]
) -> None:
    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in whole_run.folder.rglob("*")}

    before = times()
    with pytest.raises(ConfigError, match="cannot change"):
        prepare_run(replace(tiny, **changes), whole_run.folder, resume=True)
    assert times() == before


def test_a_resumed_run_needs_the_model_that_it_started_from_no_more(
    whole_run: Run, tiny: TrainConfig, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(whole_run.folder / "last", model)
    started = replace(tiny, init=str(model), steps=2, save_every=1)
    whole = train(started, tmp_path / "whole")
    train(replace(started, steps=1), tmp_path / "half")
    shutil.rmtree(model)
    resumed = train(started, tmp_path / "half", resume=True)
    after = whole.learner.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in resumed.learner.state_dict().items())


@pytest.mark.parametrize(
    ("encoder", "device", "layout"),
    [
        (EncoderConfig(name="repvgg_a0", pretrained=False), "cpu", torch.contiguous_format),
        (EncoderConfig(name="resnet18", pose_name="repvgg_a0", pretrained=False), "cpu", torch.contiguous_format),
        (EncoderConfig(name="repvgg_a0", pretrained=False), "cuda", torch.channels_last),
        (EncoderConfig(name="resnet18"), "cpu", torch.channels_last),
    ],
)
def test_channels_come_last_but_for_networks_that_die_of_it(
    encoder: EncoderConfig, device: str, layout: torch.memory_format
) -> None:
    assert _layout(encoder, torch.device(device)) == layout


@pytest.fixture
def own_data(tiny: TrainConfig, tmp_path: Path) -> TrainConfig:
    """A run on images that a test may change."""
    return replace(tiny, data=str(shutil.copytree(tiny.data, tmp_path / "drive")), steps=2)


def _overwrite_one(folder: Path) -> None:
    noise = np.random.default_rng(5).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "007.png")


def _drop_the_last(folder: Path) -> None:
    max(folder.iterdir()).unlink()


def _swap_two(folder: Path) -> None:
    (folder / "003.png").rename(folder / "spare")
    (folder / "004.png").rename(folder / "003.png")
    (folder / "spare").rename(folder / "004.png")


@pytest.mark.parametrize("change", [_overwrite_one, _drop_the_last, _swap_two])
def test_a_resume_on_other_contents_is_refused_and_leaves_the_store_as_it_was(
    own_data: TrainConfig, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    train(own_data, tmp_path / "run")
    frames = tmp_path / "run/store/frames.u8"
    before = frames.stat().st_ino, frames.read_bytes()
    change(Path(own_data.data))
    with pytest.raises(ConfigError, match=r"contents of its data have changed.*--data .*--out NEW --init RUN/last"):
        prepare_run(replace(own_data, steps=3), tmp_path / "run", resume=True)
    assert (frames.stat().st_ino, frames.read_bytes()) == before
    assert [path.name for path in (tmp_path / "run").glob(".store*")] == []


def test_a_resume_goes_on_with_data_of_which_only_the_times_or_the_compression_changed(
    own_data: TrainConfig, tmp_path: Path
) -> None:
    started = train(own_data, tmp_path / "run")
    for number, path in enumerate(sorted(Path(own_data.data).iterdir())):
        with Image.open(path) as image:
            image.save(path, compress_level=number % 10)
    run = prepare_run(replace(own_data, steps=3), tmp_path / "run", resume=True)
    assert run.progress.step == 2
    assert run.data.store.fingerprint != started.data.store.fingerprint
    assert run.progress.data == started.progress.data == run.data.store.contents


def test_a_run_of_a_version_that_did_not_record_its_data_goes_on_and_records_them(
    own_data: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "to_json", lambda self: json.dumps(asdict(replace(self, data=None))))
        train(own_data, tmp_path / "run")
    _overwrite_one(Path(own_data.data))
    run = prepare_run(replace(own_data, steps=3), tmp_path / "run", resume=True)
    assert run.progress.data == run.data.store.contents

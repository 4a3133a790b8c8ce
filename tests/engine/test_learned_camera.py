"""The learned camera in a run: its parameters, its learning rate, and the cameras that it stands for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from selfdepth.config import TrainConfig
from selfdepth.data.clips.clips import make_clips
from selfdepth.data.clips.loader import ClipLoader
from selfdepth.data.frames import FrameRef
from selfdepth.data.store.store import Store
from selfdepth.engine.learned_camera import RATE_SHARE, camera_terms, cameras_of, learn_camera, parameter_groups
from selfdepth.engine.setup import Run
from selfdepth.geometry.camera import Camera
from selfdepth.learners.self_supervised import SelfSupervisedDepth


@pytest.fixture
def two_sizes(whole_run: Run) -> Store:
    """A store with frames of two sizes, and two sequences of the first."""
    (sequence,) = whole_run.data.store.sequences
    large = replace(sequence, name="large", camera=sequence.camera.resized(128, 128))
    return replace(whole_run.data.store, sequences=(sequence, large, replace(sequence, name="again")))


def learner_of(config: TrainConfig) -> SelfSupervisedDepth:
    return SelfSupervisedDepth(config)


def test_sequences_of_one_size_share_a_camera_and_every_size_has_its_own(two_sizes: Store, tiny: TrainConfig) -> None:
    assert list(two_sizes.camera_numbers.values()) == [0, 1, 0]
    learner = learner_of(tiny)
    learn_camera(learner, two_sizes, torch.device("cpu"))
    assert learner.camera is not None and learner.camera.log_focal.shape == (2,)
    learner.camera.log_focal.data[:] = torch.tensor([2.0, 0.5]).log()
    learner.camera.offset.data[0] = torch.tensor([0.1, 0.0])
    small, large = cameras_of(learner, two_sizes)
    start = two_sizes.sequences[0].camera
    expected = Camera(fx=2 * start.fx, fy=2 * start.fy, cx=start.cx + 0.1 * start.fx, cy=start.cy, width=64, height=64)
    assert (small.fx, small.fy, small.cx, small.cy) == pytest.approx((expected.fx, expected.fy, expected.cx, start.cy))
    assert (large.width, large.fx) == (128, pytest.approx(start.fx))
    assert set(camera_terms(learner, (small, large))) == {
        f"{name}/{part}" for name in ("camera", "camera_1") for part in ("fx", "fy", "cx", "cy")
    }


def test_a_known_camera_stays_as_it_is(two_sizes: Store, tiny: TrainConfig) -> None:
    learner = learner_of(tiny)
    cameras = cameras_of(learner, two_sizes)
    assert cameras == (two_sizes.sequences[0].camera, two_sizes.sequences[1].camera)
    assert camera_terms(learner, cameras) == {}
    assert [group["share"] for group in parameter_groups(learner)] == [1.0]


def test_the_camera_learns_at_a_rate_of_its_own(two_sizes: Store, tiny: TrainConfig) -> None:
    learner = learner_of(tiny)
    learn_camera(learner, two_sizes, torch.device("cpu"))
    assert learner.camera is not None
    networks, camera = parameter_groups(learner)
    assert (networks["share"], camera["share"]) == (1.0, RATE_SHARE)
    assert {id(each) for each in camera["params"]} == {id(each) for each in learner.camera.parameters()}
    assert len(networks["params"]) + len(camera["params"]) == len(list(learner.parameters()))


def test_every_clip_knows_its_camera(two_sizes: Store) -> None:
    refs = [FrameRef(sequence.name, 1) for sequence in two_sizes.sequences]
    clips = make_clips(two_sizes, refs, offsets=(1,))
    batch = ClipLoader(two_sizes, clips, batch_size=3, seed=0, device="cpu", augment=None).batch(0)
    assert batch.camera is not None
    numbers = {ref: number for ref, number in zip(refs, (0, 1, 0), strict=True)}
    chosen = ClipLoader(two_sizes, clips, batch_size=3, seed=0, device="cpu").indices(0)
    assert batch.camera.tolist() == [numbers[clips.refs[i]] for i in chosen.tolist()]
    alike = replace(two_sizes, sequences=two_sizes.sequences[::2])
    assert alike.cameras_of(refs[::2]) is None

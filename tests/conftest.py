"""What several folders of tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch

from helpers.hub import TOKEN, Hub, serve_hub
from helpers.loopback import Loopback, serve
from helpers.models import HEIGHT, WIDTH, depth_only, tiny_config, untrained, write_model
from selfdepth import device
from selfdepth.geometry.camera import Camera
from selfdepth.synthetic import drive
from selfdepth.weights.files import WeightsMeta

# Two workers with two threads each on two cores wait for each other; the arrays here are small.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def same_arithmetic_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether "auto" is bf16 depends on the processor; what is tested should not."""
    monkeypatch.setattr(device, "_bf16_gain_on_cpu", lambda: 0.0)


@pytest.fixture(autouse=True, scope="session")
def streets_painted_once() -> Iterator[None]:
    """What a street is painted with depends on the seed alone, and takes most of a short drive's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drive, "paint_street", cache(drive.paint_street))
        yield


@pytest.fixture(autouse=True, scope="session")
def no_waiting_for_the_disk() -> Iterator[None]:
    """A run synchronises sixty files. What the power may take is tested by noting when it does, not by waiting."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real data beside the repository; tests that need it skip where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("the shared data is not beside the repository")
    return folder


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Loopback]:
    """A server on this machine, and an empty cache for what comes from it."""
    monkeypatch.setenv("SELFDEPTH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve() as known:
        yield known


@pytest.fixture(scope="session")
def golden() -> Path:
    """Reference values that travel with the tests."""
    return Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def meta() -> WeightsMeta:
    """What is known of `model`."""
    camera = Camera(fx=80.0, fy=81.0, cx=47.0, cy=30.0, width=WIDTH, height=HEIGHT)
    return WeightsMeta(config=tiny_config(data="street.mp4"), camera=camera, scale="relative", step=7)


@pytest.fixture(scope="session")
def model_state(meta: WeightsMeta) -> dict[str, torch.Tensor]:
    """The weights of `model`."""
    return depth_only(untrained(meta.config).state_dict())


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, model_state: dict[str, torch.Tensor], meta: WeightsMeta) -> Path:
    """A model without a pose network. Not to be changed."""
    folder = tmp_path_factory.mktemp("model")
    return write_model(folder, meta.config, state=model_state, camera=meta.camera, scale=meta.scale, step=meta.step)


@pytest.fixture(scope="session")
def moving_model(tmp_path_factory: pytest.TempPathFactory, meta: WeightsMeta) -> Path:
    """A model with a pose network too, whose motions are as large as on a street. Not to be changed."""
    learner = untrained(meta.config, seed=1)
    with torch.no_grad():
        learner.pose_net.decoder.output.weight *= 30
        learner.pose_net.decoder.output.bias[5] = -30
    folder = tmp_path_factory.mktemp("moving")
    return write_model(folder, meta.config, state=learner.state_dict(), camera=meta.camera, step=meta.step)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """The hub on this machine, with an empty cache and the token of its user."""
    from huggingface_hub import constants

    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub_cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    with serve_hub() as known:
        monkeypatch.setattr(constants, "ENDPOINT", known.url)
        template = f"{known.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield known

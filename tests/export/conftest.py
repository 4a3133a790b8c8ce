"""One small model, and its frames, for all tests of exports."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.models import tiny_config, write_model
from selfdepth.config import EncoderConfig
from selfdepth.export import frames
from selfdepth.export.graphs import Network, network_to_export
from selfdepth.geometry.camera import Camera
from selfdepth.structs import MetricScale
from selfdepth.weights.files import LoadedWeights, load_weights
from selfdepth.weights.metres import write_copy


@pytest.fixture(autouse=True, scope="session")
def drives_rendered_once() -> Iterator[None]:
    """Those that stand in for lost frames are the same for the same size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "render_drive", cache(frames.render_drive))
        yield


@pytest.fixture(scope="session")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a few images."""
    folder = tmp_path_factory.mktemp("street")
    rng = np.random.default_rng(0)
    for i in range(6):
        smooth = Image.fromarray(rng.integers(0, 255, (8, 12, 3), np.uint8)).resize((96, 64), Image.Resampling.BICUBIC)
        smooth.save(folder / f"{i:03d}.png")
    return folder


@pytest.fixture(scope="session")
def calibrated(tmp_path_factory: pytest.TempPathFactory, street: Path) -> LoadedWeights:
    """A model of pairs with the smallest networks, whose metres a witness knows."""
    folder = tmp_path_factory.mktemp("calibrated")
    encoder = EncoderConfig(name="test_resnet", pretrained=False, pose_network="posecnn")
    camera = Camera.from_fov(70, width=96, height=64)
    plain = write_model(folder / "plain", tiny_config(encoder=encoder, data=str(street)), camera=camera)
    metric = MetricScale(factor=25.0, spread=0.05, witness="height 1.65 m")
    write_copy(folder / "metric", load_weights(plain), metric)
    return load_weights(folder / "metric")


@pytest.fixture(scope="session")
def network(calibrated: LoadedWeights) -> Network:
    """Its depth network, to be written."""
    return network_to_export(calibrated, "depth", licence="CC BY 4.0")

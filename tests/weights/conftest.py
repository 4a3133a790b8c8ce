"""Published checkpoint folders, made of the reference weights under their published names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

Files = dict[str, dict[str, Any]]
Save = Callable[[Path, Files], Path]


def tensors(keys: dict[str, list[int]], seed: int, *, light: bool = False) -> dict[str, torch.Tensor]:
    """Small random values; counters are whole numbers and variances positive. Light ones repeat one number each, which
    is all that a file then holds of them."""
    generator = torch.Generator().manual_seed(seed)

    def draw(shape: list[int]) -> torch.Tensor:
        size = [1] * len(shape) if light else shape
        return (0.1 * torch.rand(size, generator=generator)).expand(shape)

    return {key: torch.tensor(0) if key.endswith("tracked") else draw(shape) for key, shape in keys.items()}


@pytest.fixture(scope="session")
def published_keys(golden: Path) -> dict[str, dict[str, dict[str, list[int]]]]:
    keys: dict[str, Any] = json.loads((golden / "networks_and_metrics" / "network_keys.json").read_text())
    return keys


@pytest.fixture(scope="session")
def files_of(published_keys: dict[str, dict[str, dict[str, list[int]]]]) -> Callable[..., Files]:
    """Content of the files of a variant: a depth network of a ResNet-18, and the pose files of `pose`, if any."""

    def make(
        pose: str | None = "resnet18", *, stereo: bool = False, depth: str = "resnet18", light: bool = False
    ) -> Files:
        keys = {file: published_keys[depth][file] for file in ("encoder.pth", "depth.pth")}
        pose_files = published_keys[pose] if pose else {}
        keys |= {file: pose_files[file] for file in ("pose_encoder.pth", "pose.pth") if file in pose_files}
        files: Files = {file: {**tensors(names, seed, light=light)} for seed, (file, names) in enumerate(keys.items())}
        files["encoder.pth"] |= {"height": 64, "width": 96, "use_stereo": stereo}
        return files

    return make


@pytest.fixture(scope="session")
def save() -> Save:
    def write(folder: Path, files: Files) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name, entries in files.items():
            torch.save(entries, folder / name)
        return folder

    return write


@pytest.fixture(scope="session")
def mono(tmp_path_factory: pytest.TempPathFactory, files_of: Callable[..., Files], save: Save) -> Path:
    """A published folder of the paper's main model, in small files. Not to be changed."""
    return save(tmp_path_factory.mktemp("published") / "mono_96x64", files_of(light=True))

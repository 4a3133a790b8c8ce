"""Models as an earlier version has written them: its `config.json`, the names and shapes of its tensors, and what it
made of them. Their values come from a formula, because weights are megabytes.

To write the files of a version, run this with its code: PYTHONPATH=SRC:tests python -m helpers.earlier FOLDER
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from safetensors.torch import save_file
from torch import Tensor

import selfdepth
from helpers.models import HEIGHT, TINY, TINY_DEPTH, WIDTH, tiny_config
from selfdepth.config import TrainConfig, from_json
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import Lens
from selfdepth.learners.methods import build_learner
from selfdepth.presets import MONODEPTH_V1, PRESETS
from selfdepth.structs import Batch, MetricScale
from selfdepth.weights.files import WeightsMeta, save_weights

CAMERA = Camera(fx=80.0, fy=81.0, cx=47.0, cy=30.0, width=WIDTH, height=HEIGHT)
FISHEYE = replace(CAMERA, fx=40.0, fy=40.0, lens=Lens("kannala-brandt", (0.05, 0.0, 0.0, 0.0)))
METAS = {
    "mono": WeightsMeta(config=tiny_config(data="street.mp4"), camera=CAMERA, scale="relative", step=7),
    "metric": WeightsMeta(
        config=tiny_config(encoder=replace(TINY, scales=(1, 2, 3))),
        camera=None,
        scale="relative",
        metric=MetricScale(factor=3.5, spread=0.1, witness="height 1.65 m"),
    ),
    "stereo": WeightsMeta(config=tiny_config(stereo="calibrated"), camera=CAMERA, scale="metric"),
    "through-a-lens": WeightsMeta(
        config=tiny_config(rectify="no", crop="0,8,0,0"), camera=FISHEYE, scale="relative", depth_is="ray"
    ),
    "rectified": WeightsMeta(config=tiny_config(rectify="yes"), camera=FISHEYE, scale="relative"),
    "confident": WeightsMeta(config=tiny_config(self_teacher="model"), camera=CAMERA, scale="relative"),
    "monodepth-v1": WeightsMeta(
        config=replace(PRESETS[MONODEPTH_V1], width=WIDTH, height=HEIGHT, encoder=TINY_DEPTH),
        camera=CAMERA,
        scale="metric",
        focal_baseline=0.31,
    ),
}
LEARNED = ("mono",)
"""Of which the loss is known, too."""


def values(shape: tuple[int, ...], number: int) -> Tensor:
    """The values of a tensor, small and of both signs."""
    size = max(1, int(np.prod(shape)))
    fan_in = max(1, size // shape[0]) if len(shape) > 1 else 4
    scattered = np.sin(np.arange(size, dtype=np.float64) * 12.9898 + number * 78.233) * 43758.5453
    uniform = 2 * (scattered - np.floor(scattered)) - 1
    return torch.from_numpy((uniform * (6 / fan_in) ** 0.5).astype(np.float32).reshape(shape))


def weights(shapes: dict[str, list[int]]) -> dict[str, Tensor]:
    """Tensors by their names; variances are positive, and counters whole numbers."""
    made = {}
    for number, (name, shape) in enumerate(sorted(shapes.items())):
        tensor = values(tuple(shape), number)
        counter = name.endswith("num_batches_tracked")
        made[name] = torch.tensor(3) if counter else 1 + tensor.abs() if name.endswith("running_var") else tensor
    return made


def frames() -> ndarray:
    """Three pictures, RGB."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    waves = [
        np.sin(rows / (5 + channel) + time / 3) * np.cos(columns / 9 - time / 2)
        for time in range(3)
        for channel in range(3)
    ]
    pictures: ndarray = np.rint(127 + 120 * np.stack(waves)).astype(np.uint8)
    return np.ascontiguousarray(pictures.reshape(3, 3, HEIGHT, WIDTH).transpose(0, 2, 3, 1))


def write_earlier(folder: Path, record: dict[str, Any]) -> Path:
    """The model of a record as it lay on disk."""
    folder.mkdir(parents=True, exist_ok=True)
    # Without the checksum of the weights, which are not here. Versions that wrote none are read.
    (folder / "config.json").write_text(json.dumps(record["config"]))
    save_file(weights(record["shapes"]), folder / "model.safetensors")
    return folder


def depth_of(folder: Path) -> list[list[float]]:
    """Depth of the first picture at some of its pixels."""
    depth = selfdepth.load(str(folder), device="cpu", precision="fp32").predict(frames()[0]).depth
    return [[float(f"{value:.6g}") for value in row] for row in depth[4::11, 3::13].tolist()]


def loss_of(config: TrainConfig, shapes: dict[str, list[int]]) -> float:
    """The loss of the three pictures as a clip."""
    learner = build_learner(config)
    learner.load_state_dict(weights(shapes))
    images = torch.from_numpy(frames()).permute(0, 3, 1, 2).float()[None, [1, 0, 2]] / 255
    K = torch.from_numpy(CAMERA.matrix()).float()[None]
    with torch.no_grad():
        loss = float(learner.eval()(Batch(frames=images, inputs=images, K=K, offsets=(-1, 1))).loss)
    return float(f"{loss:.6g}")


def _record(name: str, meta: WeightsMeta, folder: Path) -> dict[str, Any]:
    state = build_learner(meta.config).state_dict()
    save_weights(folder, state, meta)
    config = json.loads((folder / "config.json").read_text())
    del config["weights"]
    record = {"config": config, "shapes": {key: list(tensor.shape) for key, tensor in sorted(state.items())}}
    record["depth"] = depth_of(write_earlier(folder, record))
    if name in LEARNED:
        record["loss"] = loss_of(from_json(config["train"], where=name), record["shapes"])
    return record


def main() -> None:
    """Write the records of the version that runs."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for name, meta in METAS.items():
        with tempfile.TemporaryDirectory() as folder:
            text = json.dumps(_record(name, meta, Path(folder)), separators=(",", ":"))
        (out / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()

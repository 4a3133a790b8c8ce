"""Benchmarks of what users wait for: predictions, the evaluation of a split, and the start of the program."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import torchvision.transforms.functional as TF
from numpy import ndarray
from PIL import Image

from ceilings import Ceilings, depth_gflop_per_image
from measuring import Setting, in_turns, rate_row, section, time_row
from plain import FAR, NEAR
from plain_networks import PlainDepthNet
from scenes import write_street
from selfdepth.config import EncoderConfig, TrainConfig
from selfdepth.device import resolve_precision
from selfdepth.evaluation.depth.metrics import PROTOCOLS, evaluate_set
from selfdepth.inference.predictor import Predictor
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.weights.files import WeightsMeta, save_weights

_BATCH = 8


def predict(setting: Setting, ceilings: Ceilings, folder: Path) -> dict[str, Any]:
    """Predict the depth of images in memory, at the network's size: one image, and several."""
    predictor = Predictor.load(_write_model(setting, folder / "model"), device="cpu", precision=setting.precision)
    images = _images(setting, folder / "images")
    plain = _plain_predictor()
    one = in_turns({"ours": lambda: predictor.predict(images[0]), "plain": lambda: plain(images[:1])}, setting)
    many = in_turns({"ours": lambda: list(predictor.predict_stream(images)), "plain": lambda: plain(images)}, setting)
    dtype = resolve_precision(setting.precision, predictor.device)
    gflop = depth_gflop_per_image(setting.width, setting.height)
    rate = ceilings.forward_gflops(dtype) / gflop
    floor_is = f"{gflop:.1f} GFLOP an image at the ceiling of forward convolutions"
    rows = [
        time_row("latency_ms", "prediction of one image", one, floor=1e3 / rate, floor_is=floor_is),
        rate_row(
            "images_per_s",
            f"prediction, {_BATCH} images",
            "images/s",
            len(images),
            many,
            floor=rate,
            floor_is=floor_is,
        ),
    ]
    return section(rows, precision=str(dtype).removeprefix("torch."), gflop_per_image=round(gflop, 2))


def evaluate(setting: Setting, ceilings: Ceilings, folder: Path) -> dict[str, Any]:
    """Compute the errors of a split: predictions at the network's size, sparse ground truth at the images' size."""
    rng = np.random.default_rng(0)
    disparities = [rng.uniform(0.01, 1, (setting.height, setting.width)).astype(np.float32) for _ in range(4)]
    shape = (setting.image_height, setting.image_width)
    # 5 % of the pixels, as LiDAR gives them.
    truths = [np.where(rng.random(shape) < 0.05, rng.uniform(1, 80, shape), 0).astype(np.float32) for _ in range(4)]
    n = setting.n_evaluated

    def call() -> None:
        pairs = [(disparities[i % 4], truths[i % 4]) for i in range(n)]
        evaluate_set([a for a, _ in pairs], [b for _, b in pairs], PROTOCOLS["eigen"])

    least = disparities[0].nbytes + truths[0].nbytes
    row = rate_row(
        "images_per_s",
        f"evaluation of {n} images",
        "images/s",
        n,
        in_turns({"ours": call}, setting),
        floor=ceilings.memory_gb_per_s * 1e9 / least,
        floor_is=f"{least / 1e6:.1f} MB an image, read once, at the memory's bandwidth",
    )
    return section([row])


def start_up(setting: Setting, ceilings: Ceilings, folder: Path) -> dict[str, Any]:
    """Run a new process to its end: help, and the prediction of one image."""
    model = _write_model(setting, folder / "model")
    image = write_street(folder / "images", setting)[0]
    program = [sys.executable, "-c", "import sys; from selfdepth.cli.main import main; sys.exit(main())"]
    predicting = ["predict", str(model), str(image), "--out", str(folder / "out"), "--device", "cpu"]
    seconds = in_turns(
        {
            "help": _process([*program, "--help"]),
            "predict": _process([*program, *predicting]),
            "python": _process([sys.executable, "-c", ""]),
            "torch": _process([sys.executable, "-c", "import torch"]),
        },
        setting,
    )
    floors = {name: 1e3 * min(seconds[name]) for name in ("python", "torch")}
    rows = [
        time_row("help_ms", "--help", {"ours": seconds["help"]}, floor=floors["python"], floor_is="an empty program"),
        time_row(
            "predict_ms",
            "predict, one image, from start to end",
            {"ours": seconds["predict"]},
            floor=floors["torch"],
            floor_is="importing torch",
        ),
    ]
    return section(rows)


def _write_model(setting: Setting, folder: Path) -> Path:
    config = TrainConfig(width=setting.width, height=setting.height, encoder=EncoderConfig(pretrained=False))
    torch.manual_seed(0)
    save_weights(
        folder, SelfSupervisedDepth(config).state_dict(), WeightsMeta(config=config, camera=None, scale="relative")
    )
    return folder


def _images(setting: Setting, folder: Path) -> list[ndarray]:
    """Images of the network's size."""
    images = []
    for file in write_street(folder, setting)[:_BATCH]:
        with Image.open(file) as image:
            images.append(np.asarray(image.convert("RGB").resize((setting.width, setting.height))))
    return images


def _plain_predictor() -> Callable[[Sequence[ndarray]], list[ndarray]]:
    torch.manual_seed(0)
    network = PlainDepthNet().eval()

    @torch.no_grad()
    def call(images: Sequence[ndarray]) -> list[ndarray]:
        finest = network(torch.stack([TF.to_tensor(image) for image in images]))[0]
        full = F.interpolate(finest, images[0].shape[:2], mode="bilinear", align_corners=False)
        return list((1 / (1 / FAR + (1 / NEAR - 1 / FAR) * full))[:, 0].numpy())

    return call


def _process(command: list[str]) -> Callable[[], object]:
    def call() -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")

    return call

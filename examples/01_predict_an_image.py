"""Predict the depth of one image: print numbers, and write a picture.

python examples/01_predict_an_image.py --model runs/drive --image street.jpg
python examples/01_predict_an_image.py            # renders a street and trains a small model on it first
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import tyro
from PIL import Image

import selfdepth
from selfdepth.config import EncoderConfig
from selfdepth.data.sources.rendered import write_drive
from selfdepth.engine.train import train
from selfdepth.inference.visualize import colorize_disparity, side_by_side
from selfdepth.presets import preset
from selfdepth.synthetic.drive import DriveSpec, render_drive


def train_a_small_model(out: Path, steps: int, encoder: str) -> tuple[Path, Path]:
    """Train on a rendered street for a moment. Returns the run, and an image of that street."""
    if (out / "run/best").exists():  # from an earlier call
        return out / "run", out / "street/000010.png"
    write_drive(render_drive(DriveSpec(frames=12, width=192, height=64)), out / "street")
    config = replace(
        preset("mono-192x64"),
        data=str(out / "street"),
        camera=str(out / "street/camera.yaml"),
        encoder=EncoderConfig(name=encoder, pose_name=encoder, pretrained=False),
        batch_size=4,
        steps=steps,
    )
    return train(config, out / "run").folder, out / "street/000010.png"


def main(
    model: str | None = None,
    image: Path | None = None,
    out: Path = Path("runs/example-01"),
    steps: int = 50,
    encoder: str = "resnet18",
) -> None:
    """Predict depth.

    Args:
        model: run folder; without one, a small model is trained.
        image: image file of any size; without one, a rendered street is used.
        out: folder to write to.
        steps: length of the training, if no model is given.
        encoder: of that training: any timm model with five feature levels.
    """
    if model is None or image is None:
        folder, rendered = train_a_small_model(out, steps, encoder)
        model, image = model or str(folder), image or rendered

    predictor = selfdepth.load(model)
    prediction = predictor.predict(image)

    low, high = np.percentile(prediction.depth, [5, 95])
    print(f"size   {prediction.depth.shape[1]}x{prediction.depth.shape[0]} pixels, that of the image")
    print(f"scale  {prediction.scale}")  # "relative": depth up to an unknown factor; "metric": metres
    print(f"depth  {low:.2f} to {high:.2f} (5th and 95th percentile)")
    picture = side_by_side(np.asarray(Image.open(image).convert("RGB")), colorize_disparity(prediction.disparity))
    out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(out / "depth.png")
    print(f"wrote  {out / 'depth.png'}")


if __name__ == "__main__":
    tyro.cli(main)

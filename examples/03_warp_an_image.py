"""View synthesis by hand: depth and motion rebuild one view from another (equation 2 of the paper).

Training minimises the photometric error of the rebuilt view. Here depth and motion are exact, so that the rebuilt view
fits; with a wrong depth it does not. This difference is the only signal that the training has.

python examples/03_warp_an_image.py --frames 2 --seed 3
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import tyro
from PIL import Image
from torch import Tensor

from selfdepth.config import LossConfig
from selfdepth.geometry.se3 import invert
from selfdepth.geometry.warp import synthesize
from selfdepth.inference.visualize import strip
from selfdepth.losses.photometric import Target, photometric_error
from selfdepth.synthetic.drive import DriveSpec, render_drive

SKY_M = 1000.0


def main(seed: int = 3, frames: int = 2, out: Path = Path("runs/example-03")) -> None:
    """Rebuild the first frame of a rendered street from the last one.

    Args:
        seed: of the street.
        frames: number of frames from the first to the last, both included.
        out: folder for warp.png.
    """
    drive = render_drive(DriveSpec(seed=seed, frames=frames, moving_cars=False, stops=False, brightness_change=0.0))
    target, source = (torch.from_numpy(drive.images[i]).permute(2, 0, 1)[None].float() / 255 for i in (0, -1))
    # The sky has no depth; far away, it hardly moves.
    true_depth = torch.from_numpy(np.where(drive.depth[0] > 0, drive.depth[0], SKY_M)).float()[None, None]
    K = torch.from_numpy(drive.camera.matrix()).float()[None]

    # Adjacent frame names match: points go from the target's frame to the world, and from there to the source's.
    T_world_target, T_world_source = (torch.from_numpy(drive.T_world_camera[i]).float()[None] for i in (0, -1))
    T_source_target = invert(T_world_source) @ T_world_target

    statistics = Target.of(target)
    candidates = {
        "source, not warped": source,
        "warped with the true depth": synthesize(source, true_depth, T_source_target, K),
        "warped with half the depth": synthesize(source, true_depth / 2, T_source_target, K),
    }
    for name, image in candidates.items():
        error = photometric_error(image[:, None], statistics, LossConfig()).mean()
        print(f"{name:<27} photometric error {float(error):.4f}")

    out.mkdir(parents=True, exist_ok=True)
    pictures = {"target": target, **candidates}
    Image.fromarray(strip([pixels(image) for image in pictures.values()], list(pictures), column=True)).save(
        out / "warp.png"
    )
    print(f"wrote {out / 'warp.png'}")


def pixels(image: Tensor) -> np.ndarray:
    """The image as uint8, height x width x 3."""
    return (image[0].permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()


if __name__ == "__main__":
    tyro.cli(main)

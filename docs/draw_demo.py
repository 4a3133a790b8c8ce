"""Draw docs/images/demo.png from a finished demo: image, disparity before and after training, and true disparity.

python docs/draw_demo.py demo
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from selfdepth.data.sources.rendered import DEPTH_FILE
from selfdepth.demo.drives import HELD_OUT
from selfdepth.engine.run_config import read_run_config
from selfdepth.inference.predictor import Predictor
from selfdepth.inference.visualize import colorize_disparity, colour_range, strip
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.weights.files import load_weights

FRAMES = (20, 62)
SCALE = 1.5


def main(demo: Path, out: Path) -> None:
    """Draw the pictures of two frames side by side.

    Args:
        demo: the --out folder of `selfdepth demo`.
        out: the PNG.
    """
    weights = load_weights(demo / "run" / "last")
    config = read_run_config(demo / "run")
    torch.manual_seed(config.seed)  # the networks are then those that the training started from
    trained = Predictor(weights)
    untrained = Predictor(replace(weights, state=SelfSupervisedDepth(config).state_dict()))
    truth = np.load(demo / "drives" / HELD_OUT / DEPTH_FILE)["depth"]
    columns = []
    for frame in FRAMES:
        image = np.asarray(Image.open(demo / "drives" / HELD_OUT / f"{frame:06d}.png"))
        below_sky = truth[frame] > 0
        true_disparity = np.where(below_sky, 1 / np.where(below_sky, truth[frame], 1), 0)
        before, after = untrained.predict(image).disparity, trained.predict(image).disparity
        low, high = colour_range(after)
        before = before * np.median(after) / np.median(before)  # so that a colour means the same in both
        pictures = {
            "input (a street never seen)": image,
            "disparity before training": colorize_disparity(before, low=low, high=high),
            "disparity after training": colorize_disparity(after, low=low, high=high),
            "true disparity": colorize_disparity(true_disparity),
        }
        size = (round(SCALE * image.shape[1]), round(SCALE * image.shape[0]))
        large = [np.asarray(Image.fromarray(picture).resize(size)) for picture in pictures.values()]
        columns.append(strip(large, list(pictures), column=True))
    gap = np.full((columns[0].shape[0], 8, 3), 255, np.uint8)
    Image.fromarray(np.concatenate([columns[0], gap, columns[1]], axis=1)).save(out, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parent / "images" / "demo.png")

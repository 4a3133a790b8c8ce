"""The record of a run: metrics.jsonl, TensorBoard, and preview pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image
from torch import Tensor
from torch.utils.tensorboard.writer import SummaryWriter

from selfdepth.engine.setup import Run
from selfdepth.files import whole_file, writing_to
from selfdepth.geometry.warp import synthesize
from selfdepth.inference.visualize import colorize_disparity, draw_mask, strip

METRICS_FILE = "metrics.jsonl"


class Tracker:
    """Writes the metrics and previews of a run into its folder.

    Args:
        folder: the run folder. Metrics after `step` are deleted: a run that was killed some steps after its last
            checkpoint repeats those steps, and would record them twice.
        step: the step at which the run starts or resumes.

    Raises:
        OutputError: if the folder cannot be written.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self.folder = folder
        self.path = folder / METRICS_FILE
        with writing_to(self.path):
            kept = [line for line in read_metrics(folder) if line["step"] <= step]
            with whole_file(self.path) as path:
                path.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def record(self, kind: str, step: int, values: dict[str, Any]) -> None:
        """Append one line of metrics.

        Args:
            kind: "train" or "val".
            values: scalars by name; TensorBoard gets the numbers among them.

        Raises:
            OutputError: if the file cannot be written.
        """
        with writing_to(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, "step": step, **values}) + "\n")
        for name, value in values.items():
            if isinstance(value, int | float):
                self._board.add_scalar(f"{kind}/{name}", value, step)

    def write_preview(self, run: Run) -> Path:
        """Draw a fixed clip with the present networks, as a PNG and for TensorBoard. Returns the path of the PNG."""
        step = run.progress.step
        images = preview_images(run)
        for name, image in images.items():
            self._board.add_image(name, image, step, dataformats="HWC")
        path = self.folder / "previews" / f"step_{step:06d}.png"
        with whole_file(path) as part:
            Image.fromarray(strip(list(images.values()), list(images), column=True)).save(part, format="png")
        return path

    def close(self) -> None:
        """Flush and close the files."""
        self._board.close()


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's metrics.jsonl. A last line that a crash cut short is left out."""
    path = folder / METRICS_FILE
    if not path.is_file():
        return []
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            break
    return lines


@torch.no_grad()
def preview_images(run: Run) -> dict[str, UInt8[ndarray, "h w 3"]]:
    """Pictures of the middle validation clip: input, disparity, first source warped to the target, and auto-mask.

    Of a self-taught model, which reads no source: input, disparity and confidence.

    Always of the same clip, so that previews of different steps can be compared. Without validation clips that have a
    source, it is a training clip.
    """
    loader = run.data.val if len(run.data.val.clips.with_source) else run.data.train
    candidates = loader.clips.with_source
    batch = loader.clip(int(candidates[len(candidates) // 2]))
    run.learner.eval()  # a batch of one clip must not change the running statistics
    try:
        output = run.learner(batch)
    finally:
        run.learner.train()
    disparity = run.depth_range.disparity(output.disparity)[0, 0].float().cpu().numpy()
    images = {"input": _picture(batch.frames[0, 0]), "disparity": colorize_disparity(disparity)}
    if output.confidence is not None:
        images["confidence (white: sure)"] = draw_mask(output.confidence[0, 0].float().cpu().numpy())
        return images
    if output.depth.shape[-2:] == batch.frames.shape[-2:]:  # not if only coarser scales are learned natively
        warped = synthesize(batch.frames[:, 1], output.depth, output.T_source_target[:, 0], batch.K)
        images["source seen from the target"] = _picture(warped[0])
    if run.config.loss.automask:
        images["auto-mask (white: learned from)"] = draw_mask(output.automask[0].float().cpu().numpy())
    return images


def _picture(image: Float[Tensor, "3 h w"]) -> UInt8[ndarray, "h w 3"]:
    pixels = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(pixels)

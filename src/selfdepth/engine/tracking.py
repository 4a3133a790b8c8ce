"""The record of a run: metrics.jsonl, TensorBoard, and preview pictures."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image
from torch import Tensor
from torch.utils.tensorboard.writer import SummaryWriter

from selfdepth.engine.run_config import METRICS_FILE
from selfdepth.engine.setup import Run
from selfdepth.errors import DataError
from selfdepth.files import sync_file, whole_file
from selfdepth.geometry.warp import synthesize
from selfdepth.inference.visualize import colorize_disparity, draw_mask, strip
from selfdepth.learners.self_supervised import SelfSupervisedDepth

_LONGEST_LINE = 1 << 20
"""Bytes. A line has a few hundred; what is longer is damage."""


class Tracker:
    """Writes the metrics and previews of a run into its folder.

    They are for looking. If they cannot be written, that is said once, and the run goes on.

    Args:
        folder: the run folder. Metrics after `step` are deleted: a run that was killed some steps after its last
            checkpoint repeats those steps, and would record them twice.
        step: the step at which the run starts or resumes.
        say: called with a sentence for the user.
    """

    def __init__(self, folder: Path, step: int, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.path = folder / METRICS_FILE
        self._say, self._failed = say, set[str]()
        self._board: SummaryWriter | None = None
        self._hook = threading.excepthook
        threading.excepthook = self._without_traceback
        with self._for_looking(METRICS_FILE), whole_file(self.path) as path, path.open("wb") as file:
            file.writelines(raw for raw, line in _lines(self.path) if line["step"] <= step)
        with self._for_looking("tensorboard/"):
            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def record(self, kind: str, step: int, values: dict[str, Any]) -> None:
        """Append one line of metrics.

        Args:
            kind: "train" or "val".
            values: scalars by name; TensorBoard gets the numbers among them.
        """
        line = json.dumps({"kind": kind, "step": step, **values}) + "\n"
        if METRICS_FILE in self._failed:
            line = "\n" + line  # the one before may have been cut short
        with self._for_looking(METRICS_FILE):
            self.folder.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line)
        with self._on_board() as board:
            for name, value in values.items():
                if board is not None and isinstance(value, int | float):
                    board.add_scalar(f"{kind}/{name}", value, step)

    def write_preview(self, run: Run) -> None:
        """Draw a fixed clip with the present networks, as a PNG and for TensorBoard."""
        step = run.progress.step
        images = preview_images(run)
        with self._on_board() as board:
            for name, image in images.items():
                if board is not None:
                    board.add_image(name, image, step, dataformats="HWC")
        path = self.folder / "previews" / f"step_{step:06d}.png"
        with self._for_looking("previews/"), whole_file(path) as part:
            Image.fromarray(strip(list(images.values()), list(images), column=True)).save(part, format="png")

    def sync(self) -> None:
        """Wait until the metrics are on the disk: before the checkpoint that continues them."""
        with self._for_looking(METRICS_FILE):
            sync_file(self.path)

    def close(self) -> None:
        """Flush and close the files."""
        with self._on_board() as board:
            if board is not None:
                board.close()
        threading.excepthook = self._hook

    def _without_traceback(self, args: threading.ExceptHookArgs) -> None:
        """TensorBoard's thread ends with the error that the next call of its writer raises too: once is enough."""
        if type(args.thread).__name__ != "_AsyncWriterThread":
            self._hook(args)

    @contextmanager
    def _for_looking(self, what: str) -> Iterator[None]:
        """Say once that something cannot be written, and go on."""
        try:
            yield
        except Exception as error:  # TensorBoard raises what its thread met, of any kind
            if what not in self._failed:
                self._failed.add(what)
                self._say(f"warning: {what} cannot be written, and the run goes on without it: {error}")

    @contextmanager
    def _on_board(self) -> Iterator[SummaryWriter | None]:
        """TensorBoard's writer while it works. After its first error it is left alone: its thread has ended."""
        with self._for_looking("tensorboard/"):
            yield self._board
        if "tensorboard/" in self._failed:
            self._board = None


class NoTracker(Tracker):
    """Of the processes of a run that do not write: the first one has the record."""

    def __init__(self) -> None:
        pass

    def record(self, kind: str, step: int, values: dict[str, Any]) -> None:
        """Nothing."""

    def write_preview(self, run: Run) -> None:
        """Nothing."""

    def sync(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's metrics.jsonl. Damaged ones are left out.

    Raises:
        DataError: if the file cannot be read.
    """
    return [line for _, line in _lines(folder / METRICS_FILE)]


def _lines(path: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Every sound line, as it stands there and as values."""
    if not path.is_file():
        return
    try:
        with path.open("rb") as file:
            while raw := file.readline(_LONGEST_LINE):
                line = _parsed(raw)
                if line is not None:
                    yield raw, line
    except OSError as error:
        raise DataError("the metrics cannot be read", where=path, got=error.strerror or str(error)) from error


def _parsed(raw: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    is_sound = isinstance(line, dict) and isinstance(line.get("kind"), str) and type(line.get("step")) is int
    return line if is_sound and raw.endswith(b"\n") else None


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
    images = {"input": to_picture(batch.frames[0, 0]), "disparity": colorize_disparity(disparity)}
    if output.confidence is not None:
        images["confidence (white: sure)"] = draw_mask(output.confidence[0, 0].float().cpu().numpy())
        return images
    if output.depth.shape[-2:] == batch.frames.shape[-2:]:  # not if only coarser scales are learned natively
        motion = output.T_source_target[:, 0]
        if isinstance(run.learner, SelfSupervisedDepth):
            batch = run.learner.through_camera(batch)
        warped = synthesize(batch.frames[:, 1], output.depth, motion, batch.K, batch.lenses)
        images["source seen from the target"] = to_picture(warped[0])
    if run.config.loss.automask:
        images["auto-mask (white: learned from)"] = draw_mask(output.automask[0].float().cpu().numpy())
    return images


def to_picture(image: Float[Tensor, "3 h w"]) -> UInt8[ndarray, "h w 3"]:
    """An image in [0, 1] as pixels. What is not finite is black."""
    pixels = (image.nan_to_num(0.0, 0.0, 0.0).clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(pixels)

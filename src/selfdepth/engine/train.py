"""The loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import torch

from selfdepth.config import TrainConfig
from selfdepth.data.footage import Footage
from selfdepth.engine.checkpoint import save_checkpoint
from selfdepth.engine.compiled import training_step
from selfdepth.engine.failures import explain_memory_errors, non_finite
from selfdepth.engine.health import Health, vital_signs
from selfdepth.engine.lock import sole_run
from selfdepth.engine.setup import Run, prepare_run, seed_step
from selfdepth.engine.tracking import Tracker
from selfdepth.engine.validate import validate
from selfdepth.engine.watch import Silent, StepReport, StopRequest, Watcher, stop_on_signals
from selfdepth.errors import Interrupted
from selfdepth.structs import Batch, StepOutput
from selfdepth.weights.files import save_weights

_LOG_EVERY_STEPS = 20
_PREVIEW_EVERY_S = 180.0


def train(
    config: TrainConfig,
    folder: Path,
    *,
    resume: bool = False,
    watcher: Watcher | None = None,
    footage: Footage | None = None,
) -> Run:
    """Train until the budget is used. The run folder then holds best/, last/, checkpoints and the record.

    Args:
        footage: what to learn from, instead of what `config.data` names.

    Raises:
        SelfDepthError: before anything is trained, for input that cannot be used; later, for a non-finite loss or
            a lack of memory.
        Interrupted: after Ctrl-C or SIGTERM, once everything is saved.
    """
    with sole_run(folder):
        return _train(config, folder, resume, watcher or Silent(), footage)


def _train(config: TrainConfig, folder: Path, resume: bool, watcher: Watcher, footage: Footage | None) -> Run:
    run = prepare_run(config, folder, resume=resume, on_frames=watcher.frames, footage=footage)
    if run.config.every == "auto":
        watcher.say(f"by the motion, neighbours are taken {run.data.store.spacing} frames apart (--every auto)")
    tracker = Tracker(folder, run.progress.step)
    try:
        with stop_on_signals() as stop, explain_memory_errors(run.config, folder):
            _Loop(run, tracker, watcher).go(stop)
    finally:
        tracker.close()
    if stop.signal_number is not None:
        raise Interrupted(stop.signal_number, folder)
    return run


class _Loop:
    """The training loop with its record. State that must survive lives in the run, not here."""

    def __init__(self, run: Run, tracker: Tracker, watcher: Watcher) -> None:
        self.run, self.tracker, self.watcher = run, tracker, watcher
        self.health = Health()
        self.score = ""
        self.saved_step = -1
        self._troubled = False
        self._started = time.monotonic() - run.progress.elapsed_s
        self._pictured = -math.inf  # the first step is drawn
        self._logged = (run.progress.step, time.monotonic())

    def go(self, stop: StopRequest) -> None:
        """Step after step: gather clips, rebuild the targets, learn from what does not fit."""
        run, progress = self.run, self.run.progress
        step: Callable[[Batch], StepOutput] = training_step(run, self.watcher.say)
        batches = run.data.train.iterate(progress.step)
        try:
            while run.fraction() < 1 and stop.signal_number is None:
                batch = next(batches)
                seed_step(run.config.seed, progress.step)
                rate = run.learning_rate()
                for group in run.optimizer.param_groups:
                    group["lr"] = rate
                output = step(batch)
                if not torch.isfinite(output.loss):
                    raise non_finite(run, batch)
                run.optimizer.zero_grad(set_to_none=True)
                output.loss.backward()  # type: ignore[no-untyped-call]
                run.optimizer.step()
                progress.step += 1
                progress.elapsed_s = time.monotonic() - self._started
                self._tell(output, rate)
        finally:
            batches.close()
        if self.saved_step != progress.step:
            self._milestone(with_validation=stop.signal_number is None)

    def _tell(self, output: StepOutput, rate: float) -> None:
        progress, config = self.run.progress, self.run.config
        if progress.step % _LOG_EVERY_STEPS == 0 or progress.step == 1:
            self._log(output, rate)
        if progress.step % config.save_every == 0:
            self._milestone(with_validation=True)
        elif time.monotonic() - self._pictured > _PREVIEW_EVERY_S:
            self._picture()

    def _log(self, output: StepOutput, rate: float) -> None:
        progress = self.run.progress
        since_step, since_s = self._logged
        now = time.monotonic()
        clips_per_s = (progress.step - since_step) * self.run.config.batch_size / max(now - since_s, 1e-9)
        self._logged = (progress.step, now)
        signs = {name: float(value) for name, value in vital_signs(output, len(self.run.config.offsets)).items()}
        terms = {name: float(value) for name, value in output.terms.items()}
        loss = float(output.loss.detach())
        self.tracker.record(
            "train",
            progress.step,
            {"loss": loss, **terms, **signs, "learning_rate": rate, "clips_per_s": clips_per_s}
            | {"elapsed_s": round(progress.elapsed_s, 2)},
        )
        fraction = min(self.run.fraction(), 1.0)
        done_here = max(fraction, 1e-9)
        self.watcher.step(
            StepReport(
                step=progress.step,
                fraction=fraction,
                loss=loss,
                clips_per_s=clips_per_s,
                left_s=progress.elapsed_s * (1 - fraction) / done_here,
                score=self.score,
            )
        )
        for sentence in self.health.look(signs, automask=self.run.config.loss.automask):
            self.watcher.say(f"warning: step {progress.step}: {sentence}")

    def _milestone(self, *, with_validation: bool) -> None:
        """Validate, draw, and put everything on disk that a resume or a user needs."""
        run, progress = self.run, self.run.progress
        better = False
        try:
            if with_validation:
                better = self._validate()
                self._picture()
        finally:  # whatever validation runs into, what was learned is kept
            state, meta = run.learner.state_dict(), run.weights_meta()
            save_weights(run.folder / "last", state, meta)
            if better or not (run.folder / "best").exists():
                save_weights(run.folder / "best", state, meta)
            save_checkpoint(run.folder, run.learner, run.optimizer, progress, keep=run.config.keep)
        self.saved_step = progress.step
        # What was spent here is not the training's rate.
        self._logged = (progress.step, time.monotonic())

    def _validate(self) -> bool:
        """Returns whether this is the best so far."""
        progress = self.run.progress
        validation = validate(self.run)
        if validation.trouble and not self._troubled:
            self._troubled = True
            more = f" ({len(validation.trouble)} such)" if len(validation.trouble) > 1 else ""
            self.watcher.say(f"warning: ground truth is left out of validation: {validation.trouble[0]}{more}")
        if validation.score is None:
            return True  # nothing to judge by: the newest is the best
        self.tracker.record("val", progress.step, {**validation.metrics(), "elapsed_s": round(progress.elapsed_s, 2)})
        name = "abs_rel" if validation.depth is not None else "loss"
        self.score = f"{name} {validation.score:.4f}"
        better = progress.best_score is None or validation.score < progress.best_score
        if better:
            progress.best_score, progress.best_step = validation.score, progress.step
        self.watcher.say(f"step {progress.step}: validation {self.score}{' (best so far)' if better else ''}")
        return better

    def _picture(self) -> None:
        self.tracker.pictures(self.run)
        self._pictured = time.monotonic()

"""The training loop."""

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
from selfdepth.engine.failures import explain_memory_errors, non_finite_loss
from selfdepth.engine.health import Health, vital_signs
from selfdepth.engine.lock import sole_run
from selfdepth.engine.motion_first import MotionFirst
from selfdepth.engine.setup import Run, prepare_run, seed_step
from selfdepth.engine.signals import StopRequest, stop_on_signals
from selfdepth.engine.tracking import Tracker
from selfdepth.engine.validate import validate
from selfdepth.engine.watch import Silent, StepReport, Watcher
from selfdepth.errors import Interrupted
from selfdepth.structs import Batch, StepOutput
from selfdepth.teachers.teacher import Ask
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
    teacher: Ask | None = None,
) -> Run:
    """Train until the budget is used. The run folder then holds best/, last/, checkpoints/ and the record.

    Args:
        folder: the run folder: new or empty, or with `resume` the folder of the run to continue.
        watcher: receives the progress; None: nobody does.
        footage: data to learn from, instead of the data that `config.data` names.
        teacher: a function from image to disparity to learn from too; `config.teacher.path` gives its name,
            "python:NAME".

    Returns:
        The finished run, with its networks.

    Raises:
        SelfDepthError: before the first step, for invalid input; later, for a loss that is not finite, a lack of
            memory, or a folder that cannot be written.
        Interrupted: after Ctrl-C or SIGTERM, once everything is saved.
    """
    with sole_run(folder):
        watcher = watcher or Silent()
        run = prepare_run(
            config,
            folder,
            resume=resume,
            on_frames=watcher.frames,
            on_maps=watcher.maps,
            footage=footage,
            teacher=teacher,
        )
        return _train(run, watcher)


def _train(run: Run, watcher: Watcher) -> Run:
    folder = run.folder
    if run.config.every == "auto":
        watcher.say(f"the motion suggests neighbours {run.data.store.spacing} frames apart (--every auto)")
    tracker = Tracker(folder, run.progress.step)
    try:
        # Signals are caught from here on only: before the first step there is nothing to save.
        with stop_on_signals() as stop, explain_memory_errors(run.config, folder):
            _Loop(run, tracker, watcher).go(stop)
    finally:
        tracker.close()
    if stop.signal_number is not None:
        raise Interrupted(stop.signal_number, folder)
    return run


class _Loop:
    """The loop and its record. State that a resume needs belongs in the run, not here."""

    def __init__(self, run: Run, tracker: Tracker, watcher: Watcher) -> None:
        self.run, self.tracker, self.watcher = run, tracker, watcher
        self.health = Health(run.config.method)
        config = run.config
        wanted = config.motion_first and config.init is None and config.self_teacher is None
        self.motion_first = MotionFirst(run.progress, wanted=wanted, automask=config.loss.automask)
        self.score = ""
        self.saved_step = -1
        self._warned_of_ground_truth = False
        # A resumed clock continues where it stood. It counts validation and saving too: whoever gives a run 60 minutes
        # wants it to end after 60 minutes.
        self._start_s = time.monotonic() - run.progress.elapsed_s
        # Draws the first step. Zero would not: the monotonic clock may start when the machine does.
        self._last_preview_s = -math.inf
        self._last_log = (run.progress.step, time.monotonic())

    def go(self, stop: StopRequest) -> None:
        """Train step by step, until the budget is used or a signal arrives; then save."""
        run, progress = self.run, self.run.progress
        step: Callable[[Batch], StepOutput] = training_step(run, self.watcher.say)
        batches = run.data.train.iterate(progress.step)
        try:
            if run.config.anchor is not None and progress.step == 0:
                self._milestone(with_validation=True)  # a refinement competes with the model where it starts
            while run.fraction() < 1 and stop.signal_number is None:
                batch = next(batches)
                seed_step(run.config.seed, progress.step)  # the tie-breaking noise
                rate = run.learning_rate()
                for group in run.optimizer.param_groups:
                    group["lr"] = rate
                stage = run.learner.stage = self.motion_first.stage
                # The few steps of the other stages are not worth compiling.
                output: StepOutput = step(batch) if stage == "full" else run.learner(batch)
                # Before the backward pass: one such gradient would make all weights NaN, and Adam's averages with them.
                if not torch.isfinite(output.loss):
                    raise non_finite_loss(run, batch)
                run.optimizer.zero_grad(set_to_none=True)
                output.loss.backward()  # type: ignore[no-untyped-call]
                run.optimizer.step()
                progress.step += 1
                progress.elapsed_s = time.monotonic() - self._start_s
                self._after_step(output, rate)
        finally:
            batches.close()  # ends the thread that reads ahead
        if self.saved_step != progress.step:
            # After a signal the user waits, or the machine is about to go down: save, and leave validation out.
            self._milestone(with_validation=stop.signal_number is None)

    def _after_step(self, output: StepOutput, rate: float) -> None:
        """Log, validate, save and draw, each when it is due."""
        progress, config = self.run.progress, self.run.config
        news = self.motion_first.after_step(output, self.run.fraction())
        if news is not None:
            self.watcher.say(news)
        if progress.step % _LOG_EVERY_STEPS == 0 or progress.step == 1:
            self._log(output, rate)
        if progress.step % config.save_every == 0:
            self._milestone(with_validation=True)
        elif time.monotonic() - self._last_preview_s > _PREVIEW_EVERY_S:
            self._draw_preview()

    def _log(self, output: StepOutput, rate: float) -> None:
        """Record the step, report it, and warn of silent failures."""
        progress = self.run.progress
        last_step, last_s = self._last_log
        now_s = time.monotonic()
        clips_per_s = (progress.step - last_step) * self.run.config.batch_size / max(now_s - last_s, 1e-9)
        self._last_log = (progress.step, now_s)
        n_learned = 0 if self.run.config.self_teacher is not None else len(self.run.config.offsets)
        signs = {name: float(value) for name, value in vital_signs(output, n_learned).items()}
        if self.run.learner.stage == "motion":
            del signs["disparity_spread"]  # of a depth that is held constant, it says nothing
        terms = {name: float(value) for name, value in output.terms.items()}
        loss = float(output.loss.detach())
        self.tracker.record(
            "train",
            progress.step,
            {"loss": loss, **terms, **signs, "learning_rate": rate, "clips_per_s": clips_per_s}
            | {"elapsed_s": round(progress.elapsed_s, 2)},
        )
        fraction = min(self.run.fraction(), 1.0)
        self.watcher.step(
            StepReport(
                step=progress.step,
                fraction=fraction,
                loss=loss,
                clips_per_s=clips_per_s,
                left_s=progress.elapsed_s * (1 - fraction) / max(fraction, 1e-9),
                score=self.score,
            )
        )
        if self.run.config.self_teacher is not None:
            return  # a student is as its teacher is, and learns no motion
        for sentence in self.health.check(signs, automask=self.run.config.loss.automask):
            self.watcher.say(f"warning: step {progress.step}: {sentence}")

    def _milestone(self, *, with_validation: bool) -> None:
        """Validate, draw, and save everything that a resume or a user needs."""
        run, progress = self.run, self.run.progress
        better = False
        try:
            if with_validation:
                better = self._validate()
                self._draw_preview()
        finally:  # an error in validation or drawing must not cost the steps since the last checkpoint
            state, meta = run.learner.state_dict(), run.weights_meta()
            save_weights(run.folder / "last", state, meta)
            if better or not (run.folder / "best").exists():
                save_weights(run.folder / "best", state, meta)
            # Last, because it records the best score. A run that is killed in between resumes from the checkpoint
            # before, validates again and writes best/ again; the other way round, it would never write these weights.
            save_checkpoint(run.folder, run.learner, run.optimizer, progress, keep=run.config.keep)
        self.saved_step = progress.step
        # The time spent here does not count in the logged clips per second.
        self._last_log = (progress.step, time.monotonic())

    def _validate(self) -> bool:
        """Validate and record the result. Returns whether the networks are the best so far."""
        progress = self.run.progress
        validation = validate(self.run)
        if validation.problems and not self._warned_of_ground_truth:  # once: every validation meets the same files
            self._warned_of_ground_truth = True
            n_more = len(validation.problems) - 1
            more = f" (and {n_more} more)" if n_more else ""
            self.watcher.say(f"warning: ground truth is left out of validation: {validation.problems[0]}{more}")
        if validation.score is None:
            return True  # without a score, the newest networks are taken for the best
        self.tracker.record("val", progress.step, {**validation.metrics(), "elapsed_s": round(progress.elapsed_s, 2)})
        name = "abs_rel" if validation.depth is not None else "loss"
        self.score = f"{name} {validation.score:.4f}"
        better = progress.best_score is None or validation.score < progress.best_score
        if better:
            progress.best_score, progress.best_step = validation.score, progress.step
        self.watcher.say(f"step {progress.step}: validation {self.score}{' (best so far)' if better else ''}")
        return better

    def _draw_preview(self) -> None:
        self.tracker.write_preview(self.run)
        self._last_preview_s = time.monotonic()

"""The training loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from statistics import fmean

from selfdepth.config import TrainConfig
from selfdepth.data.footage import Footage
from selfdepth.data.store.prepare import lenses_of, shown_share
from selfdepth.engine.alike import require_alike
from selfdepth.engine.camera_report import VERDICT_FILE, finish
from selfdepth.engine.checkpoint import last_checkpoint, not_finite
from selfdepth.engine.compiled import training_step
from selfdepth.engine.distributed import joined, running_statistics_of
from selfdepth.engine.failures import (
    MOST_IN_ROW,
    Statistics,
    diverged,
    explain_memory_errors,
    how_it_ended,
    is_finite,
    report_skipped,
    require_finite_weights,
)
from selfdepth.engine.focal_length import hold_measured
from selfdepth.engine.health import Health, vital_signs
from selfdepth.engine.learned_camera import camera_terms
from selfdepth.engine.lock import clear_leftovers, sole_run
from selfdepth.engine.motion_first import MotionFirst
from selfdepth.engine.resume import check_folder
from selfdepth.engine.saving import restore_models, save_all
from selfdepth.engine.setup import Run, prepare_in_turn, prepare_run, seed_step
from selfdepth.engine.signals import StopRequest, stop_on_signals
from selfdepth.engine.tracking import NoTracker, Tracker
from selfdepth.engine.validate import validate
from selfdepth.engine.watch import StepReport, Unfailing, Watcher
from selfdepth.errors import DiskFullError, Interrupted, OutputError
from selfdepth.structs import Batch, StepOutput
from selfdepth.teachers.teacher import Ask

_LOG_EVERY_STEPS = 20
_PREVIEW_EVERY_S = 180.0
_FULL_DISK_S = 15
"""Seconds between two attempts to save on a full disk."""


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
        SelfDepthError: before the first step, for invalid input; later, for steps in a row without finite loss and
            gradients, a lack of memory, or a checkpoint that cannot be written.
        Interrupted: after Ctrl-C, SIGTERM or SIGHUP, once everything is saved.
        EndedElsewhere: if the run has several processes, and another one has raised such an error.
    """
    config = config.with_metric_start()
    with joined(config.device) as world, sole_run(folder) if world.is_first else nullcontext():
        require_alike(world, config, folder, resume=resume)  # before anything is done
        watcher = Unfailing(watcher if world.is_first else None)
        if world.is_first:
            # torchrun repeats the command when it has lost a process.
            resume = resume or (world.is_restart and last_checkpoint(folder) is not None)
            check_folder(config, folder, resume=resume)
            clear_leftovers(folder)
        prepare = partial(prepare_run, footage=footage, teacher=teacher, world=world)
        prepare = partial(prepare, folder=folder, on_frames=watcher.frames, on_maps=watcher.maps)
        return _train(prepare_in_turn(prepare, config, world, resume=resume), watcher)


def _train(run: Run, watcher: Watcher) -> Run:
    folder = run.folder
    if run.config.every == "auto":
        watcher.say(f"the motion suggests neighbours {run.data.store.spacing} frames apart (--every auto)")
    lenses = lenses_of(run.data.store)
    if lenses is not None:
        watcher.say(lenses)
    is_first = run.world.is_first
    if run.progress.step > 0 and is_first:
        restore_models(run)
    if run.is_finished:
        watcher.say(f"the run has used its budget, at step {run.progress.step}: it is left as it is")
        if run.config.learns_camera and is_first and not (folder / VERDICT_FILE).exists():
            finish(run, watcher.say)  # it was killed while it judged
        return run
    tracker = Tracker(folder, run.progress.step, watcher.say) if is_first else NoTracker()
    try:
        # Signals are caught from here on only: before the first step there is nothing to save.
        with stop_on_signals() as stop, explain_memory_errors(run.config, folder):
            loop = _Loop(run, tracker, watcher, stop)
            loop.go()
    finally:
        tracker.close()
    if loop.stopped_by is not None:
        raise Interrupted(loop.stopped_by, folder)
    if is_first:
        finish(run, watcher.say)
        for sentence in how_it_ended(run):
            watcher.say(f"warning: {sentence}")
    return run


class _Loop:
    """The loop and its record. State that a resume needs belongs in the run, not here."""

    def __init__(self, run: Run, tracker: Tracker, watcher: Watcher, stop: StopRequest) -> None:
        self.run, self.tracker, self.watcher, self.stop = run, tracker, watcher, stop
        self.health = Health(run.config.method)
        self.statistics = Statistics(run.learner)
        self.measured = running_statistics_of(run.learner)
        self.learner = run.world.wrap(run.learner)
        config = run.config
        wanted = config.motion_first and config.init is None and config.self_teacher is None
        shown = shown_share(run.data.store)
        self.motion_first = MotionFirst(run.progress, wanted=wanted, automask=config.loss.automask, shown=shown)
        self.score = ""
        self.saved_step = -1
        self._signal: int | None = None
        self._warned_of_ground_truth = False
        self._of_constant: float | None = None
        # A resumed clock continues where it stood. It counts validation and saving too: whoever gives a run 60 minutes
        # wants it to end after 60 minutes.
        self._start_s = time.monotonic() - run.progress.elapsed_s
        # Draws the first step. Zero would not: the monotonic clock may start when the machine does.
        self._last_preview_s = -math.inf
        self._last_log = (run.progress.step, time.monotonic())

    @property
    def stopped_by(self) -> int | None:
        """The signal that ends the run. Of several processes, one that all of them know of."""
        return self.stop.signal_number if self.run.world.size == 1 else self._signal

    def go(self) -> None:
        """Train step by step, until the budget is used or a signal arrives; then save."""
        run, progress = self.run, self.run.progress
        step: Callable[[Batch], StepOutput] = training_step(run, self.watcher.say, self.learner)
        batches = run.data.train.iterate(progress.step)
        try:
            if run.config.anchor is not None and progress.step == 0:
                self._milestone(with_validation=True)  # a refinement competes with the model where it starts
            while not run.is_finished and self.stopped_by is None:
                self._step(step, next(batches))
        finally:
            batches.close()  # ends the thread that reads ahead
        if progress.skipped == progress.step > 0:
            raise diverged(run)
        if self.saved_step != progress.step:
            # After a signal the user waits, or the machine is about to go down: save, and leave validation out.
            self._milestone(with_validation=self.stopped_by is None)

    def _step(self, step: Callable[[Batch], StepOutput], batch: Batch) -> None:
        run, progress = self.run, self.run.progress
        seed_step(run.config.seed, progress.step)  # the tie-breaking noise
        rate = run.learning_rate()
        for group in run.optimizer.param_groups:
            group["lr"] = rate * group.get("share", 1.0)  # older checkpoints have no shares
        stage = run.learner.stage = self.motion_first.stage
        self.statistics.keep()
        # The few steps of the other stages are not worth compiling.
        output: StepOutput = step(batch) if stage == "full" else self.learner(batch)
        run.optimizer.zero_grad(set_to_none=True)
        output.loss.backward()  # type: ignore[no-untyped-call]
        run.world.average(self.measured)
        # One gradient of NaN would make all weights NaN, and Adam's averages with them.
        applied, kept = self._agree(output, is_finite(output.loss, run.learner.parameters()))
        if applied:
            run.optimizer.step()
            progress.skipped_in_row = 0
        else:
            self._skip(batch)
        progress.step += 1
        if progress.skipped_in_row == MOST_IN_ROW:
            self._save_before_the_end()
            raise diverged(run)
        news = self.motion_first.after_step(kept, run.fraction()) if applied else None
        if news is not None:
            self.watcher.say(news)
        self._after_step(output, rate)

    def _agree(self, output: StepOutput, finite: bool) -> tuple[bool, float]:
        """Take alike in all processes what the course of the run depends on: the clock of the first, a signal to any.

        Returns:
            Whether loss and gradients are finite in all of them, and the share of pixels that warping explains.
        """
        kept = 0.0 if self.motion_first.stage == "full" else float(output.kept)
        own = (finite, self.stop.signal_number or 0, time.monotonic() - self._start_s, kept)
        finites, signals, clocks, shares = zip(*self.run.world.gather_numbers(own), strict=True)
        self._signal = int(max(signals)) or None
        self.run.progress.elapsed_s = clocks[0]
        return all(finites), fmean(shares)

    def _skip(self, batch: Batch) -> None:
        """Count a step that is not applied, save its clips, and undo what it did to the running statistics."""
        progress = self.run.progress
        progress.skipped += 1
        progress.skipped_in_row += 1
        self.run.optimizer.zero_grad(set_to_none=True)
        sentence = report_skipped(self.run, batch)
        self.statistics.restore()
        if sentence is not None:
            self.watcher.say(f"warning: {sentence}")

    def _save_before_the_end(self) -> None:
        """Save the steps since the last checkpoint: those that were applied were finite."""
        progress = self.run.progress
        if progress.skipped == progress.step or not_finite(self.run.learner):
            return
        in_row, progress.skipped_in_row = progress.skipped_in_row, 0  # whoever resumes, with other options, starts anew
        try:
            self._save(better=False)
        except OutputError as error:  # the reason for the end is another
            self.watcher.say(f"warning: the steps since the last checkpoint are lost: {error}")
        self.run.world.wait()
        progress.skipped_in_row = in_row

    def _after_step(self, output: StepOutput, rate: float) -> None:
        """Log, validate, save and draw, each when it is due."""
        progress, config = self.run.progress, self.run.config
        if progress.step % _LOG_EVERY_STEPS == 0 or progress.step == 1:
            self._log(output, rate)
        if progress.step % config.save_every == 0:
            self._milestone(with_validation=True)
        elif self.run.world.is_first and time.monotonic() - self._last_preview_s > _PREVIEW_EVERY_S:
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
        terms = self.run.world.mean({name: float(value) for name, value in output.terms.items()})
        signs, loss = self.run.world.mean(signs), self.run.world.mean({"loss": float(output.loss.detach())})["loss"]
        self.tracker.record(
            "train",
            progress.step,
            {"loss": loss, **terms, **signs, "learning_rate": rate, "clips_per_s": clips_per_s}
            | camera_terms(self.run.learner, self.run.cameras)
            | {"skipped": progress.skipped, "elapsed_s": round(progress.elapsed_s, 2)},
        )
        fraction = min(self.run.fraction(), 1.0)
        left_s = progress.elapsed_s * (1 - fraction) / max(fraction, 1e-9)
        report = StepReport(
            step=progress.step, fraction=fraction, loss=loss, clips_per_s=clips_per_s, left_s=left_s, score=self.score
        )
        self.watcher.step(report)
        if self.run.config.self_teacher is not None:
            return  # a student is as its teacher is, and learns no motion
        for sentence in self.health.check(signs, automask=self.run.config.loss.automask):
            self.watcher.say(f"warning: step {progress.step}: {sentence}")

    def _milestone(self, *, with_validation: bool) -> None:
        """Validate, draw, and save everything that a resume or a user needs."""
        require_finite_weights(self.run)
        if with_validation and self.motion_first.stage == "full":
            hold_measured(self.run, self.watcher.say)
        self._validate_and_save(with_validation=with_validation)
        self.run.world.wait()
        self.saved_step = self.run.progress.step
        # The time spent here does not count in the logged clips per second.
        self._last_log = (self.run.progress.step, time.monotonic())

    def _validate_and_save(self, *, with_validation: bool) -> None:
        better = False
        try:
            if with_validation:
                better = self._validate()
                self._draw_preview()
        except Exception:  # an error in validation or drawing must not cost the steps since the last checkpoint
            self._save(better=better)
            raise
        self._save(better=better)

    def _save(self, *, better: bool) -> None:
        """Save the checkpoint and the models. If the disk is full, stop or wait for space, as the options say."""
        if not self.run.world.is_first:
            return
        self.tracker.sync()
        has_said = False
        while True:
            try:
                save_all(self.run, better=better)
            except DiskFullError as error:
                if self.run.config.on_full_disk == "stop" or self.stop.signal_number is not None:
                    raise
                if not has_said:
                    self.watcher.say(f"warning: {error}; waiting for space, and older checkpoints stay")
                    has_said = True
                began_s = time.monotonic()
                for _ in range(_FULL_DISK_S):
                    if self.stop.signal_number is None:
                        time.sleep(1.0)
                self._start_s += time.monotonic() - began_s  # whoever gives a run 60 minutes means it to train then
            else:
                return

    def _validate(self) -> bool:
        """Validate and record the result. Returns whether the networks are the best so far."""
        progress = self.run.progress
        validation = validate(self.run, self._of_constant)
        self._of_constant = validation.constant
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
        best = progress.best_score if (self.run.folder / "best").exists() else None  # somebody may have removed it
        better = math.isfinite(validation.score) and (best is None or validation.score < best)
        if better:
            progress.best_score = validation.score
        self.watcher.say(f"step {progress.step}: validation {self.score}{' (best so far)' if better else ''}")
        return better

    def _draw_preview(self) -> None:
        self.tracker.write_preview(self.run)
        self._last_preview_s = time.monotonic()

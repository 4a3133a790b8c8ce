"""What a run saves at a milestone: its checkpoint, and the models last/ and best/, which follow from it."""

from __future__ import annotations

import warnings

from selfdepth.engine.checkpoint import put_aside, save_checkpoint
from selfdepth.engine.learned_camera import CAMERA_PARTS
from selfdepth.engine.run_config import CONFIG_FILE
from selfdepth.engine.setup import Run
from selfdepth.errors import SelfDepthWarning
from selfdepth.weights.files import save_weights, saved_step


def save_all(run: Run, *, better: bool) -> None:
    """Save the checkpoint, then last/, and best/ if these weights are the best so far or the first.

    The checkpoint comes first. If the process is killed before the models are written, `restore_models` writes them.

    Raises:
        OutputError: if the disk is full or the folder cannot be written. What was there before stays.
    """
    progress, best = run.progress, run.folder / "best"
    if better or not best.exists():
        progress.best_step = progress.step
    if not better and not best.exists():
        progress.best_score = None  # of other weights, which are lost
    if not (run.folder / CONFIG_FILE).exists():  # somebody has removed the folder; without it there is no resume
        run.write_config()
    save_checkpoint(run.folder, run.learner, run.optimizer, progress, keep=run.config.keep, config=run.config)
    _save_models(run, best=progress.best_step == progress.step)


def restore_models(run: Run) -> None:
    """Write last/ and best/ of the checkpoint that was just restored, unless they are there.

    A best/ of an earlier step is lost if it is damaged: the next validation decides anew what is best, and until the
    next milestone last/ is the run's model.

    Warns:
        SelfDepthWarning: of a best/ that is missing or damaged.

    Raises:
        OutputError: as `save_all`.
    """
    progress, best = run.progress, run.folder / "best"
    if saved_step(run.folder / "last") != progress.step:
        _save_models(run, best=False)
    if progress.best_step == progress.step:
        if saved_step(best) != progress.step:
            _save_models(run, best=True)
        return
    if saved_step(best) is not None:
        return
    state, aside = "missing", ""
    if best.exists():
        state, aside = "damaged", f", and is kept as {put_aside(best).name}/"
    if not run.is_finished:
        # The score of weights that are lost would keep all others from becoming the best.
        progress.best_score = None
    warnings.warn(
        f"{best}, the model of step {progress.best_step}, is {state}{aside}: last/ is the run's model until it is "
        "validated again",
        SelfDepthWarning,
        stacklevel=2,
    )


def _save_models(run: Run, *, best: bool) -> None:
    # A learned camera is no part of the networks: their configuration has it, as it has any other.
    state = {name: tensor for name, tensor in run.learner.state_dict().items() if not name.startswith(CAMERA_PARTS)}
    meta = run.weights_meta()
    save_weights(run.folder / "last", state, meta)
    if best:
        save_weights(run.folder / "best", state, meta)

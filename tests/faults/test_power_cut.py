"""After a power cut there is the old or the new, never half of one, and never neither."""

from __future__ import annotations

import random
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from helpers.models import write_model
from helpers.power_cut import PowerCuts
from helpers.same_run import difference
from selfdepth import files
from selfdepth.config import TrainConfig
from selfdepth.engine.checkpoint import last_checkpoint, load_checkpoint, newest_intact, save_checkpoint
from selfdepth.engine.lock import clear_leftovers, sole_run
from selfdepth.engine.progress import Progress
from selfdepth.engine.train import train
from selfdepth.files import make_folder, put_in_place, recover, whole_file
from selfdepth.weights.files import WeightsMeta, load_weights


def network(step: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    net = nn.Linear(2, 2)
    nn.init.constant_(net.weight, step)
    return net, torch.optim.Adam(net.parameters())


@pytest.fixture(params=[True, False], ids=["exchanged", "renamed twice"])
def _either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without the call that lets two names change places."""
    if not request.param:
        monkeypatch.setattr(files, "_exchange", lambda a, b: False)


@pytest.mark.usefixtures("_either_way")
def test_whenever_the_power_fails_the_last_saved_checkpoint_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "disk").mkdir()
    watch = PowerCuts(tmp_path / "disk")
    watch.promise = 0
    with watch.watching(monkeypatch):
        for step in (2, 4, 6, 6):  # the last one is replaced
            save_checkpoint(tmp_path / "disk/run", *network(step), Progress(step=step), keep=2)
            watch.promise = step
    assert len(watch.cuts) > 50
    for number, cut in enumerate(watch.cuts):
        run = cut.restore(tmp_path / str(number)) / "run"
        with sole_run(run), warnings.catch_warnings():
            warnings.simplefilter("error")  # not even a damaged one: it would not have its name
            found = newest_intact(run)
            assert (0 if found is None else found.progress.step) >= cut.promise, number
            if found is not None:
                net, optimizer = network(0)
                load_checkpoint(found, net, optimizer, torch.device("cpu"))
                assert float(net.weight.detach().unique()) == found.progress.step
            clear_leftovers(run)
            left = list(run.glob("checkpoints/.*"))
            assert left == [], "what was left half-written is cleared away"


def test_whenever_the_power_fails_a_model_is_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meta: WeightsMeta
) -> None:
    (tmp_path / "disk").mkdir()
    watch = PowerCuts(tmp_path / "disk")
    watch.promise = 0
    with watch.watching(monkeypatch):
        for step in (2, 4, 6):
            state = {"depth_net.x": torch.full((3,), float(step))}
            write_model(tmp_path / "disk/last", meta.config, state=state, step=step)
            watch.promise = step
    for number, cut in enumerate(watch.cuts):
        place = cut.restore(tmp_path / str(number)) / "last"
        if cut.promise == 0 and not (place / "model.safetensors").exists():
            continue
        model = load_weights(place)
        assert model.step is not None and model.step >= cut.promise, number
        assert model.state["depth_net.x"].tolist() == [model.step] * 3


@pytest.mark.usefixtures("_either_way")
def test_whenever_the_power_fails_a_store_is_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "disk").mkdir()
    watch = PowerCuts(tmp_path / "disk")
    store = tmp_path / "disk/store"
    with watch.watching(monkeypatch):
        for text in ("old", "new"):
            partial = store.with_name(".store.7.partial")
            make_folder(partial)
            for name in ("frames.u8", "index.json"):
                (partial / name).write_text(text)
            put_in_place(partial, store)
            watch.promise = text
    for number, cut in enumerate(watch.cuts):
        place = cut.restore(tmp_path / str(number)) / "store"
        recover(place)
        texts = {path.name: path.read_text() for path in place.iterdir()} if place.exists() else {}
        allowed = {None: ({}, "old"), "old": ("old", "new"), "new": ("new",)}[cut.promise]
        assert texts in [{} if each == {} else {"frames.u8": each, "index.json": each} for each in allowed], number
        assert {path.name for path in place.parent.iterdir()} <= {"store"}


def test_whenever_the_power_fails_a_file_is_the_old_or_the_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/config.json").write_text("old")
    watch = PowerCuts(tmp_path / "disk")
    with watch.watching(monkeypatch), whole_file(tmp_path / "disk/config.json") as path:
        path.write_text("new")
    watch.promise = "new"
    texts = {cut.tree["config.json"] for cut in watch.cuts}
    assert texts == {b"old", b"new"}


def test_what_is_not_synchronised_is_lost_in_the_simulation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "disk").mkdir()
    watch = PowerCuts(tmp_path / "disk")
    with watch.watching(monkeypatch):
        (tmp_path / "disk/.a").write_text("new")
        files.os.replace(tmp_path / "disk/.a", tmp_path / "disk/a")
    trees = [cut.tree for cut in watch.cuts]
    assert {} in trees and any(tree.get("a", b"new") != b"new" for tree in trees), "else no test above could fail"


@pytest.mark.faults
def test_runs_go_on_after_power_cuts_and_end_as_one_that_was_left_alone(
    tiny: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tries: int,
    figures: Callable[[str, str, int, int], None],
) -> None:
    (tmp_path / "disk").mkdir()
    watch = PowerCuts(tmp_path / "disk")
    with watch.watching(monkeypatch):
        train(tiny, tmp_path / "disk/run")
    found = []
    for number, cut in enumerate(random.Random(0).choices(watch.cuts, k=tries)):
        run = cut.restore(tmp_path / str(number)) / "run"
        try:
            train(tiny, run, resume=last_checkpoint(run) is not None)
            found.append(difference(run, tmp_path / "disk/run"))
        except Exception as error:
            found.append(repr(error))
        shutil.rmtree(run.parent)
    figures(
        "a power cut leaves the old or the new of everything, and the run goes on from it",
        "all that was not synchronised is dropped or torn, at a random moment of saving",
        tries,
        found.count(""),
    )
    assert found == [""] * tries

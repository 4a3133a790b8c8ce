"""Prediction of many inputs on a cluster of Ray, a real one of two workers on this machine."""

from __future__ import annotations

import io
import itertools
import json
import os
import signal
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.models import depth_only, tiny_config, untrained, write_model
from selfdepth.errors import ConfigError, SelfDepthError, SelfDepthWarning
from selfdepth.inference import many, on_ray
from selfdepth.inference.input_lists import ListedInput, read_input_list
from selfdepth.inference.many import RECORD_FILE, Outcome, Task, checked_settings, predict_many
from selfdepth.inference.on_ray import RayOptions, predict_on_ray
from selfdepth.inference.ray_workers import MOST_ATTEMPTS, Attempts, Job, RayPredictor, Report, Row, encoded
from selfdepth.inference.save import SaveOptions

LISTED = ("a.png", "lost", "cut.png", "frames", "gone.mp4")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """model/; an image; frames/, two images; lost/, so many that a worker can be lost at them; all.txt, their list."""
    folder = tmp_path_factory.mktemp("archive")
    config = tiny_config()
    write_model(folder / "model", config, state=depth_only(untrained(config).state_dict()))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 40, 80, 3)).astype(np.uint8)
    for place, count in (("frames", 2), ("lost", 40)):
        (folder / place).mkdir()
        for number in range(count):
            Image.fromarray(pixels[number % 2]).save(folder / place / f"{number}.png")
    Image.fromarray(pixels[0]).save(folder / "a.png")
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:200])
    (folder / "all.txt").write_text("\n".join(LISTED))
    return folder


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """Ray, connected to a cluster of two cores of this machine for all tests of this file."""
    pytest.importorskip("ray.data")
    ray = on_ray.load_ray()
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield ray
    ray.shutdown()


def task(world: Path, out: Path) -> Task:
    options = SaveOptions(kinds=("npz", "color"), batch_size=2)
    return Task(model=str(world / "model"), out=out, options=options, device="cpu", precision="fp32")


def run(world: Path, out: Path, *, by_ray: bool) -> tuple[dict[str, Outcome], list[str]]:
    """Outcomes by their keys, and what was said."""
    outcomes: dict[str, Outcome] = {}
    said: list[str] = []

    def tell(outcome: Outcome) -> None:
        assert outcome.listed.key not in outcomes
        outcomes[outcome.listed.key] = outcome

    place = world / "all.txt"
    inputs = read_input_list(place, out=out)
    if by_ray:
        predict_on_ray(task(world, out), inputs, RayOptions(), place=place, tell=tell, say=said.append)
    else:
        predict_many(task(world, out), inputs, tell=tell, say=said.append)
    return outcomes, said


def contents(out: Path) -> dict[str, Any]:
    """All files, hidden ones too; records without the time that the work took."""
    found: dict[str, Any] = {
        path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()
    }
    for name in found:
        if name.endswith(RECORD_FILE):
            found[name] = {**json.loads(found[name]), "seconds": None}
    return found


@contextmanager
def killing(out: Path, times: dict[str, int]) -> Iterator[Counter[str]]:
    """Within the block, kill -9 whoever is in the middle of an input, so many times for each name."""
    killed: Counter[str] = Counter()
    ended = threading.Event()
    seen: set[int] = set()

    def watch() -> None:
        while not ended.wait(0.002):
            for name, most in times.items():
                holder = _holder(out / f".{name}.lock")
                written = out / f".{name}.partial" / "npz" / "0.npz"
                if killed[name] < most and holder is not None and holder not in seen and written.exists():
                    seen.add(holder)
                    os.kill(holder, signal.SIGKILL)
                    killed[name] += 1

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield killed
    finally:
        ended.set()
        watching.join()


def _holder(lock: Path) -> int | None:
    """The process that holds a lock."""
    with suppress(OSError):
        inode = lock.stat().st_ino
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()
            if words[1] == "FLOCK" and words[5].endswith(f":{inode}"):
                return int(words[4])
    return None


@pytest.fixture(scope="module")
def whole(world: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Outcome]]:
    """What one process gives."""
    out = tmp_path_factory.mktemp("whole") / "out"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SelfDepthWarning)
        return out, run(world, out, by_ray=False)[0]


def test_a_cluster_gives_what_one_process_gives(
    ray: Any, world: Path, whole: tuple[Path, dict[str, Outcome]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    outcomes, _ = run(world, tmp_path, by_ray=True)
    assert contents(tmp_path) == contents(whole[0])
    assert {key: (each.status, str(each.error)) for key, each in outcomes.items()} == {
        key: (each.status, str(each.error)) for key, each in whole[1].items()
    }
    lines = [[{**(outcomes[key].record or {}), "seconds": None} for outcomes in (outcomes, whole[1])] for key in LISTED]
    assert all(by_ray == by_one for by_ray, by_one in lines)
    assert capfd.readouterr().out == "", "stdout is for results"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="who holds a lock is told by Linux")
def test_a_worker_that_is_lost_changes_nothing(
    ray: Any, world: Path, whole: tuple[Path, dict[str, Outcome]], tmp_path: Path
) -> None:
    with killing(tmp_path, {"lost": 1}) as killed:
        _, said = run(world, tmp_path, by_ray=True)
    assert killed["lost"] == 1 and "lost: its worker was lost; done at attempt 2" in said
    assert contents(tmp_path) == contents(whole[0])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="who holds a lock is told by Linux")
def test_an_input_that_ends_its_worker_each_time_is_named_and_does_not_stop_the_rest(
    ray: Any, world: Path, whole: tuple[Path, dict[str, Outcome]], tmp_path: Path
) -> None:
    with killing(tmp_path, {"lost": 99}) as killed, warnings.catch_warnings():
        warnings.simplefilter("ignore", SelfDepthWarning)
        outcomes, _ = run(world, tmp_path, by_ray=True)
    assert killed["lost"] == MOST_ATTEMPTS
    assert "was ended from outside, 3 times" in str(outcomes["lost"].error)
    rest = {name: content for name, content in contents(whole[0]).items() if not name.startswith("lost/")}
    assert contents(tmp_path) == rest, "nothing is half-written"


def test_what_is_finished_starts_nothing(
    world: Path, whole: tuple[Path, dict[str, Outcome]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_ray, "load_ray", lambda: None)  # any use of it would be an error
    told: list[Outcome] = []
    inputs = [each for each in read_input_list(world / "all.txt", out=whole[0]) if each.key in ("frames", "a.png")]
    predict_on_ray(task(world, whole[0]), inputs, RayOptions(), place=world / "all.txt", tell=told.append)
    assert [each.status for each in told] == ["there", "there"]


@pytest.fixture(scope="module")
def attempts(ray: Any) -> Any:
    """What counts them for the tests that call a worker in this process, each with a number of its own."""
    return ray.remote(Attempts).options(num_cpus=0).remote()


NUMBERS = itertools.count()


def call(ray: Any, attempts: Any, job: Job, listed: ListedInput, *, begun: int = 0) -> Report:
    """What a worker reports of an input that was begun so often before."""
    number = next(NUMBERS)
    for _ in range(begun):
        ray.get(attempts.begin.remote(number))
    answer = RayPredictor(job, attempts)(Row(index=number, text=encoded(listed)))
    assert answer["index"] == number
    report: Report = json.loads(answer["text"])
    return report


def job(world: Path, out: Path, **changes: Any) -> Job:
    doing = task(world, out)
    out.mkdir(exist_ok=True)
    (out / ".token").touch()
    return Job(
        **{"task": doing, "settings": checked_settings(doing), "place": world / "all.txt", "token": ".token", **changes}
    )


def test_an_input_is_not_begun_more_often_than_three_times(
    ray: Any, attempts: Any, world: Path, tmp_path: Path
) -> None:
    (tmp_path / "frames.txt").write_text(f"{world}/frames")
    (listed,) = read_input_list(tmp_path / "frames.txt", out=tmp_path)
    doing = job(world, tmp_path / "out")
    (tmp_path / f"out/.{listed.name}.partial").mkdir()
    (tmp_path / f"out/.{listed.name}.lock").touch()
    report = call(ray, attempts, doing, listed, begun=MOST_ATTEMPTS)
    assert report["status"] == "failed" and "ended from outside, 3 times" in report["error"]
    assert [path.name for path in doing.task.out.iterdir()] == [".token"]
    report = call(ray, attempts, doing, listed, begun=MOST_ATTEMPTS - 1)
    assert (report["status"], report["attempt"]) == ("finished", MOST_ATTEMPTS)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"token": ".another"}, "a machine of the cluster does not see the output folder: .*on the machine"),
        ({"place": "nowhere"}, "a machine of the cluster does not see the list of inputs: .*nowhere"),
        ({"version": "0.0.1"}, "machines have different versions of selfdepth; expected 0.0.1; got"),
        ({"settings": {"model": "0" * 64}}, "a machine of the cluster sees another model"),
    ],
)
def test_a_machine_that_sees_something_else_ends_the_work(
    ray: Any, attempts: Any, world: Path, tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    inputs = read_input_list(world / "all.txt", out=tmp_path)
    if "place" in changes:
        changes = {"place": world / changes["place"]}
    report = call(ray, attempts, job(world, tmp_path, **changes), inputs[0])
    assert report["status"] == "stop"
    with pytest.raises(SelfDepthError, match=sentence):
        on_ray._pass_on(inputs[0], report, tell=lambda outcome: None, say=lambda sentence: None)
    assert [path.name for path in tmp_path.iterdir()] == [".token"]


def test_what_a_worker_was_told_and_warned_of_is_told_here(world: Path, tmp_path: Path) -> None:
    (listed,) = (each for each in read_input_list(world / "all.txt", out=tmp_path) if each.key == "a.png")
    report = Report(status="failed", record=None, error="", bug="", warnings=["mind it"], said=["so it is"], attempt=1)
    told: list[Outcome] = []
    said: list[str] = []
    with pytest.warns(SelfDepthWarning, match="mind it"):
        on_ray._pass_on(listed, {**report, "error": "no"}, tell=told.append, say=said.append)
        on_ray._pass_on(listed, {**report, "error": "KeyError()", "bug": "Trace"}, tell=told.append, say=said.append)
    assert said == ["so it is"] * 2 and [each.status for each in told] == ["failed"] * 2
    # A bug is no SelfDepthError, so it ends in exit code 1, with the traceback of the worker.
    assert isinstance(told[0].error, SelfDepthError) and isinstance(told[1].error, RuntimeError)
    assert "Trace" in str(told[1].error)


class Talkative:
    """Says and warns, and predicts nothing."""

    def __init__(self, task: Task, settings: dict[str, Any], *, say: Callable[[str], None]) -> None:
        self._say = say

    def predict(self, listed: ListedInput) -> Outcome:
        warnings.warn("mind it", SelfDepthWarning, stacklevel=1)
        warnings.warn("for developers", stacklevel=1)
        self._say("so it is")
        return Outcome(listed=listed, status="busy")


def test_what_is_said_of_an_input_comes_with_its_report(
    ray: Any, attempts: Any, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many, "InputPredictor", Talkative)
    inputs = read_input_list(world / "all.txt", out=tmp_path)
    report = call(ray, attempts, job(world, tmp_path), inputs[0])
    assert (report["status"], report["warnings"], report["said"]) == ("busy", ["mind it"], ["so it is"])


def test_without_ray_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(ConfigError, match=r"Ray is not installed.*pip install 'selfdepth\[ray\]'"):
        on_ray.load_ray()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"workers": 0}, "--workers; expected at least 1; got 0"),
        ({"gpus_per_worker": -0.5}, "--gpus-per-worker"),
        ({"gpus_per_worker": -1.0}, "--gpus-per-worker"),
        ({"gpus_per_worker": 1.5}, "from 0 to 1, or a whole number"),
        ({"gpus_per_worker": float("nan")}, "--gpus-per-worker"),
        ({"gpus_per_worker": float("inf")}, "--gpus-per-worker"),
        ({"address": ""}, "--address; .*got nothing"),
        ({"address": "ray://head:10001"}, "ray job submit"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        RayOptions(**options)


@pytest.mark.parametrize(
    ("resources", "options", "device", "expected"),
    [
        ({"CPU": 8.0}, {}, "auto", (0, 8)),
        ({"CPU": 8.0, "GPU": 2.0}, {}, "auto", (1, 2)),
        ({"CPU": 8.0, "GPU": 2.0}, {}, "cuda", (1, 2)),
        ({"CPU": 8.0, "GPU": 2.0}, {"gpus_per_worker": 0.25}, "auto", (0.25, 8)),
        ({"CPU": 8.0, "GPU": 2.0}, {"gpus_per_worker": 0.0}, "auto", (0, 8)),
        ({"CPU": 8.0, "GPU": 2.0}, {}, "cpu", (0, 8)),
        ({"CPU": 8.0}, {"workers": 3}, "auto", (0, 3)),
        ({}, {}, "auto", (0, 1)),
    ],
)
def test_workers_fill_the_gpus_of_a_cluster_or_else_its_cores(
    resources: dict[str, float], options: dict[str, Any], device: str, expected: tuple[float, int]
) -> None:
    assert on_ray._share(resources, RayOptions(**options), device) == expected


@pytest.mark.parametrize(
    ("options", "device", "sentence"),
    [
        ({}, "cuda", "has not so many GPUs: --gpus-per-worker; expected at most 0; got 1"),
        ({"gpus_per_worker": 1.0}, "auto", "expected at most 0; got 1"),
        ({"gpus_per_worker": 1.0}, "cpu", "--device cpu uses no GPU"),
        ({}, "cuda:1", "Ray chooses the GPU.*got cuda:1"),
    ],
)
def test_a_share_that_the_cluster_does_not_have_is_refused(options: dict[str, Any], device: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        on_ray._share({"CPU": 8.0}, RayOptions(**options), device)


def test_what_other_threads_print_does_not_come_between_results() -> None:
    with redirect_stdout(io.StringIO()) as shown, on_ray._own_output():
        print("mine")  # noqa: T201
        chatter = threading.Thread(target=print, args=("(raylet) I have something to say",))
        chatter.start()
        chatter.join()
    assert shown.getvalue() == "mine\n"


def test_the_output_folder_goes_again_if_nothing_was_written(tmp_path: Path) -> None:
    with on_ray._token(tmp_path / "new/out") as name:
        assert (tmp_path / "new/out" / name).is_file()
    assert not (tmp_path / "new/out").exists()
    with on_ray._token(tmp_path):
        pass
    assert tmp_path.exists()


def test_paths_mean_the_same_on_all_machines(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world)
    for camera in ("all.txt", "fov:60"):
        doing = on_ray._absolute(Task(model="model", out=Path("out"), options=SaveOptions(kinds=()), camera=camera))
        assert (str(doing.model), doing.out) == (str(world / "model"), world / "out")
        assert doing.camera == (str(world / camera) if camera == "all.txt" else camera)


def test_half_written_results_of_stopped_workers_are_removed(world: Path, tmp_path: Path) -> None:
    inputs = read_input_list(world / "all.txt", out=tmp_path)
    for name in (".frames.partial", ".of another.partial"):
        (tmp_path / name / "npz").mkdir(parents=True)
    (tmp_path / ".a.png.lock").touch()
    start = time.monotonic()
    on_ray._clean_up(tmp_path, inputs)
    assert [path.name for path in tmp_path.iterdir()] == [".of another.partial"]
    assert time.monotonic() - start < on_ray._SECONDS_TO_END

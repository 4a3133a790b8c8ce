"""Prediction of many inputs by processes that know nothing of each other: whole results, each once, all the same."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import signal
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.killed_prediction import predict_until_killed
from helpers.models import depth_only, tiny_config, untrained, write_model
from selfdepth.errors import CheckpointError, ConfigError, DataError, OutputError
from selfdepth.inference import many
from selfdepth.inference.input_lists import SETTINGS_FILE, ListedInput, read_input_list
from selfdepth.inference.many import RECORD_FILE, Outcome, Task, predict_many, remove_leftovers
from selfdepth.inference.save import SaveOptions
from selfdepth.inference.shards import Shard
from selfdepth.inference.writers import create_video
from selfdepth.locks import held

GOOD = ("a.png", "frames", "deep/frames", "street.mp4", "tree")
BAD = {
    "gone.mp4": "there is no such input",
    "cut.png": "cut.png",
    "empty": "nothing was recognised in this folder",
    "notes.txt": "notes.txt",
    "small.png": "too small",
    "rotten": "cannot be read",
}
"""Inputs that fail, with words of their sentences."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """model/, other/ (of another seed), poses/ (with a pose network); GOOD and BAD inputs; all.txt, their list."""
    folder = tmp_path_factory.mktemp("archive")
    config = tiny_config()
    for name, seed in (("model", 0), ("other", 1)):
        write_model(folder / name, config, state=depth_only(untrained(config, seed=seed).state_dict()))
    write_model(folder / "poses", config)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 40, 80, 3)).astype(np.uint8)
    images = [Image.fromarray(image) for image in pixels]
    images[0].save(folder / "a.png")
    for place in ("frames", "deep/frames", "tree/left", "tree/right", "rotten"):
        (folder / place).mkdir(parents=True)
        for number, image in enumerate(images[:3]):
            image.save(folder / place / f"{number}.png")
    with create_video(folder / "street.mp4", Fraction(20)) as video:
        for image in pixels:
            video.write(image)
    whole = (folder / "a.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[:200])
    (folder / "rotten/2.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty").mkdir()
    (folder / "notes.txt").write_text("no list of inputs")
    Image.new("RGB", (3, 3)).save(folder / "small.png")
    (folder / "all.txt").write_text("\n".join((*BAD, *GOOD)))
    return folder


def task(world: Path, out: Path, **changes: Any) -> Task:
    options = SaveOptions(
        kinds=changes.pop("kinds", ("npz", "color", "mp4")), batch_size=2, **changes.pop("limits", {})
    )
    return Task(
        **{
            "model": str(world / "model"),
            "out": out,
            "options": options,
            "device": "cpu",
            "precision": "fp32",
            **changes,
        }
    )


def listed(world: Path, out: Path, *keys: str) -> tuple[ListedInput, ...]:
    return tuple(each for each in read_input_list(world / "all.txt", out=out) if not keys or each.key in keys)


def run(doing: Task, inputs: tuple[ListedInput, ...]) -> dict[str, Outcome]:
    outcomes: list[Outcome] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predict_many(doing, inputs, tell=outcomes.append)
    assert [each.listed for each in outcomes] == list(inputs)
    return {each.listed.key: each for each in outcomes}


def contents(out: Path) -> dict[str, bytes | dict[str, Any]]:
    """All files, hidden ones too; records without the time that the work took."""
    found: dict[str, bytes | dict[str, Any]] = {}
    for path in out.rglob("*"):
        if path.is_file():
            found[path.relative_to(out).as_posix()] = path.read_bytes()
            if path.name == RECORD_FILE:
                found[path.relative_to(out).as_posix()] = {**json.loads(path.read_text()), "seconds": None}
    return found


@pytest.fixture(scope="module")
def whole(world: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Outcome]]:
    """One run over everything."""
    out = tmp_path_factory.mktemp("whole") / "out"
    return out, run(task(world, out), listed(world, out))


def test_an_input_that_fails_is_named_and_does_not_stop_the_rest(whole: tuple[Path, dict[str, Outcome]]) -> None:
    out, outcomes = whole
    assert {key for key, each in outcomes.items() if each.status == "finished"} == {*GOOD}
    assert {key for key, each in outcomes.items() if each.status == "failed"} == {*BAD}
    for key, words in BAD.items():
        assert words in str(outcomes[key].error) and "\n" not in str(outcomes[key].error)
    assert {path.name for path in out.iterdir()} == {SETTINGS_FILE, *(outcomes[key].listed.name for key in GOOD)}


def test_a_record_is_a_line_of_json_in_the_folder_that_it_tells_of(whole: tuple[Path, dict[str, Outcome]]) -> None:
    out, outcomes = whole
    text = (out / "deep__frames" / RECORD_FILE).read_text()
    record = json.loads(text)
    assert text.count("\n") == 1 and text.endswith("\n")
    assert record == outcomes["deep/frames"].record
    assert (record["input"], record["folder"], record["frames"], record["files"]) == (
        "deep/frames",
        "deep__frames",
        3,
        7,
    )
    assert record["model"] == json.loads((out / SETTINGS_FILE).read_text())["model"] and len(record["model"]) == 64
    assert record["seconds"] > 0 and record["save"] == ["npz", "color", "mp4"]
    files = [path for path in (out / "deep__frames").rglob("*") if path.is_file() and path.name != RECORD_FILE]
    assert (len(files), sum(path.stat().st_size for path in files)) == (record["files"], record["bytes"])


def test_a_folder_of_several_sequences_is_one_input(whole: tuple[Path, dict[str, Outcome]]) -> None:
    out, outcomes = whole
    assert outcomes["tree"].record is not None and outcomes["tree"].record["frames"] == 6
    assert (out / "tree/tree_left/video.mp4").is_file() and (out / "tree/tree_right/npz/2.npz").is_file()


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)])
def test_shards_together_give_what_one_run_gives_byte_for_byte(
    world: Path, whole: tuple[Path, dict[str, Outcome]], tmp_path: Path, order: tuple[int, ...]
) -> None:
    for number in order:
        run(task(world, tmp_path), Shard(number=number, count=3).of(listed(world, tmp_path)))
    assert contents(tmp_path) == contents(whole[0])


def test_after_a_kill_the_next_start_does_the_rest(
    world: Path, whole: tuple[Path, dict[str, Outcome]], tmp_path: Path
) -> None:
    doing, inputs = task(world, tmp_path), listed(world, tmp_path)
    killed = multiprocessing.get_context("spawn").Process(target=predict_until_killed, args=(doing, inputs, 2))
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    left = [path for path in tmp_path.iterdir() if path.name.endswith(".partial")]
    assert len(left) == 1 and (left[0] / "npz").is_dir(), "killed in the middle of an input"
    outcomes = run(doing, inputs)
    assert [outcomes[key].status for key in GOOD] == ["there"] * 2 + ["finished"] * 3
    assert {outcomes[key].status for key in BAD} == {"failed"}, "what failed is tried once more"
    assert contents(tmp_path) == contents(whole[0])


def test_two_that_work_on_everything_at_the_same_time_do_every_input_once(
    world: Path, whole: tuple[Path, dict[str, Outcome]], tmp_path: Path
) -> None:
    # Threads stand for processes: a lock belongs to the file that was opened.
    doing, inputs = task(world, tmp_path), [each for each in listed(world, tmp_path) if each.key in GOOD]
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(2) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for order in (inputs, inputs[::-1]):
            pool.submit(predict_many, doing, order, tell=outcomes.append)
    assert sorted(each.listed.key for each in outcomes if each.status == "finished") == sorted(GOOD)
    assert {each.status for each in outcomes} <= {"finished", "there", "busy"} and len(outcomes) == 2 * len(GOOD)
    assert contents(tmp_path) == contents(whole[0])


def test_an_input_on_which_another_process_is_at_work_is_left_to_it(world: Path, tmp_path: Path) -> None:
    doing, inputs = task(world, tmp_path, kinds=("color",)), listed(world, tmp_path, "a.png", "frames")
    with held(tmp_path / ".frames.lock", on_busy=lambda: None):
        outcomes = run(doing, inputs)
    assert (outcomes["a.png"].status, outcomes["frames"].status) == ("finished", "busy")
    assert not (tmp_path / "frames").exists()
    assert run(doing, inputs)["frames"].status == "finished"


def test_a_bug_in_one_input_does_not_stop_the_rest(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = many.open_inputs

    def failing(inputs: tuple[str, ...], **options: Any) -> Any:
        if inputs[0].endswith("a.png"):
            raise KeyError("a bug")
        if inputs[0].endswith("street.mp4"):
            raise PermissionError(13, "Permission denied", inputs[0])
        return opened(inputs, **options)

    monkeypatch.setattr(many, "open_inputs", failing)
    outcomes = run(task(world, tmp_path, kinds=("color",)), listed(world, tmp_path, "a.png", "frames", "street.mp4"))
    assert outcomes["frames"].status == "finished"
    assert isinstance(outcomes["a.png"].error, KeyError)
    assert isinstance(outcomes["street.mp4"].error, DataError) and "Permission denied" in str(
        outcomes["street.mp4"].error
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model": "other"}, "are of another model"),
        ({"kinds": ("color",)}, r'made with another --save: .*expected \["color"\]; got \["color", "mp4", "npz"\]'),
        ({"camera": "fov:60"}, 'made with another --camera: .*expected "fov:60"; got null'),
        ({"precision": "bf16"}, 'made with another --precision: .*expected "bf16"; got "fp32"'),
    ],
)
def test_results_of_other_settings_do_not_mix(
    world: Path, whole: tuple[Path, dict[str, Outcome]], changes: dict[str, Any], sentence: str
) -> None:
    out, _ = whole
    before = contents(out)
    if "model" in changes:
        changes = {"model": str(world / changes["model"])}
    with pytest.raises(OutputError, match=sentence):
        run(task(world, out, **changes), listed(world, out, "a.png"))
    assert contents(out) == before


def test_automatic_precision_is_that_of_the_process_that_began(world: Path, tmp_path: Path) -> None:
    run(task(world, tmp_path, kinds=("npz",), precision="bf16"), listed(world, tmp_path, "a.png"))
    outcome = run(task(world, tmp_path, kinds=("npz",), precision="auto"), listed(world, tmp_path, "frames"))["frames"]
    assert outcome.record is not None and outcome.record["precision"] == "bf16"


@pytest.mark.parametrize(
    ("changes", "kind", "sentence"),
    [
        ({"model": "nowhere"}, CheckpointError, "there is no such model"),
        ({"device": "abacus"}, ConfigError, "--device"),
        ({"kinds": ("trajectory",)}, CheckpointError, "the model has no pose network"),
        ({"kinds": ("confidence",)}, ConfigError, "does not predict its confidence"),
        ({"kinds": ("kitti",)}, ConfigError, "--factor"),
        ({"kinds": ("trajectory",), "model": "poses", "limits": {"spacing": 0}}, ConfigError, "out of range: --every"),
    ],
)
def test_what_no_input_could_give_is_refused_once_and_before_anything_is_written(
    world: Path, tmp_path: Path, changes: dict[str, Any], kind: type[Exception], sentence: str
) -> None:
    if "model" in changes:
        changes = {**changes, "model": str(world / changes["model"])}
    with pytest.raises(kind, match=sentence):
        run(task(world, tmp_path / "out", **changes), listed(world, tmp_path))
    assert not (tmp_path / "out").exists()


def test_a_folder_with_anything_else_in_it_is_left_alone(world: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(OutputError, match=r"holds something else: .*got mine\.txt"):
        run(task(world, tmp_path), listed(world, tmp_path, "a.png"))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_folder_without_a_record_is_not_replaced(world: Path, tmp_path: Path) -> None:
    doing, inputs = task(world, tmp_path, kinds=("color",)), listed(world, tmp_path, "a.png", "frames")
    run(doing, inputs[:1])
    (tmp_path / inputs[1].name).mkdir()
    with pytest.raises(OutputError, match="a folder without a record is in the place of the results"):
        run(doing, inputs)
    shutil.rmtree(tmp_path / inputs[1].name)
    assert run(doing, inputs)[inputs[1].key].status == "finished"


def test_settings_that_cannot_be_read_are_refused(world: Path, tmp_path: Path) -> None:
    (tmp_path / SETTINGS_FILE).write_text("{")
    with pytest.raises(OutputError, match="the settings of the predictions cannot be read"):
        run(task(world, tmp_path), listed(world, tmp_path, "a.png"))


def test_leftovers_of_killed_processes_are_removed_unless_somebody_is_at_work(tmp_path: Path) -> None:
    names = ("a", "a.lock", "b.partial", "busy", "another")
    for name in names:
        (tmp_path / f".{name}.partial/npz").mkdir(parents=True)
        (tmp_path / f".{name}.lock").touch()
    with held(tmp_path / ".busy.lock", on_busy=lambda: None):
        assert remove_leftovers(tmp_path, {*names} - {"another"}) == 1
    assert {path.name for path in tmp_path.iterdir()} == {".busy.partial", ".another.partial", ".another.lock"}
    assert remove_leftovers(tmp_path, {"busy"}) == 0 and not (tmp_path / ".busy.partial").exists()
    assert remove_leftovers(tmp_path / "nowhere", {"a"}) == 0


def test_batches_and_devices_may_differ_between_processes(world: Path, tmp_path: Path) -> None:
    doing = task(world, tmp_path, kinds=("color",))
    run(doing, listed(world, tmp_path, "a.png"))
    other = replace(doing, options=replace(doing.options, batch_size=1))
    assert run(other, listed(world, tmp_path, "frames"))["frames"].status == "finished"

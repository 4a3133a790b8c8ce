"""Whatever is wrong with the words after a verb, the answer is one line of ours that says which option and why."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import tyro

from selfdepth.cli import main as main_module
from selfdepth.cli import parsing
from selfdepth.cli.main import VERBS, main
from selfdepth.cli.options import REQUIRED, Option, read_options
from selfdepth.cli.parsing import parse, values_of
from selfdepth.cli.train import TrainArgs, defaults
from selfdepth.errors import ConfigError
from selfdepth.presets import preset

TRAIN = "train mono-192x64 --out o"
PREDICT = "predict MODEL INPUT --out o"
SAVE = "color, npz, png16, confidence, kitti, mp4, ply, trajectory, bag or rrd"


@pytest.fixture(autouse=True)
def warnings_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line replaces how warnings are shown; other tests must not notice."""
    monkeypatch.setattr(main_module, "warnings", SimpleNamespace(showwarning=None))


def refusal(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which a command is refused, without "error: "."""
    assert main(command.split()) == 2, command
    out, err = capsys.readouterr()
    assert out == "", command
    assert re.fullmatch(r"error: [^\n\u2500-\u257f\x1b]+\n", err), f"{command}: {err}"
    return err.removeprefix("error: ").removesuffix("\n")


BAD = {
    f"{TRAIN} --stpes 5": "no such option: --stpes; did you mean --steps",
    f"{TRAIN} --stpes=5": "no such option: --stpes; did you mean --steps",
    "train --stpes 5 mono-192x64": "no such option: --stpes; did you mean --steps",
    f"{TRAIN} --automask": "no such option: --automask; did you mean --loss.automask",
    f"{TRAIN} --loss.no-automasking": "no such option: --loss.no-automasking; did you mean --loss.no-automask",
    f"{TRAIN} --no-pretrained": "no such option: --no-pretrained; did you mean --encoder.no-pretrained",
    f"{TRAIN} -x": "no such option: -x",
    f"{TRAIN} --width wide": "the value cannot be read: --width; expected a whole number; got wide",
    f"{TRAIN} --batch_size=2.5": "the value cannot be read: --batch-size; expected a whole number; got 2.5",
    f"{TRAIN} --steps many": "the value cannot be read: --steps; expected a whole number; got many",
    f"{TRAIN} --minutes long": "the value cannot be read: --minutes; expected a number; got long",
    f"{TRAIN} --offsets 1 x --steps 3": "the value cannot be read: --offsets; expected whole numbers; got 1 x",
    f"{TRAIN} --loss.reprojection most": "no such choice: --loss.reprojection; expected min or mean; got most",
    f"{TRAIN} --data": "the option needs a value: --data; expected DATA",
    f"{TRAIN} --data --steps 3": "the option needs a value: --data; expected DATA",
    f"{TRAIN} --resume=yes": "the option takes no value: --resume; expected --resume or --no-resume; got yes",
    f"{TRAIN} --compile True": "the option takes no value: --compile; expected --compile or --no-compile; got True",
    f"{TRAIN} mono-640x192": "one word too many: mono-640x192; expected PRESET and options",
    f"{TRAIN} -- --steps": "one word too many: --steps; expected PRESET and options",
    "train mono-192x64": "--out is missing; expected --out FOLDER: Run folder: new or empty, or with --resume the one "
    "to continue",
    "predict MODEL INPUT --ot out": "no such option: --ot; did you mean --out",
    "predict": "MODEL and --out are missing; expected MODEL --out FOLDER",
    "predict MODEL INPUT": "--out is missing; expected --out FOLDER: Folder for the results",
    f"{PREDICT} --save npz colour": f"no such choice: --save; expected {SAVE}; got colour; did you mean color",
    f"{PREDICT} --factor=far": "the value cannot be read: --factor; expected a number; got far",
    "evaluate depth MODEL --part some": "no such choice: --part; expected train, val or test; got some",
    "evaluate depth MODEL other": "one word too many: other; expected MODEL and options",
    "evaluate depth MODEL --meadian-scaling": "no such option: --meadian-scaling; did you mean --median-scaling",
    "evaluate odometry MODEL --align sim": "no such choice: --align; expected none, scale, se3 or sim3; got sim; did "
    "you mean sim3",
    "evaluate odometry MODEL --plot p": "no such option: --plot; did you mean --plots",
    "export MODEL": "--format and --out are missing; expected --format {onnx,torch,openvino,executorch,monodepth2} "
    "--out PATH",
    "export MODEL --format onx --out o": "no such choice: --format; expected onnx, torch, openvino, executorch or "
    "monodepth2; got onx; did you mean onnx",
    "prepare DATA --ouy s": "no such option: --ouy; did you mean --out",
    "prepare DATA --out s --stereo=1": "the option takes no value: --stereo; expected --stereo or --no-stereo; got 1",
    "check": "DATA is missing; expected DATA: Root of KITTI raw or odometry, folder of images, video file, ROS bag, or "
    "store",
    "check DATA --every 3": "no such option: --every",
    "info a b c": "2 words too many: b c; expected MODEL and options",
    "presets mono": "one word too many: mono; expected options only",
    "demo --minutes": "the option needs a value: --minutes; expected a number",
}


@pytest.mark.parametrize(("command", "sentence"), BAD.items(), ids=BAD.keys())
def test_words_that_cannot_be_read_are_refused_in_one_sentence(
    command: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    verb = next(verb for verb in VERBS if command.startswith(verb))
    assert refusal(command, capsys) == f"{sentence}; see selfdepth {verb} --help"


def every_option() -> Iterator[tuple[str, tuple[Option, ...], Option]]:
    for verb in VERBS:
        module = importlib.import_module(f"selfdepth.cli.{verb.replace(' ', '_')}")
        options = read_options(getattr(module, "".join(part.capitalize() for part in verb.split()) + "Args"))
        yield from ((verb, options, option) for option in options)


def sound(verb: str, options: tuple[Option, ...]) -> str:
    """A command that only lacks what is under test."""
    words = [verb]
    for option in options:
        if option.default is REQUIRED:
            words += ["word"] if option.positional else [option.name, (*option.choices, "word")[0]]
    return " ".join(words)


def test_every_option_of_every_verb_refuses_a_missing_or_unreadable_value(capsys: pytest.CaptureFixture[str]) -> None:
    count = 0
    for verb, options, option in every_option():
        command = f"{sound(verb, options)} {option.name}"
        if option.positional:
            continue
        if option.is_switch:
            assert "the option takes no value" in refusal(f"{command}=x", capsys)
        elif not option.many:
            line = refusal(command, capsys)
            assert line.startswith(f"the option needs a value: {option.name}; expected {option.expected}"), line
        if option.kind not in (bool, str):
            line = refusal(f"{command} ?", capsys)
            assert f": {option.name}; expected {option.expected}; got ?" in line, line
        count += 1
    assert count > 80


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_refuses_an_unknown_option_and_what_it_lacks(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = next(options for name, options, _ in every_option() if name == verb)
    assert "no such option: --xyz" in refusal(f"{sound(verb, options)} --xyz", capsys)
    needed = [option for option in options if option.default is REQUIRED and not option.many]
    if needed:
        line = refusal(verb, capsys)
        assert "missing" in line or "a preset is needed" in line
        assert all(option.name in line for option in needed)


@pytest.mark.parametrize("change", ["hook gone", "hook with other names", "hook with other fields"])
def test_what_a_changed_parser_says_is_still_one_line(
    change: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if change == "hook gone":
        monkeypatch.setattr(parsing, "_on_refusal", lambda refuse: nullcontext())
    elif change == "hook with other names":
        monkeypatch.setattr(parsing, "_REFUSALS", {})
    else:
        monkeypatch.setattr(parsing, "_option", lambda argument, options: argument.renamed)
    for command, word in (
        ("predict MODEL INPUT", "--out"),
        (f"{PREDICT} --save colour", "colour"),
        (f"{TRAIN} --width wide", "wide"),
        (f"{TRAIN} --steps", "--steps"),
    ):
        line = refusal(command, capsys)
        assert line.startswith("the command cannot be read: ") and word in line
        assert line.endswith(f"; see selfdepth {command.split()[0]} --help")


def test_a_parser_without_the_hook_is_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tyro, "_errors", SimpleNamespace())
    with parsing._on_refusal(lambda event: pytest.fail("called")):
        pass


def test_a_switch_that_is_neither_on_nor_off_by_default_can_be_turned_both_ways() -> None:
    for word, value in (("--compile", True), ("--no-compile", False), ("--no_compile", False)):
        assert parse(TrainArgs, ["--out", "o", word], verb="train").train.compile is value
    assert parse(TrainArgs, ["--out", "o"], verb="train").train.compile is None


def test_none_takes_back_what_a_preset_says() -> None:
    words = ["paper-mono-640x192", "--out", "o", "--camera", "None", "--height", "None"]
    config = parse(TrainArgs, words, verb="train", defaults=defaults).train
    assert (preset("paper-mono-640x192").camera, config.camera, config.height) == ("paper", None, None)


def test_a_value_belongs_to_the_option_before_it() -> None:
    words = "--out=a --offsets -1 -2 1 --resume mono --batch_size 3 --xyz 5 --minutes -inf more -- --last"
    found = [(option and option.name, value) for option, value in values_of(words.split(), read_options(TrainArgs))]
    offsets = [("--offsets", "-1"), ("--offsets", "-2"), ("--offsets", "1")]
    numbers = [("--batch-size", "3"), ("--minutes", "-inf")]
    assert found == [("--out", "a"), *offsets, (None, "mono"), *numbers, (None, "more"), (None, "--last")]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--every", "9" * 5000], "too long: --every; expected at most 255 bytes; got 5000 bytes"),
        (["--every", "9" * 200], "out of range: --every"),
        (["--crop", "9" * 200 + ",0,0,0"], "out of range: --crop"),
        (["--seed", "9" * 5000], "out of range: --seed; expected a whole number from .*; got 5,000 digits"),
        (["--seed", str(2**64)], "out of range: --seed"),
        (["--seed", str(-(2**63) - 1)], "out of range: --seed"),
        (["--steps", "9" * 400], "out of range: --steps"),
        (["--batch-size", "10000000000"], "out of range: --batch-size"),
        (["--offsets", "-1", "10000000000"], "out of range: --offsets"),
        (["--width", "3200000000"], "--width"),
        (["--width", "64000"], r"invalid size: --width; expected at most 8192 pixels; got 64000.*side_pixels=64000"),
        (["--data", "~nosuchuser/x"], "home folder is unknown: --data; .*no such user here"),
        (["--data=a\0b"], "zero byte: --data"),
        (["--store", "x" * 300], "too long: --store; expected at most 255 bytes; got 300"),
        (["--teacher.path", "x" * 300], "too long: --teacher.path"),
        (["--teacher.path", "a.onnx", "--teacher.size", "9" * 100 + "x5"], "out of range: --teacher.size"),
        (["\x1b[2J" * 100], "too long"),
    ],
)
def test_words_beyond_all_use_are_one_sentence(words: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as refusal:
        parse(TrainArgs, ["mono-192x64", "--out", "o", *words], verb="train", defaults=defaults)
    assert len(str(refusal.value)) < 1500 and str(refusal.value).isprintable()


@pytest.mark.parametrize("seed", [0, -(2**63), 2**64 - 1])
def test_every_seed_that_torch_takes_is_taken(seed: int) -> None:
    words = ["mono-192x64", "--out", "o", "--seed", str(seed)]
    assert parse(TrainArgs, words, verb="train", defaults=defaults).train.seed == seed

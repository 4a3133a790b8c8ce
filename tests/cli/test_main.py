"""The command line as such: help, verbs, and how it refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from selfdepth import __version__
from selfdepth.cli import main as main_module
from selfdepth.cli.main import VERBS, main
from selfdepth.errors import Interrupted, SelfDepthWarning


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command line."""
    code = main(words)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(autouse=True)
def warnings_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line replaces how warnings are shown; other tests must not notice."""
    monkeypatch.setattr(main_module, "warnings", SimpleNamespace(showwarning=None))


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, entered."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("word", ["--help", "-h", "help"])
def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str], word: str) -> None:
    code, out, err = run(capsys, word)
    assert (code, err) == (0, "")
    for verb, what in VERBS.items():
        assert verb in out
        assert what in out


def test_without_a_verb_help_is_shown_and_the_exit_code_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys)
    assert code == 2
    assert "usage: selfdepth VERB" in out


@pytest.mark.parametrize("word", ["--version", "-V"])
def test_the_version_is_one_line(capsys: pytest.CaptureFixture[str], word: str) -> None:
    assert run(capsys, word) == (0, f"selfdepth {__version__}\n", "")


BOTH = "expected evaluate depth or evaluate odometry"


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("trian", "no such verb: trian; did you mean train"),
        ("Train --help", "no such verb: Train; did you mean train"),
        ("help trian", "no such verb: trian; did you mean train"),
        ("evalute depth MODEL", "no such verb: evalute; did you mean evaluate depth or evaluate odometry"),
        ("depth MODEL", "no such verb: depth; did you mean evaluate depth"),
        ("evaluate deph MODEL", f"no such verb: evaluate deph; {BOTH}; did you mean evaluate depth"),
        ("evaluate odometer", f"no such verb: evaluate odometer; {BOTH}; did you mean evaluate odometry"),
        ("evaluate runs/drive", f"no such verb: evaluate runs/drive; {BOTH}"),
        ("evaluate", f"one more word is needed: selfdepth evaluate; {BOTH}"),
        ("evaluate --data DATA", f"one more word is needed: selfdepth evaluate; {BOTH}"),
        ("xyz", f"no such verb: xyz; expected one of {', '.join(VERBS)}; see selfdepth --help"),
        ("help xyz", f"no such verb: xyz; expected one of {', '.join(VERBS)}; see selfdepth --help"),
        ("--data x", f"no such verb: --data; expected one of {', '.join(VERBS)}; see selfdepth --help"),
    ],
)
def test_a_verb_that_does_not_exist_is_refused_with_the_closest(
    capsys: pytest.CaptureFixture[str], command: str, sentence: str
) -> None:
    assert run(capsys, *command.split()) == (2, "", f"error: {sentence}\n")


def test_a_folder_is_data_and_no_verb_though_it_is_called_like_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from selfdepth.cli import prepare as verb

    seen = []
    monkeypatch.setattr(verb, "prepare", lambda args: seen.append(args.data))
    for name in ("train", "depth"):
        assert run(capsys, "prepare", name, "--out", "store")[0] == 0
    assert seen == ["train", "depth"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_help_with_its_name_is_the_same(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    code, out, err = run(capsys, *verb.split(), "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: selfdepth {verb}")
    assert run(capsys, "help", *verb.split()) == (0, out, "")
    assert run(capsys, *verb.split(), "-h") == (0, out, "")


@pytest.mark.parametrize("command", ["help evaluate", "evaluate --help", "evaluate -h"])
def test_help_for_half_a_verb_lists_the_verbs_that_begin_with_it(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    code, out, err = run(capsys, *command.split())
    assert (code, err) == (0, "")
    assert "evaluate depth " in out and "evaluate odometry " in out
    assert "train" not in out.replace("trained", "")


@pytest.mark.parametrize(
    ("verb", "usage"),
    [
        ("train", "[PRESET]"),
        ("predict", "MODEL INPUT ..."),
        ("evaluate depth", "[MODEL]"),
        ("evaluate odometry", "[MODEL]"),
        ("export", "MODEL"),
        ("prepare", "DATA"),
        ("check", "DATA [options]"),
        ("info", "MODEL"),
    ],
)
def test_the_usage_calls_what_is_given_without_an_option_as_the_documents_do(
    capsys: pytest.CaptureFixture[str], verb: str, usage: str
) -> None:
    _, out, _ = run(capsys, *verb.split(), "--help")
    assert usage in out.split("\n\n")[0]


TRAIN = ("train", "mono-192x64", "--data", "nowhere", "--out", "nothing")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("train", "mono-640", "--data", "d", "--out", "o"), "no such preset"),
        (("train", "--data", "d", "--out", "o"), "a preset is needed"),
        (("train", "mono-192x64", "--out", "o", "--config", "c.json"), "exclude each other"),
        (("train", "--config", "c.json", "--out", "o", "mono-192x64"), "exclude each other"),
        (("train", "--out", "o", "mono-640"), "no such preset"),
        (("train", "--config", "nowhere/config.json", "--out", "o"), "nowhere/config.json"),
        (("train", "--resume", "--out", "nothing"), "nothing"),
        ((*TRAIN, "--width", "100"), "--width"),
        ((*TRAIN, "--learning-rate", "-1"), "--learning-rate"),
        ((*TRAIN, "--loss.predictive-mask"), "--loss.no-automask"),
        ((*TRAIN, "--steps", "3", "--minutes", "1"), "--steps and --minutes"),
        ((*TRAIN, "--device", "abacus"), "--device"),
        ((*TRAIN, "--encoder.no-pretrained"), "nowhere"),
        (("info", "nowhere"), "nowhere"),
        (("check", "nowhere"), "nowhere"),
    ],
)
def test_what_the_user_can_mend_is_one_line_on_stderr_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], empty_folder: Path, words: tuple[str, ...], named: str
) -> None:
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    line = err.strip()
    assert line.startswith("error: ")
    assert "\n" not in line
    assert named in line
    assert list(empty_folder.iterdir()) == [], "nothing is written before everything is checked"


def test_a_preset_after_the_options_counts_as_one_before_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from selfdepth.cli import train as verb

    seen = []
    monkeypatch.setattr(verb, "train", lambda args: seen.append(args.train.width))
    for words in (("mono-192x64", "--out", "o"), ("--out", "o", "mono-192x64")):
        assert run(capsys, "train", *words)[0] == 0
    assert seen == [192, 192]


def test_options_change_the_preset_and_a_budget_replaces_its_budget(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from selfdepth.cli import train as verb

    seen = []
    monkeypatch.setattr(verb, "train", lambda args: seen.append(args.train))
    assert run(capsys, *TRAIN, "--steps", "7", "--no-compile", "--loss.no-automask", "--offsets", "-2", "2")[0] == 0
    (config,) = seen
    assert (config.width, config.learning_rate, config.steps) == (192, 2e-4, 7)
    assert config.compile is False
    assert config.loss.automask is False
    assert config.offsets == (-2, 2)


@pytest.mark.parametrize(
    ("options", "drop_after"),
    [
        ("", 15),
        ("--epochs 10", 15),
        ("--steps 7", None),
        ("--minutes=3", None),
        ("--steps 7 --drop-after 2", 2),
    ],
)
def test_a_drop_in_epochs_goes_with_a_budget_in_epochs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, options: str, drop_after: int | None
) -> None:
    from selfdepth.cli import train as verb

    seen = []
    monkeypatch.setattr(verb, "train", lambda args: seen.append(args.train.drop_after))
    assert run(capsys, "train", "paper-mono-640x192", "--out", "o", *options.split())[0] == 0
    assert seen == [drop_after]


def test_an_interrupted_run_says_how_to_go_on_and_exits_with_the_signals_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from selfdepth.cli import train as verb

    for number, code in ((2, 130), (15, 143)):

        def stopped(args: object, number: int = number) -> None:
            raise Interrupted(number, Path("my runs/a"))

        monkeypatch.setattr(verb, "train", stopped)
        got, _, err = run(capsys, *TRAIN)
        assert got == code
        assert "selfdepth train --resume --out 'my runs/a'" in err


def test_ctrl_c_before_anything_is_trained_exits_130_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from selfdepth.cli import train as verb

    def interrupted(args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(verb, "train", interrupted)
    assert run(capsys, *TRAIN) == (130, "", "stopped\n")


def test_our_warnings_are_one_line_and_those_of_libraries_are_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    main_module._show_warning(SelfDepthWarning("the camera is assumed"), SelfDepthWarning, "file.py", 1)
    main_module._show_warning(DeprecationWarning("old"), DeprecationWarning, "file.py", 2)
    main_module._show_warning(SelfDepthWarning("left out: a\nerror: all is lost.png"), SelfDepthWarning, "file.py", 3)
    assert capsys.readouterr().err == (
        "warning: the camera is assumed\nwarning: left out: a\\nerror: all is lost.png\n"
    )


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    command = f"{sys.executable} -m selfdepth.cli.main --help | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("redirection", "code", "sentence"),
    [
        ("> /dev/full", 2, "No space left on device"),
        ("2>&-", 0, ""),
        (">&-", 0, ""),
        ("2> /dev/full", 0, ""),
    ],
)
def test_output_that_goes_nowhere_is_no_traceback(redirection: str, code: int, sentence: str) -> None:
    command = f"{sys.executable} -m selfdepth.cli.main presets {redirection}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert "Traceback" not in done.stderr and sentence in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["info", "{}"],
        ["predict", "{}", "a.png", "--out", "o"],
        ["predict", "model", "{}", "--out", "o"],
        ["predict", "model", "a.png", "--out", "{}"],
        ["train", "mono-192x64", "--data", "{}", "--out", "o"],
        ["train", "mono-192x64", "--data", ".", "--out", "{}"],
        ["train", "--config", "{}", "--out", "o"],
        ["train", "--resume", "--out", "{}"],
        ["refine", "{}", "a.mp4", "--out", "o"],
        ["refine", "model", "{}", "--out", "o"],
        ["evaluate", "depth", "{}", "--data", "."],
        ["evaluate", "depth", "--predictions", "{}", "--ground-truth", "a.npz"],
        ["evaluate", "odometry", "--predictions", "{}", "--ground-truth", "a.txt"],
        ["check", "{}"],
        ["check", ".", "--json", "{}"],
        ["check", ".", "--splits", "{}"],
        ["prepare", "{}", "--out", "o"],
        ["export", "{}", "--format", "monodepth2", "--out", "o"],
        ["demo", "--out", "{}"],
    ],
)
@pytest.mark.parametrize("name", ["x" * 300, "~nosuchuser/x", "a\0b", "\x1b[2J/" * 9 + "y" * 260])
def test_a_name_that_cannot_be_is_one_sentence_in_every_verb(
    capsys: pytest.CaptureFixture[str], empty_folder: Path, words: list[str], name: str
) -> None:
    code, out, err = run(capsys, *(word.replace("{}", name) for word in words))
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1 and err[:-1].isprintable()
    assert list(empty_folder.iterdir()) == []


@pytest.mark.parametrize(
    "fault", [PermissionError(13, "Permission denied", "/x/\x1by"), OSError(36, "Too long", b"/x")]
)
def test_a_file_that_the_system_refuses_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, empty_folder: Path, fault: OSError
) -> None:
    def refuse(self: Path, *arguments: object, **options: object) -> None:
        raise fault

    for name in ("is_dir", "exists", "is_file", "stat", "iterdir", "open"):
        monkeypatch.setattr(Path, name, refuse)
    code, out, err = run(capsys, "check", "data")
    assert (code, out) == (2, "")
    assert "/x" in err and fault.strerror in err and err.count("\n") == 1 and err[:-1].isprintable()


def test_an_error_of_the_system_that_is_about_no_file_is_a_bug(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(words: list[str]) -> int:
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr(main_module, "_dispatch", fail)
    with pytest.raises(OSError, match="Bad file descriptor"):
        main(["check", "data"])

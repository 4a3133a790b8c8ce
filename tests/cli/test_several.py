"""The command line in several processes: work that they cannot share is refused, by one of them."""

from __future__ import annotations

import pytest

from selfdepth.cli.main import VERBS, main
from selfdepth.cli.several import require_shared, tells
from selfdepth.errors import ConfigError, EndedElsewhere

ALONE = [verb for verb in VERBS if verb not in ("train", "predict")]


@pytest.fixture(params=[0, 1])
def rank(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """This is one of two processes."""
    place = {"RANK": request.param, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 1}
    for name, value in place.items():
        monkeypatch.setenv(name, str(value))
    return int(request.param)


@pytest.mark.parametrize("verb", ALONE)
def test_other_verbs_are_refused_in_one_sentence_by_the_first_process(
    rank: int, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*verb.split(), "a", "b"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    if rank == 0:
        assert said.err.startswith(
            f"error: several processes cannot share this work: {verb}; expected a single process"
        )
        assert said.err.count("\n") == 1 and "torchrun" in said.err
    else:
        assert said.err == ""


@pytest.mark.parametrize("words", [[], ["m", "a.mp4"], ["--shards", "auto"]])
def test_predict_needs_its_part(rank: int, words: list[str]) -> None:
    with pytest.raises(ConfigError if rank == 0 else EndedElsewhere, match="add --shard auto" if rank == 0 else None):
        require_shared("predict", words)


@pytest.mark.usefixtures("rank")
@pytest.mark.parametrize("words", [["--shard", "auto"], ["--shard=1/2"]])
def test_predict_with_a_part_and_train_are_shared(words: list[str]) -> None:
    require_shared("predict", words)
    require_shared("train", [])


@pytest.mark.usefixtures("rank")
def test_help_is_shown_in_any_number_of_processes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--help"]) == 0 and "usage" in capsys.readouterr().out


@pytest.mark.parametrize("environment", [{}, {"WORLD_SIZE": "4"}, {"RANK": "0", "WORLD_SIZE": "many"}])
def test_one_process_does_everything_and_tells_its_errors(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for verb in VERBS:
        require_shared(verb, [])
    assert tells(ConfigError("no"), ["train"]) and tells(ConfigError("no"), ["info"])

"""The table of limits, and how the environment raises them."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfdepth.errors import CheckpointError, ConfigError, DataError
from selfdepth.limits import LIMITS, VARIABLE, limit, require_within


def test_a_limit_is_its_default_until_the_environment_raises_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limit("image_megapixels") == LIMITS["image_megapixels"][0]
    monkeypatch.setenv(VARIABLE, "image_megapixels=900, digits=500")
    assert (limit("image_megapixels"), limit("digits")) == (900, 500)
    assert limit("yaml_kilobytes") == LIMITS["yaml_kilobytes"][0]


def test_what_is_at_the_limit_passes_and_what_is_above_is_refused_with_the_way_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    most = LIMITS["image_megapixels"][0]
    require_within("image_megapixels", most, what="the image is too large", where="a.png")
    with pytest.raises(DataError, match=f"a.png; expected at most {most} megapixels") as refusal:
        require_within("image_megapixels", most + 0.5, what="the image is too large", where="a.png")
    advice = str(refusal.value).rpartition(f"set {VARIABLE}=")[2]
    monkeypatch.setenv(VARIABLE, advice)
    require_within("image_megapixels", most + 0.5, what="the image is too large", where="a.png")


def test_the_error_has_the_kind_that_the_caller_asks_for() -> None:
    with pytest.raises(CheckpointError, match="1,000,000 megabytes"):
        require_within("weights_megabytes", 1e6, what="too large", where="m", error=CheckpointError)


@pytest.mark.parametrize("text", ["image_megapixels", "pixels=3", "digits=-1", "digits=1e3", "digits=" + "9" * 400])
def test_an_unreadable_variable_is_refused_by_name(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(ConfigError, match=VARIABLE):
        limit("digits")


def test_the_page_on_security_lists_every_limit() -> None:
    page = (Path(__file__).parents[1] / "SECURITY.md").read_text(encoding="utf-8")
    for name, (most, what) in LIMITS.items():
        assert f"| `{name}` | {most:,} | {what} |" in page

"""Licences of shared models: what the hub can take, and what a model inherits."""

from __future__ import annotations

import pytest

from selfdepth.errors import ConfigError
from selfdepth.weights.licences import PUBLISHED_LICENCE, Licence, chosen_licence

INHERITED = Licence(PUBLISHED_LICENCE, inherited_from="mono_640x192")


@pytest.mark.parametrize(
    ("asked", "front_matter"),
    [
        ("apache-2.0", {"license": "apache-2.0"}),
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("my own terms", {"license": "other", "license_name": "my-own-terms"}),
    ],
)
def test_what_the_hub_does_not_know_is_other_with_a_name(asked: str, front_matter: dict[str, str]) -> None:
    licence = chosen_licence(asked, None)
    assert licence is not None
    assert licence.front_matter == front_matter


@pytest.mark.parametrize("asked", ["", "a\nb", "x: y", "-mit", "m" * 65, "mit\x00"])
def test_what_is_no_name_is_refused(asked: str) -> None:
    with pytest.raises(ConfigError, match="no name of a licence"):
        chosen_licence(asked, None)


def test_the_models_own_licence_is_taken_where_none_is_given() -> None:
    assert chosen_licence(None, None) is None
    assert chosen_licence(None, INHERITED) == INHERITED


@pytest.mark.parametrize("asked", ["apache-2.0", "mit", "cc-by-4.0", "ncsa"])
def test_a_non_commercial_licence_cannot_be_replaced_by_one_that_gives_more(asked: str) -> None:
    with pytest.raises(ConfigError, match=r"non-commercial use only.*of mono_640x192"):
        chosen_licence(asked, INHERITED)


@pytest.mark.parametrize("asked", ["cc-by-nc-4.0", "cc-by-nc-sa-3.0", PUBLISHED_LICENCE])
def test_it_can_be_replaced_by_another_non_commercial_one(asked: str) -> None:
    assert chosen_licence(asked, INHERITED) == Licence(asked)

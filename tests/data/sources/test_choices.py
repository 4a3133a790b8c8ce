"""What may be chosen within data is refused for data that has none."""

from __future__ import annotations

import pytest

from selfdepth.data.sources.choices import refuse_choices
from selfdepth.errors import ConfigError


def test_a_choice_that_the_data_does_not_have_is_refused_by_its_option() -> None:
    refuse_choices("a folder")
    with pytest.raises(ConfigError, match=r"^only videos have streams: --stream 1; got a folder; leave it out$"):
        refuse_choices("a folder", stream=1)
    with pytest.raises(ConfigError, match=r"^only ROS bags have topics: --topic /a; got a folder; leave it out$"):
        refuse_choices("a folder", topic="/a")

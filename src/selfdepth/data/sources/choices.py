"""What a user may choose within data: a video's stream, a bag's topic."""

from __future__ import annotations

from selfdepth.errors import ConfigError


def refuse_choices(got: str, *, stream: int | None = None, topic: str | None = None) -> None:
    """Raise ConfigError for a choice within data that has none.

    Args:
        got: the data, and of which kind it is.
        stream, topic: the user's --stream and --topic; None if there was none.
    """
    for option, given, holders in (
        ("--stream", stream, "videos have streams"),
        ("--topic", topic, "ROS bags have topics"),
    ):
        if given is not None:
            raise ConfigError(f"only {holders}", where=f"{option} {given}", got=got, fix="leave it out")

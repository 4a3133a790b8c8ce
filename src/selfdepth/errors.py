"""What can go wrong for a user, each as one sentence: what, where, expected, got, what to do."""

from __future__ import annotations

from pathlib import Path


class SelfDepthError(Exception):
    """A refusal that the user can act on. The command line prints it as one `error:` line and exits 2.

    Args:
        what: what is wrong, without a full stop ("the video has too few frames").
        where: the file, option or field it is about.
        expected: what would have been right.
        got: what was found instead.
        fix: what to do now.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | Path | None = None,
        expected: str | None = None,
        got: str | None = None,
        fix: str | None = None,
    ) -> None:
        self.what, self.where, self.expected, self.got, self.fix = what, where, expected, got, fix
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        text = self.what if self.where is None else f"{self.what}: {self.where}"
        if self.expected is not None:
            text += f"; expected {self.expected}"
        if self.got is not None:
            text += f"; got {self.got}"
        if self.fix is not None:
            text += f"; {self.fix}"
        return " ".join(text.split())


class ConfigError(SelfDepthError):
    """An option, preset or configuration file that cannot be used."""


class DataError(SelfDepthError):
    """Images, videos, calibration, splits or ground truth that cannot be used."""


class CheckpointError(SelfDepthError):
    """A model, weights or checkpoint that cannot be read."""


class OutputError(SelfDepthError):
    """A place that cannot be written to."""


class TrainingError(SelfDepthError):
    """A run that cannot go on: non-finite loss, out of memory."""


class SelfDepthWarning(UserWarning):
    """Something the user should know but that does not stop the work."""


class Interrupted(Exception):  # noqa: N818  not an error: the user asked for it
    """A run was asked to stop by a signal, and has saved everything."""

    def __init__(self, signal_number: int, folder: Path) -> None:
        self.signal_number, self.folder = signal_number, folder
        super().__init__(f"stopped by signal {signal_number}; {folder} can be resumed")

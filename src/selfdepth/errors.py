"""Errors that a user can fix. Each is one sentence: what, where, expected, got, what to do."""

from __future__ import annotations

from pathlib import Path


class SelfDepthError(Exception):
    """An error that the user can fix. The command line prints it as one `error:` line without traceback, and exits 2.

    Args:
        what: what is wrong, without a full stop ("the video has too few frames").
        where: the file, option or field at fault.
        expected: what would have been right.
        got: what was there instead.
        fix: what to do now, as an imperative ("try resnet18").
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
        return " ".join(text.split())  # on one line, even where a part quotes another library's lines


class ConfigError(SelfDepthError):
    """An invalid option, preset or configuration file."""


class DataError(SelfDepthError):
    """Images, videos, calibration, splits, poses or ground truth that are missing or invalid."""


class CheckpointError(SelfDepthError):
    """A model, its weights or a checkpoint that cannot be read."""


class OutputError(SelfDepthError):
    """A file or folder that cannot be written."""


class DiskFullError(OutputError):
    """A file or folder for which there is no space."""


class TrainingError(SelfDepthError):
    """A run that cannot continue: the loss is not finite, or memory ran out."""


class SelfDepthWarning(UserWarning):
    """Something that the user should know, and that does not stop the work."""


class Interrupted(Exception):  # noqa: N818  not an error: the user stopped the run
    """A signal stopped the run, which has saved everything that a resume needs.

    Args:
        signal_number: from which the command line forms its exit code, 128 + the number.
        folder: the run's folder.
    """

    def __init__(self, signal_number: int, folder: Path) -> None:
        self.signal_number, self.folder = signal_number, folder
        super().__init__(f"stopped by signal {signal_number}; {folder} can be resumed")

"""Where chunks lie: a bucket of S3, Google Cloud or Azure, or a folder; reached through obstore, which litdata uses.

Every request is repeated a few times, and then ends in one sentence. Objects appear as a whole or not at all.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from selfdepth.errors import ConfigError, DataError, SelfDepthError
from selfdepth.files import writing_to
from selfdepth.places import is_url, path_of

INSTALL = "pip install 'selfdepth[stream]'"
_RETRIES = 5
_RETRY_S = 60
"""Seconds after which a request is not repeated again."""
_CREDENTIALS = {
    "s3": "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, or AWS_PROFILE; for another server "
    "than Amazon's AWS_ENDPOINT_URL, too",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account",
    "azure": "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
_LARGEST_TEXT = 1 << 30


class Remote:
    """A folder, or the part of a bucket below a name.

    Args:
        place: s3://BUCKET/NAME, gs://BUCKET/NAME, azure://CONTAINER/NAME, or the path of a folder.
        option: that gave the place, for errors.

    Raises:
        ConfigError: for a place that is none of these, or without credentials.
    """

    def __init__(self, place: str, option: str = "--data") -> None:
        self.place, self.option = place, option
        self.scheme, self.bucket, self.name = _parts(place, option) if is_url(place) else ("", "", "")

    def read(self, name: str, *, most: int = _LARGEST_TEXT) -> bytes | None:
        """An object's bytes; None if there is none of this name.

        Args:
            most: bytes that it may have.

        Raises:
            SelfDepthError: if it cannot be read, or is larger.
        """
        with self._speaking(name):
            found = self._object(name)
            if found is None:
                return None
            if found.meta["size"] > most:
                expected, got = f"at most {most / 1e6:.1f} MB", f"{found.meta['size'] / 1e6:.1f} MB"
                raise DataError("the object is too large", where=self.where(name), expected=expected, got=got)
            return bytes(found.bytes())

    def fetch(self, name: str, path: Path, n_bytes: int) -> bool:
        """Write an object into a file.

        Args:
            n_bytes: that it must have.

        Returns:
            Whether it is there, with this many bytes.

        Raises:
            DiskFullError: if there is no space for the file.
            SelfDepthError: if it cannot be read.
        """
        with self._speaking(name):
            found = self._object(name)
            if found is None or found.meta["size"] != n_bytes:
                return False
            with writing_to(path, needs_bytes=n_bytes):
                file = path.open("wb", 0)
            with file:
                for piece in found.stream(min_chunk_size=4 << 20):
                    with writing_to(path, needs_bytes=n_bytes):
                        file.write(memoryview(piece))
            return path.stat().st_size == n_bytes

    def digest(self, name: str) -> str | None:
        """The SHA-256 of an object's bytes; None if there is none of this name. Raises SelfDepthError as `read`."""
        with self._speaking(name):
            found = self._object(name)
            if found is None:
                return None
            digest = sha256()
            for piece in found.stream(min_chunk_size=4 << 20):
                digest.update(memoryview(piece))
            return digest.hexdigest()

    def _object(self, name: str) -> Any:
        """An object, of which nothing is read yet; None if there is none of this name."""
        import obstore

        try:
            return obstore.get(self._store, name)
        except FileNotFoundError as error:
            self._require_bucket(error)
            return None

    def write(self, name: str, content: bytes) -> None:
        """Write an object as a whole. Raises SelfDepthError if it cannot be written."""
        import obstore

        with self._speaking(name):
            obstore.put(self._store, name, content)

    def remove(self, name: str) -> None:
        """Remove an object; one that is gone is no error."""
        import obstore

        with self._speaking(name), suppress(FileNotFoundError):
            obstore.delete(self._store, name)

    def sizes(self) -> dict[str, int]:
        """The names of all objects, and their bytes."""
        import obstore

        found: dict[str, int] = {}
        with self._speaking(""):
            try:
                for batch in obstore.list(self._store):
                    found.update((each["path"], each["size"]) for each in batch)
            except FileNotFoundError as error:
                self._require_bucket(error)
        return found

    def where(self, name: str) -> str:
        """The full name of an object, for errors."""
        return f"{self.place.rstrip('/')}/{name}" if name else self.place

    @cached_property
    def _store(self) -> Any:
        require_installed()
        from obstore.store import AzureStore, GCSStore, LocalStore, S3Store

        if not self.scheme:
            folder = path_of(self.place, self.option)
            if self.option == "--out":
                with writing_to(folder):
                    folder.mkdir(parents=True, exist_ok=True)
            return LocalStore(folder)
        retry = {"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_S)}
        options: dict[str, Any] = {"prefix": self.name, "retry_config": retry, "client_options": _client_options()}
        if self.scheme == "s3":
            return S3Store(self.bucket, **options, **self._of_amazon())
        return (GCSStore if self.scheme == "gs" else AzureStore)(self.bucket, **options)

    def _of_amazon(self) -> dict[str, Any]:
        """Credentials and the server, from the same variables and files as Amazon's own tools."""
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        values: dict[str, Any] = {"endpoint": endpoint} if endpoint else {}
        if os.environ.get("AWS_SKIP_SIGNATURE", "").lower() in ("1", "true"):  # public data
            return values
        from obstore.auth.boto3 import Boto3CredentialProvider

        try:
            return values | {"credential_provider": Boto3CredentialProvider()}
        except Exception as error:  # of boto3 or botocore, which has a hierarchy of its own
            raise self._refused("there are no credentials", error) from error

    def _require_bucket(self, error: Exception) -> None:
        """Tell a missing bucket from a missing object."""
        if not self.scheme:
            return
        if re.search("NoSuchBucket|bucket does not exist|ContainerNotFound", str(error)):
            what, kind = "there is no such bucket", "a bucket that exists"
            fix = f"check {self.option}, and AWS_ENDPOINT_URL" if self.scheme == "s3" else f"check {self.option}"
            raise DataError(what, where=f"{self.scheme}://{self.bucket}", expected=kind, fix=fix) from error

    @contextmanager
    def _speaking(self, name: str) -> Iterator[None]:
        """Turn what obstore raises into one sentence."""
        require_installed()
        from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise self._refused("access is refused", error) from error
        except (BaseError, OSError, ValueError) as error:
            self._require_bucket(error)
            # A folder that cannot be written raises what is no subclass: by its words.
            what = "cannot be reached" if self.scheme else "cannot be read or written"
            fix = "check the network, and start again: what is done is kept" if self.scheme else "check the disk"
            if self.scheme == "s3":
                fix = f"check the network and AWS_ENDPOINT_URL, and start again after {_RETRIES} tries failed"
            raise DataError(f"the chunks {what}", where=self.where(name), got=_short(error), fix=fix) from error

    def _refused(self, what: str, error: Exception) -> SelfDepthError:
        fix = _CREDENTIALS.get(self.scheme, "check its permissions")
        return ConfigError(what, where=self.place, expected="credentials that may", got=_short(error), fix=fix)


def require_installed() -> None:
    """Raise ConfigError if the packages for chunks are not installed."""
    try:
        import litdata  # type: ignore[import-untyped]  # noqa: F401
        import obstore  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError("chunks need litdata, which is not installed", fix=INSTALL) from error


def _parts(place: str, option: str) -> tuple[str, str, str]:
    scheme, _, rest = place.partition("://")
    bucket, _, name = rest.partition("/")
    name = name.rstrip("/")
    if not bucket or not name or any(part in ("", ".", "..") for part in name.split("/")):
        expected = "s3://BUCKET/NAME, gs://BUCKET/NAME or azure://CONTAINER/NAME"
        raise ConfigError("this names no place for chunks", where=option, expected=expected, got=place)
    return scheme, bucket, name


def _client_options() -> dict[str, Any]:
    # Plain HTTP only where the user named such a server: one of this machine or network.
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    seconds = {"connect_timeout": timedelta(seconds=10), "timeout": timedelta(minutes=10)}
    return {**seconds, "allow_http": endpoint.startswith("http://")}


def _short(error: Exception) -> str:
    """The first line of what obstore says, without its account of the retries."""
    text = str(error).split("\n\nDebug source")[0]
    return " ".join(text.split())[:300]

"""Places of chunks: a folder, and a bucket of a server on this machine; what goes wrong is one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from selfdepth.data.store import remote as module
from selfdepth.data.store.remote import Remote
from selfdepth.errors import ConfigError, DataError, SelfDepthError


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of an S3 server with an empty bucket."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=address, **keys).create_bucket(Bucket="bucket")
    yield address
    server.stop()


@pytest.fixture
def amazon(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of somebody who uses that server."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setattr(module, "_RETRIES", 1)


@pytest.mark.usefixtures("amazon")
@pytest.mark.parametrize("far", ["s3://bucket/one/two", "folder"])
def test_what_is_written_is_listed_read_fetched_and_removed(far: str, tmp_path: Path) -> None:
    remote = Remote(far if "://" in far else str(tmp_path / far), "--out")
    assert remote.sizes() == {}
    content = bytes(range(256)) * 40_000  # in several pieces
    remote.write("a.bin", content)
    remote.write("b.json", b"{}")
    assert remote.sizes() == {"a.bin": len(content), "b.json": 2}
    assert remote.read("b.json") == b"{}"
    assert remote.read("c.json") is None
    assert remote.fetch("a.bin", tmp_path / "got", len(content))
    assert (tmp_path / "got").read_bytes() == content
    assert not remote.fetch("a.bin", tmp_path / "got", len(content) - 1)
    assert not remote.fetch("c.bin", tmp_path / "got", 1)
    with pytest.raises(DataError, match=r"object is too large: .*b\.json"):
        remote.read("b.json", most=1)
    remote.remove("a.bin")
    remote.remove("a.bin")
    assert remote.sizes() == {"b.json": 2}


@pytest.mark.usefixtures("amazon")
@pytest.mark.parametrize("work", [lambda far: far.sizes(), lambda far: far.read("a"), lambda far: far.write("a", b"1")])
def test_a_bucket_that_does_not_exist_is_named(work: object) -> None:
    with pytest.raises(DataError, match=r"there is no such bucket: s3://nowhere; .*check --data"):
        work(Remote("s3://nowhere/name"))  # type: ignore[operator]


@pytest.mark.usefixtures("amazon")
def test_a_server_that_cannot_be_reached_is_given_up_after_a_few_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(DataError, match=r"chunks cannot be reached: s3://bucket/name/a; .*check the network and AWS_E"):
        Remote("s3://bucket/name").read("a")


@pytest.mark.usefixtures("amazon")
def test_without_credentials_the_variables_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(ConfigError, match=r"there are no credentials: s3://bucket/name; .*set AWS_ACCESS_KEY_ID"):
        Remote("s3://bucket/name").sizes()


@pytest.mark.parametrize("kind", ["PermissionDeniedError", "UnauthenticatedError"])
@pytest.mark.usefixtures("amazon")
def test_wrong_credentials_are_said_to_be_wrong(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import obstore
    from obstore import exceptions

    def refuse(*args: object) -> None:
        raise getattr(exceptions, kind)("The AWS Access Key Id you provided does not exist\n\nDebug source:\nlong")

    monkeypatch.setattr(obstore, "get", refuse)
    with pytest.raises(
        ConfigError, match=r"access is refused: s3://bucket/name; .*does not exist; set AWS_ACC"
    ) as error:
        Remote("s3://bucket/name").read("a")
    assert "Debug" not in str(error.value)


@pytest.mark.parametrize("place", ["s3://", "s3://bucket", "s3://bucket/", "gs:///name", "azure://a/../b", "s3://a//b"])
def test_words_that_name_no_place_are_refused(place: str) -> None:
    with pytest.raises(ConfigError, match=r"names no place for chunks: --out; expected s3://BUCKET/NAME"):
        Remote(place, "--out")


def test_without_litdata_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "litdata", None)
    with pytest.raises(
        SelfDepthError, match=r"need litdata, which is not installed; pip install 'selfdepth\[stream\]'"
    ):
        Remote(str(tmp_path)).sizes()

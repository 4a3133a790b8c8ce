"""From data to chunks to a trained model: the run of the local store, whatever the cache and the interruptions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from helpers.images import write_images
from selfdepth.cli.main import main

TRAIN = (
    *("train", "mono-192x64", "--width", "64", "--height", "64", "--encoder.name", "test_resnet"),
    *("--encoder.pose-name", "test_resnet", "--encoder.no-pretrained", "--batch-size", "2", "--save-every", "2"),
    *("--device", "cpu", "--precision", "fp32", "--no-compile", "--shuffle-window", "8"),
)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A place in a bucket of an S3 server on this machine."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AWS_PROFILE", raising=False)
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_REGION", "us-east-1")
        boto3.client("s3", endpoint_url=f"http://{host}:{port}").create_bucket(Bucket="bucket")
        yield "s3://bucket/drive"
    server.stop()


def test_a_run_from_a_bucket_is_the_run_from_the_local_store_also_if_it_is_resumed(bucket: str, tmp_path: Path) -> None:
    drive = write_images(tmp_path / "drive", range(30))
    size = ("--width", "64", "--height", "64", "--camera", "fov:60")
    assert main(["prepare", str(drive), "--out", bucket, *size]) == 0
    assert main([*TRAIN, "--data", str(drive), "--camera", "fov:60", "--out", str(tmp_path / "a"), "--steps", "4"]) == 0
    far = (*TRAIN, "--data", bucket, "--cache-gb", "0.01", "--out", str(tmp_path / "b"))
    assert main([*far, "--steps", "2"]) == 0
    assert main(["train", "--resume", "--out", str(tmp_path / "b"), "--steps", "4", "--cache-gb", "0.02"]) == 0
    one, other = (load_file(tmp_path / run / "last/model.safetensors") for run in "ab")
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert list((tmp_path / "b/store").glob("chunk-*"))

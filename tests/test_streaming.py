"""From data to chunks to a trained model: the run of the local store, whatever the cache and the interruptions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from helpers.images import write_images
from selfdepth.cli.main import main
from selfdepth.data.sources.rendered import write_drive
from selfdepth.synthetic.drive import DriveSpec, render_drive

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


def test_a_run_from_chunks_is_validated_with_the_ground_truth_of_its_data(tmp_path: Path) -> None:
    drive = render_drive(DriveSpec(seed=3, frames=30, width=64, height=64, stops=False))
    write_drive(drive, tmp_path / "d", with_depth=True)
    assert main(["prepare", str(tmp_path / "d"), "--out", str(tmp_path / "c"), "--chunks", "--width", "64"]) == 0
    found = []
    for data in "dc":
        run = tmp_path / f"run_{data}"
        assert main([*TRAIN, "--data", str(tmp_path / data), "--out", str(run), "--steps", "2"]) == 0
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        found.append([{name: row[name] for name in row if "abs_rel" in name} for row in rows if "abs_rel" in str(row)])
        if data == "d":
            (tmp_path / "d").rename(tmp_path / "gone")  # chunks need nothing of the data
    assert found[0]
    assert found[0] == found[1]

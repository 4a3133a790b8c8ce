"""Compute the errors of a camera trajectory, and write it for other tools. The street is rendered, the drift
artificial.

python examples/05_trajectory.py
python examples/05_trajectory.py --predicted mine.txt --truth true.txt      # in KITTI's or TUM's format
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tyro

from selfdepth.data.readers.trajectories import read_trajectory
from selfdepth.evaluation.odometry.run import evaluate_trajectory, read_predicted
from selfdepth.geometry.rigid import chain, relative
from selfdepth.structs import Trajectory


def made_up() -> tuple[Trajectory, Trajectory]:
    """A trajectory as a network might predict it, in another unit and with errors in each motion; and the true one."""
    from selfdepth.synthetic.drive import DriveSpec, render_drive

    drive = render_drive(DriveSpec(frames=400, width=32, height=16))
    T_next_current = relative(drive.T_world_camera)
    noise = np.random.default_rng(0).normal(1.0, 0.05, (len(T_next_current), 3))
    T_next_current[:, :3, 3] *= 0.2 * noise
    return tuple(  # type: ignore[return-value]
        Trajectory(T_world_camera=poses, timestamps=drive.timestamps)
        for poses in (chain(T_next_current), drive.T_world_camera)
    )


def main(predicted: Path | None = None, truth: Path | None = None, out: Path = Path("runs/example-05")) -> None:
    """Print the errors, and write the aligned trajectory in both formats.

    Args:
        predicted: file with your trajectory.
        truth: file with the true one: a pose for each of yours, or poses with timestamps.
        out: folder for kitti.txt and tum.txt.
    """
    if predicted is None or truth is None:
        mine, true = made_up()
    else:
        true = read_trajectory(truth)
        mine = read_predicted(predicted, true)

    result = evaluate_trajectory(mine, true, "sim3", where="the prediction")

    print(f"five-frame error  {result.five_frame.mean:.4f} m (published as ATE; it is RMSE / sqrt(N))")
    print(f"ATE               {result.absolute.rmse:.3f} m; a straight line reaches {result.straight_rmse:.3f} m")
    print(f"RPE               {result.relative.translation_rmse:.4f} m, {result.relative.rotation_rmse_deg:.4f} deg")
    drift = result.drift
    if drift is not None:  # the path is longer than 100 m
        print(f"t_err, r_err      {drift.t_err_percent:.2f} %, {drift.r_err_deg_per_100m:.2f} deg/100 m")
    print(f"scale             {result.absolute.alignment.scale:.3f}")
    out.mkdir(parents=True, exist_ok=True)
    (out / "kitti.txt").write_text(result.predicted.to_kitti())
    (out / "tum.txt").write_text(result.predicted.to_tum())


if __name__ == "__main__":
    tyro.cli(main)

#!/usr/bin/env bash
# Train and evaluate M, S, MS and the predecessor on KITTI with equal budgets: the same targets, networks, seed and steps.
#
#   benchmarks/modes.sh KITTI_RAW TRAIN_SPLIT TEST_SPLIT OUT [STEPS] [SIZE] [more options of train]
#
# Variables: MODES, which of mono, stereo, mono-stereo and monodepth-v1 (all four). MONO, options for M alone: its depth
# has no unit, so that it needs another --loss.near. POSE, options for M and MS: the others train no pose network and
# refuse options for one.
# TRAIN_SPLIT lists frames that have a partner image. The errors of each mode are written to OUT/MODE.json; of metric
# depth with and without median scaling.
set -euo pipefail
data=$1 train_split=$2 test_split=$3 out=$4 steps=${5:-2600} size=${6:-192x64}
more=("${@:7}")
read -ra modes <<<"${MODES:-mono stereo mono-stereo monodepth-v1}"
read -ra mono <<<"${MONO:-}"
read -ra pose <<<"${POSE:-}"

selfdepth prepare "$data" --split "$train_split" --stereo --width "${size%x*}" --height "${size#*x}" --out "$out/store"
for mode in "${modes[@]}"; do
    preset=$mode-$size options=(${more[@]+"${more[@]}"})
    case $mode in
        mono) options+=(${mono[@]+"${mono[@]}"} ${pose[@]+"${pose[@]}"}) ;;
        mono-stereo) options+=(${pose[@]+"${pose[@]}"}) ;;
        monodepth-v1) preset=monodepth-v1-512x256 options+=(--width "${size%x*}" --height "${size#*x}") ;;
    esac
    selfdepth train "$preset" --data "$out/store" --out "$out/$mode" --steps "$steps" ${options[@]+"${options[@]}"}
    selfdepth evaluate depth "$out/$mode" --data "$data" --split "$test_split" --json "$out/$mode.json"
done
python "$(dirname "$0")/modes_table.py" "$out"

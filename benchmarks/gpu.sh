#!/usr/bin/env bash
# Measure the paper's main training on one GPU, in less than ten minutes. Needs an environment with torch and the
# package's other requirements. Options are passed on to gpu.py.
set -euo pipefail
cd "$(dirname "$0")/.."
if [[ -z "${PYTHON:-}" ]]; then
  PYTHON=python3
  if [[ -x .venv/bin/python ]]; then PYTHON=.venv/bin/python; fi
fi
export PYTHONPATH="src${PYTHONPATH:+:$PYTHONPATH}"
exec "$PYTHON" benchmarks/gpu.py --json benchmarks/results/gpu.json "$@"

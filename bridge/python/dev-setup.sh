#!/usr/bin/env bash
# Gets what the Python package is built and tested with, from PyPI into .venv. What is there already is left alone, and
# then nothing asks the network.
set -euo pipefail
cd "$(dirname "$0")/../.."

wanted=bridge/python/requirements-dev.txt
if [ ! -x .venv/bin/pip ]; then
  python3 -m venv .venv || { echo "dev-setup: please install python3-venv and try again" >&2; exit 1; }
fi
if ! cmp -s "$wanted" .venv/requirements-dev.txt; then
  .venv/bin/pip install -q --only-binary :all: -r "$wanted"
  cp "$wanted" .venv/
fi

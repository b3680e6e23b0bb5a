#!/usr/bin/env bash
# Runs what this folder holds, see pipeline/node.py for the settings: RUNS="unet" SECONDS_ALL=560 bash run.sh
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else f"error: {sys.executable}: got Python {sys.version.split()[0]}, expected 3.11 or newer. Use: PYTHON=python3.12 bash run.sh")'
# -P: not the modules of the folder that it is started in
PYTHONPATH=$here exec "$python" -P -m pipeline.node "$here"

"""An exported model on a user's images."""

import os

# onnxruntime tells its maker of every session otherwise: of the machine and of the path of this Python.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

"""How arrays travel to the browser: scripts that hand over JSON, since a page opened from disk may not fetch
files."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np


def write_script(path: Path, content: Any) -> None:
    """A classic script that hands `content` to static/data.js under the name of the file."""
    text = json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    path.write_text(f'receive("{path.stem}",{text});\n', encoding="utf-8", newline="\n")


def run_lengths(mask: np.ndarray) -> str:
    """(H, W) bool as lengths of alternating runs in row order, the first one of False; each a little-endian
    base-128 number, all of them in base64. A tumour takes about a hundred characters, a tenth of its packed
    bits.
    """
    flat = mask.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths = np.diff(edges, prepend=0, append=flat.size)
    if flat[0]:
        lengths = np.insert(lengths, 0, 0)
    return base64.b64encode(b"".join(_varint(int(length)) for length in lengths)).decode("ascii")


def maps(array: np.ndarray) -> dict[str, Any]:
    """(N, h, w) uint8 as {"height", "width", "data"}, the data in base64, map after map, row after row."""
    _, height, width = array.shape
    return {
        "height": height,
        "width": width,
        "data": base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii"),
    }


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value >= 128:
        digits.append(value & 127 | 128)
        value >>= 7
    digits.append(value)
    return bytes(digits)

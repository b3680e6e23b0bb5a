"""Models by file name: `arch: unet` in a profile is brisc/models/unet.py, whose `build` takes the block's
other keys."""

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import nn

from brisc.errors import InputError


def build(arch: str, **settings: Any) -> nn.Module:
    """The net of brisc/models/<arch>.py: forward(image (B, 1, H, W)) -> {head: logits}.

    Raises InputError for an unknown arch or setting, and where pretrained weights are asked for and cannot be
    fetched.
    """
    known = sorted(
        path.stem
        for path in Path(__file__).parent.glob("[a-z]*.py")
        if path.stem not in ("__init__", "blocks")
    )
    if arch not in known:
        raise InputError(
            "unknown arch",
            where="model.arch",
            got=repr(arch),
            expected=f"one of {', '.join(known)}",
            mend="Correct the profile, or add the file to src/brisc/models.",
        )
    make = import_module(f"brisc.models.{arch}").build
    try:
        inspect.signature(make).bind(**settings)
    except TypeError as error:
        known_settings = ", ".join(inspect.signature(make).parameters)
        raise InputError(
            "wrong settings",
            where=f"model block of arch {arch}",
            got=str(error),
            expected=known_settings,
            mend="Correct the profile.",
        ) from None
    try:
        net: nn.Module = make(**settings)
    except OSError as error:  # the only thing that a net reads is pretrained weights
        raise InputError(
            "no pretrained weights",
            where=f"model block of arch {arch}",
            got=" ".join(str(error).split())[:200],
            expected="a download from huggingface.co, or its cache",
            mend="Connect, or set pretrained to false.",
        ) from None
    return net

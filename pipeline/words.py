"""Numbers in words, names of stages, and the words of a log that say why something failed."""

import re


def roughly(seconds: float) -> str:
    """A time: to ten seconds below three minutes, to a minute below an hour and a half, else to a tenth of an
    hour."""
    if seconds < 180:
        return f"{max(10, round(seconds / 10) * 10)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def kind(stage: str) -> str:
    """train of train@demo-unet, the stage of dvc.yaml that it is one of."""
    return stage.split("@")[0]


def last_words(log: str) -> str:
    """Why what wrote the log failed, as far as it says."""
    lines = [line for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"error|ERROR|[\w.]+(Error|Exception): ", line)]
    return (errors or lines or ["nothing was printed; it may have been killed"])[0 if errors else -1]

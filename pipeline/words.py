"""How the drivers write numbers."""


def roughly(seconds: float) -> str:
    """A time: to ten seconds below three minutes, to a minute below an hour and a half, else to a tenth of an
    hour."""
    if seconds < 180:
        return f"{max(10, round(seconds / 10) * 10)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

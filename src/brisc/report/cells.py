"""A table in Markdown and how numbers are written in it. A number that is missing is a dash with its
reason."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"

NO_IMAGES = "no such images"
TOO_FEW = "not tested: too few independent groups of slices"
NO_INTERVAL = "no interval: it takes at least two groups of similar slices"
NOT_PUBLISHED = "not published with this definition"
NOT_MEASURED = "not measured in this profile"
NO_BOUNDARY = "no image here has both a true and a predicted boundary"


class Cell(NamedTuple):
    """A cell whose text holds a dash, and why."""

    text: str
    reason: str


@dataclass(frozen=True)
class Table:
    """The first `left` columns and those of `words` are text, the others are numbers and aligned right."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    left: int = 1
    words: tuple[int, ...] = ()

    def markdown(self) -> str:
        """The table and, below it, the reason for each dash. With several reasons each dash carries the
        letter of its own."""
        reasons = list(
            dict.fromkeys(cell.reason for row in self.rows for cell in row if isinstance(cell, Cell))
        )
        letters = dict(zip(reasons, "abcdefghij", strict=False)) if len(reasons) > 1 else {}
        rule = [
            ":--" if column < self.left or column in self.words else "--:"
            for column in range(len(self.header))
        ]
        lines = [_line(self.header), _line(rule)]
        lines += [_line([_text(cell, letters) for cell in row]) for row in self.rows]
        if reasons:
            explained = [
                f"<sup>{letters[reason]}</sup> {reason}" if letters else reason for reason in reasons
            ]
            lines += ["", f"{DASH}: {'; '.join(explained)}."]
        return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _text(cell: str | Cell, letters: dict[str, str]) -> str:
    if isinstance(cell, str):
        return cell
    return f"{cell.text}<sup>{letters[cell.reason]}</sup>" if letters else cell.text


def percent(fraction: float) -> str:
    return f"{100 * fraction:.2f}"


def coarse_percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}"


def whole_percent(fraction: float) -> str:
    """A share in whole percent, with a minus sign that is one."""
    text = f"{abs(100 * fraction):.0f}"
    return f"{MINUS}{text}" if fraction < 0 and text != "0" else text


def p_value(p: float) -> str:
    """Three decimals, or as many as show on which side of 0.05 it is."""
    if p < 0.001:
        return "< 0.001"
    return next(text for n in (3, 4, 5, 6, 12) if float(text := f"{p:.{n}f}") != 0.05 or p == 0.05)


def tenth(value: float) -> str:
    return f"{value:.1f}"


def decimals3(value: float) -> str:
    return f"{value:.3f}"


def millions(value: float) -> str:
    return f"{value / 1e6:.2f}"


def macs(value: float) -> str:
    """Multiply-adds in millions: whole ones from a hundred million on."""
    return f"{value / 1e6:,.0f}" if value >= 1e8 else f"{value / 1e6:.1f}"


def thousands(value: float) -> str:
    return f"{value:,.0f}"


def signed_points(difference: float) -> str:
    """A difference of two fractions in percentage points, always with its sign unless it rounds to 0."""
    text = f"{abs(100 * difference):.2f}"
    if text == "0.00":
        return text
    return f"{'+' if difference > 0 else MINUS}{text}"


def shown(value: float | None, show: Callable[[float], str], reason: str) -> str | Cell:
    return Cell(DASH, reason) if value is None else show(value)


def with_interval(
    value: float | None, low: float | None, high: float | None, show: Callable[[float], str], reason: str
) -> str | Cell:
    if value is None:
        return Cell(DASH, reason)
    if low is None or high is None:
        return Cell(f"{show(value)} [{DASH}]", NO_INTERVAL)
    return f"{show(value)} [{show(low)}, {show(high)}]"


def setting(value: Any) -> str:
    """The value of a setting in words; two numbers, the lower first, are the ends of a range."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        numbers = not any(isinstance(item, str) for item in value)
        return (" to " if numbers and len(value) == 2 and value[0] < value[1] else ", ").join(
            setting(item) for item in value
        )
    return str(value)


def in_words(key: str) -> str:
    return key.replace("_", " ")


def flat(content: dict[str, Any], prefix: str, joint: str) -> Iterator[tuple[str, Any]]:
    """The leaves of a nested block with their keys joined."""
    for key, value in content.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}{joint}", joint)
        else:
            yield f"{prefix}{key}", value

"""The fifth question: does one net for both tasks lose anything against two?"""

from brisc.analysis.results import Record, Results
from brisc.analysis.standing import like_for_like
from brisc.report.cells import signed_points, whole_percent
from brisc.report.heads import HEADS

MASK, LABEL = HEADS["mask"], HEADS["label"]


def answer(results: Results) -> list[str]:
    if results.comparisons is None or results.comparisons["joint_against_separate"] is None:
        return ["Joint and separate nets are not both in this report, so this question is left out."]
    block = results.comparisons.record("joint_against_separate")
    entries = block.record("subsets").listed("official")
    joints = list(dict.fromkeys(entry["joint"] for entry in entries))
    said = [text for net in joints for text in _joint_net(results, net)]
    return said or ["No joint net has a separate partner in this report, so this question is left out."]


def _joint_net(results: Results, net: str) -> list[str]:
    parts = []
    for measure in (MASK.compared, LABEL.compared):
        entry = like_for_like(results, net, measure, "official")
        difference = None if entry is None else entry.number("difference")
        if entry is None or difference is None:
            continue
        low, high = entry.number("low"), entry.number("high")
        bounds = (
            ""
            if low is None or high is None
            else f", 95 % interval {signed_points(low)} to {signed_points(high)}"
        )
        told = "told apart" if entry["told_apart"] else "not told apart"
        against = f"`{entry['separate']}` (n = {entry.count('n'):,}{bounds}; {told})"
        text = f"{signed_points(difference)} points of `{measure}` against {against}"
        published, remains = entry.number("published"), entry.number("remains")
        if published is not None and remains is not None and not results.phantom:
            text += f", of a published {signed_points(published)}: {_part(entry)}"
        parts.append(text)
    return [f"`{net}`, like for like on official: {'; '.join(parts)}."] if parts else []


def _part(entry: Record) -> str:
    """Which part of the published gap remains, with its interval."""
    remains, low, high = (entry.number(key) for key in ("remains", "remains_low", "remains_high"))
    if remains is None:
        return "the part that remains is not defined"
    bounds = "" if low is None or high is None else f" [{whole_percent(low)}, {whole_percent(high)}]"
    return f"{whole_percent(remains)} %{bounds} of that gap remains"

"""The seven questions of the report, each answered by a paragraph made of results. A question without results says what is missing."""

from collections.abc import Sequence

from brisc.reporting.cells import (
    billions,
    coarse_percent,
    millions,
    percent,
    setting,
    signed_points,
    tenth,
    thousands,
    whole_percent,
)
from brisc.reporting.claims import like_for_like
from brisc.reporting.comparisons import tiers
from brisc.reporting.grid_cells import best_of, cells, measure_of, scored
from brisc.reporting.heads import HEADS, Head
from brisc.reporting.prose.words import best, duration, joined, number_of, span, tested
from brisc.reporting.results import Record, Results
from brisc.reporting.tables.segmentation import official_tumours

MASK, LABEL = HEADS["mask"], HEADS["label"]


# --------------------------------------------------------------------------------------------------------- segmentation


def segmentation(results: Results) -> list[str]:
    if not results.masks():
        return ["No model of this report draws tumours, so this question is left out."]
    said = [best(results, MASK), gap(results, [MASK]), _by_size(results), _errors(results)]
    return [*said, *_baseline(results, MASK, "nearest_mask", "dice", "Copying the mask of the most similar train slice")]


def gap(results: Results, heads: Sequence[Head]) -> str:
    """What happens to the followed metric of each head when test images that are also in train are left out."""
    parts = [text for head in heads if (text := _gap(results, head)) is not None]
    if not parts:
        return "The change from official to clean is not known."
    return f"From official to clean, which holds no test image whose slice is also in train, {joined(parts)}."


def _gap(results: Results, head: Head) -> str | None:
    plain: list[float | None] = []
    weighted: list[float | None] = []
    for model in results.with_head(head):
        scores = results.subsets(model)
        official = scores["official"].number(head.followed)
        if "clean" not in scores or official is None:
            continue
        clean, mixed = scores["clean"].number(head.followed), scores["clean"].record("class_weighted").number(head.followed)
        plain.append(None if clean is None else clean - official)
        weighted.append(None if mixed is None else mixed - official)
    if not any(change is not None for change in plain):
        return None
    models = results.with_head(head)
    of = f"`{models[0]}`" if len(models) == 1 else f"the {len(models)} models"
    text = f"the `{head.followed}` of {of} changes by **{span(plain, signed_points)} points**"
    if any(change is not None for change in weighted):
        text += f" ({span(weighted, signed_points)} with the classes mixed as in official)"
    return text


def _by_size(results: Results) -> str:
    """Small tumours hide in means."""
    blocks = [results.subsets(model)["official"].record("by_size").records() for model in results.masks()]
    parts = [
        f"{span([block[size].number('dice_per_image') for block in blocks], coarse_percent)} % on {size} ones "
        f"(n = {blocks[0][size].count('n'):,})"
        for size in blocks[0]
        if blocks[0][size].count("n") > 0
    ]
    return f"The mean hides the size of the tumour: Dice is {joined(parts)}." if parts else "There are no tumours of any size."


def _errors(results: Results) -> str:
    """Tumours that are not seen, and healthy slices in which one is."""
    tumours = {model: official_tumours(results, model) for model in results.masks()}
    missed = [int((table["intersection"] == 0).sum()) for table in tumours.values()]
    n = len(next(iter(tumours.values())))
    text = f"{span(missed, thousands)} of {number_of(n, 'tumour')} are missed altogether"
    alarms = [results.subsets(model)["official"].record("false_alarms") for model in results.masks()]
    healthy = alarms[0].count("n")
    if healthy == 0:
        return f"{text}; there are no healthy official test slices, so false alarms cannot be counted."
    seen = [float(record.count("images")) for record in alarms]
    return f"{text}, and a tumour is seen in {span(seen, thousands)} of {number_of(healthy, 'healthy slice')}; no mean Dice shows these."


def _baseline(results: Results, head: Head, name: str, key: str, method: str) -> list[str]:
    """What learns nothing, and how many models lie above it with their whole interval."""
    if results.audit is None or name not in results.audit.record("baselines"):
        return []
    baseline = results.audit.record("baselines").record(name)
    parts = []
    for subset in ("official", "clean"):
        scores = [results.subsets(model)[subset] for model in results.with_head(head) if subset in results.subsets(model)]
        value = baseline.record(subset).number(key) if subset in baseline else None
        if value is None or not scores:
            continue
        lows = [score.number(f"{head.followed}_low") for score in scores]
        above = sum(low is not None and low > value for low in lows)
        parts.append(
            f"{percent(value)} % on {subset}, where {above} of {number_of(len(scores), 'model')} "
            f"{'has' if above == 1 else 'have'} the whole interval above it"
        )
    return [f"{method}, which learns nothing, gives {joined(parts)}."] if parts else []


# ------------------------------------------------------------------------------------------------------------ attention


def attention_pair(results: Results) -> tuple[str, str] | None:
    """(with attention, without), where both were trained."""
    question = results.published.record("questions").record("attention")
    pair = (question["model"], question["baseline"])
    return pair if set(pair) <= set(results.masks()) else None


def attention(results: Results) -> list[str]:
    question = results.published.record("questions").record("attention")
    with_it, without = question["model"], question["baseline"]
    if attention_pair(results) is None:
        return [f"`{with_it}` and `{without}` are not both in this report, so this question is left out."]
    parts, told = [], []
    for subset in ("official", "clean"):
        standing = tiers(results, MASK, subset)
        pair = None if standing is None else standing.pair(with_it, without)
        if pair is not None:
            parts.append(tested(pair, subset, f"`{MASK.followed}`"))
            told.append(pair)
    if not parts:
        return [f"`{with_it}` and `{without}` were not compared by a test on the same images, so no answer is given."]
    said = [f"`{with_it}` less `{without}`, on the same images: {'; '.join(parts)}. {_attention_verdict(told, with_it, without)}"]
    said += _attention_seeds(results, with_it, without)
    theirs = [results.published_scores(model, "test") for model in (with_it, without)]
    if not results.phantom and all(MASK.compared in scores for scores in theirs):
        first, second = (scores.number(MASK.compared) for scores in theirs)
        if first is not None and second is not None:
            said.append(
                f"The published difference is {signed_points(first - second)} points of `{MASK.compared}`, without an interval."
            )
    return [*said, *_attention_cost(results, with_it, without)]


def _attention_verdict(told: Sequence[object], with_it: str, without: str) -> str:
    signs = {(pair.told_apart, (pair.difference or 0) > 0) for pair in told}  # type: ignore[attr-defined]
    if not any(apart for apart, _ in signs):
        return "No test tells the two apart: attention gates make no difference here that these images can show."
    better = {positive for apart, positive in signs if apart}
    if len(better) == 2:
        return "The tests tell the two apart in opposite directions on the two subsets."
    return f"Where the two are told apart, `{with_it if better == {True} else without}` is ahead."


def _attention_seeds(results: Results, with_it: str, without: str) -> list[str]:
    """Whether the difference outlasts another seed."""
    if results.comparisons is None or results.comparisons["seeds"] is None:
        return ["Each was trained with one seed, and a test over images says nothing about another training."]
    for entry in results.comparisons.record("seeds").listed("pairs"):
        if {entry["a"], entry["b"]} != {with_it, without} or (entry["subset"], entry["measure"]) != ("official", MASK.followed):
            continue
        sign = 1 if entry["a"] == with_it else -1
        differences = {seed: sign * value for seed, value in entry.record("differences").content.items()}
        shown = ", ".join(f"{signed_points(value)} with seed {seed}" for seed, value in differences.items())
        text = f"Trained with {number_of(entry.count('n'), 'seed')}, the difference on official is {shown}"
        smallest = entry.number("smallest_p")
        if smallest is not None and smallest >= 0.05:
            text += f"; so few seeds cannot show a difference by themselves (the smallest p that they can give is {smallest:g})"
        return [f"{text}."]
    return []


def _attention_cost(results: Results, with_it: str, without: str) -> list[str]:
    ratios = []
    for key, name in (("parameters", "the parameters"), ("macs", "the multiply-adds")):
        first, second = (_known(results.cost(model), key) for model in (with_it, without))
        if first is not None and second is not None and second > 0:
            ratios.append(f"{first / second:.2f} times {name}")
    return [f"The gates take {joined(ratios)}."] if ratios else []


# ------------------------------------------------------------------------------------------------------- classification


def classification(results: Results) -> list[str]:
    if not results.labels():
        return ["No model of this report names the class, so this question is left out."]
    said = [best(results, LABEL), gap(results, [LABEL]), _confusions(results), _calibration(results)]
    return [*said, *_baseline(results, LABEL, "nearest_class", "accuracy", "Taking the class of the most similar train slice")]


def _confusions(results: Results) -> str:
    """The confusion that most mistakes are, over all models."""
    counts: dict[tuple[str, str], int] = {}
    for model in results.labels():
        for true, row in results.subsets(model)["official"].record("confusion").records().items():
            for said in row.keys:
                if said != true:
                    counts[true, said] = counts.get((true, said), 0) + row.count(said)
    total = sum(counts.values())
    if total == 0:
        return "No official test image is given a wrong class."
    (true, said), most = max(sorted(counts.items()), key=lambda item: item[1])
    models = number_of(len(results.labels()), "model")
    return f"Of {number_of(total, 'mistake')} on official by {models}, {most:,} call {true} {said}, the most common confusion."


def _calibration(results: Results) -> str:
    official = [results.subsets(model)["official"] for model in results.labels()]
    before, after = ([scores.number(key) for scores in official] for key in ("ece", "ece_scaled"))
    temperatures = [results.metrics.record(model).number("temperature") for model in results.labels()]
    sure = sum(value is not None and value > 1 for value in temperatures)
    return (
        f"The calibration error (ECE) on official is {span(before, coarse_percent)} % as trained and {span(after, coarse_percent)} % "
        f"after one temperature fitted on validation; {sure} of {number_of(len(temperatures), 'model')} "
        f"{'was' if sure == 1 else 'were'} too sure (temperature above 1)."
    )


# ----------------------------------------------------------------------------------------------------------- efficiency


def efficiency(results: Results) -> list[str]:
    said = [text for head in HEADS.values() if results.with_head(head) for text in _cheapest(results, head)]
    return [*said, *_time(results), *_fits(results)]


def _cheapest(results: Results, head: Head) -> list[str]:
    """The model with the fewest multiply-adds among those that are not told apart from the highest mean."""
    standing = tiers(results, head, "official")
    if len(results.with_head(head)) < 2 or standing is None:
        return []
    macs = {model: known for model in standing.with_the_first() if (known := _known(results.cost(model), "macs")) is not None}
    if not macs:
        return []
    first, least = standing.order[0].model, min(macs, key=lambda model: (macs[model], model))
    group = (
        f"`{first}` alone has the highest `{head.followed}` on official"
        if len(macs) == 1
        else f"Of the {len(macs)} models that are not told apart from the highest `{head.followed}` on official, `{least}` is the cheapest"
    )
    text = f"{group}: {billions(macs[least])} billion multiply-adds an image"
    parameters = _known(results.cost(least), "parameters")
    if parameters is not None:
        text += f", {millions(parameters)} million parameters"
    if least != first and first in macs:
        text += f", {whole_percent(macs[least] / macs[first])} % of the multiply-adds of `{first}`"
    return [f"{text}."]


def _time(results: Results) -> list[str]:
    seconds = [value for model in results.models if (value := results.cost(model).number("seconds")) is not None]
    if not seconds:
        return ["Time and memory are not measured in this profile."]
    rates = span([_known(results.cost(model), "images_per_second") for model in results.models], tenth)
    each = " a model" if len(results.models) > 1 else ""
    device = results.provenance["device"] or "an unnamed device"
    return [f"Training took {_durations(seconds)}{each} on {device}, at {rates} images/s."]


def _durations(seconds: Sequence[float]) -> str:
    shortest, longest = duration(min(seconds)), duration(max(seconds))
    return shortest if shortest == longest else f"{shortest} to {longest}"


def _fits(results: Results) -> list[str]:
    """Which models fit the study's GPU at full size, by estimate."""
    if results.estimate is None:
        return []
    models = results.estimate.record("models").records()
    fitting = [model for model, record in models.items() if record.record("train")["fits"]]
    size, batch = results.estimate.count("image_size"), results.estimate.count("batch_size")
    return [
        f"By estimate, {len(fitting)} of {number_of(len(models), 'model')} of the `{results.estimate['profile']}` profile fit a GPU of 8 GiB "
        f"as the profile stands ({size} x {size} px, {batch} images a step)."
    ]


def _known(cost: Record, key: str) -> float | None:
    return cost.number(key) if key in cost else None


# ---------------------------------------------------------------------------------------------------------------- joint


def joint(results: Results) -> list[str]:
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
        bounds = "" if low is None or high is None else f", 95 % interval {signed_points(low)} to {signed_points(high)}"
        told = "told apart" if entry["told_apart"] else "not told apart"
        text = f"{signed_points(difference)} points of `{measure}` against `{entry['separate']}` (n = {entry.count('n'):,}{bounds}; {told})"
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


# ----------------------------------------------------------------------------------------------------------------- grid


def grid(results: Results) -> list[str]:
    if results.grid is None:
        return ["No grid of optimisers and rates was run in this profile, so this question is left out."]
    summary, ranking = results.grid.summary, scored(results.grid)
    count = len(cells(results.grid))
    size = f"{len(summary['optimizers'])} optimisers x {len(summary['learning_rates'])} rates, `{summary['model']}`, {number_of(summary.count('epochs'), 'epoch')} each"
    if not ranking:
        return [f"All {count} cells ({size}) diverged before their first epoch was over."]
    first = ranking[0]
    leaders = [cell for cell in ranking if cell.may_be_best]
    said = (
        f"Of {count} cells ({size}) {first.optimizer} at {setting(first.learning_rate)} has the highest validation {measure_of(results.grid)}, "
        f"**{percent(first.score or 0)} %**{_bounds(first.low, first.high)}"
    )
    if len(leaders) > 1:
        said += f"; {number_of(len(leaders) - 1, 'other')} may be the best as well (95 % ranges of ranks): " + joined(
            [f"{cell.optimizer} at {setting(cell.learning_rate)}" for cell in leaders if cell != first]
        )
    by_optimizer = [
        f"{name} {setting(cell.learning_rate)}"
        for name in summary["optimizers"]
        if (cell := best_of(results.grid, name)) is not None
    ]
    diverged = sum(cell.diverged_at is not None for cell in cells(results.grid))
    more = f" {number_of(diverged, 'cell')} diverged." if diverged else ""
    judged = [
        f"{claim['source'].removeprefix('study, ')}: {claim['optimizer']} at {setting(claim['learning_rate'])} as the best is "
        f"{claim['verdict']} ({claim['reason']})"
        for claim in summary.listed("claims")
    ]
    answers = [f"{said}.", f"The best rate of each optimiser: {', '.join(by_optimizer)}.{more}"]
    return answers if results.phantom else [*answers, f"What the study says, held against this grid: {'; '.join(judged)}."]


def _bounds(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" (95 % interval {percent(low)} to {percent(high)})"

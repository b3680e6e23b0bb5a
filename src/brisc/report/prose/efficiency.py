"""The fourth question: what does a score cost?"""

from collections.abc import Sequence

from brisc.analysis.costs import core_seconds
from brisc.analysis.results import Results
from brisc.analysis.standing import tiers
from brisc.report.cells import (
    macs,
    millions,
    tenth,
    whole_percent,
)
from brisc.report.heads import HEADS, Head
from brisc.report.words import duration, hours, joined, number_of, span


def answer(results: Results) -> list[str]:
    said = [text for head in HEADS.values() if results.with_head(head) for text in _cheapest(results, head)]
    return [*said, *_time(results), *_fits(results)]


def _cheapest(results: Results, head: Head) -> list[str]:
    """The model with the fewest multiply-adds among those that are not told apart from the highest mean."""
    standing = tiers(results, head, "official")
    if len(results.with_head(head)) < 2 or standing is None:
        return []
    work = {
        model: known
        for model in standing.with_the_first()
        if (known := results.cost_of(model, "macs")) is not None
    }
    if not work:
        return []
    first, least = standing.order[0].model, min(work, key=lambda model: (work[model], model))
    group = f"`{first}` alone has the highest `{head.followed}` on official"
    if len(work) > 1:
        group = f"Of the {len(work)} models with the highest `{head.followed}` on official, as far as they are told apart, `{least}` "
        group += "is the cheapest"
    text = f"{group}: {macs(work[least])} million multiply-adds an image"
    parameters = results.cost_of(least, "parameters")
    if parameters is not None:
        text += f", {millions(parameters)} million parameters"
    if least != first and first in work:
        text += f", {whole_percent(work[least] / work[first])} % of the multiply-adds of `{first}`"
    return [f"{text}."]


def _time(results: Results) -> list[str]:
    seconds = [
        value for model in results.models if (value := results.cost(model).number("seconds")) is not None
    ]
    if not seconds:
        return ["Time and memory are not measured in this profile."]
    rates = span([results.cost_of(model, "images_per_second") for model in results.models], tenth)
    each = " a model" if len(results.models) > 1 else ""
    device = results.provenance["device"] or "an unnamed device"
    return [f"Training took {_durations(seconds)}{each} on {device}, at {rates} images/s.", *_in_all(results)]


def _in_all(results: Results) -> list[str]:
    """The cost of every training of the profile, beside the study's own count where that may stand beside
    it."""
    costs = results.costs
    if len(costs) < 2 or not costs["seconds"].notna().all():
        return []
    text = f"All {len(costs)} trainings took {hours(costs['seconds'].sum())} hours, {hours(core_seconds(costs))} core-hours"
    if results.phantom:
        return [f"{text}."]
    study = results.published.record("study").count("gpu_hours")
    return [f"{text}; the study counts about {study} hours of a GPU for its own, larger ones."]


def _durations(seconds: Sequence[float]) -> str:
    shortest, longest = duration(min(seconds)), duration(max(seconds))
    return shortest if shortest == longest else f"{shortest} to {longest}"


def _fits(results: Results) -> list[str]:
    """Which models fit the study's GPU at full size, by estimate."""
    if results.estimate is None:
        return []
    models = results.estimate.record("models").records().values()
    verdicts = [record.record("as_set")["verdict"] for record in models]
    size, images = results.estimate.count("image_size"), results.estimate.count("images_per_step")
    counts = {verdict: verdicts.count(verdict) for verdict in VERDICTS}
    told = joined([f"{n} {VERDICTS[verdict][n > 1]}" for verdict, n in counts.items() if n > 0])
    return [
        f"By estimate, of {number_of(len(verdicts), 'model')} of the `{results.estimate['profile']}` profile at {size} x "
        f"{size} px and {images} images a step {told} on a GPU of 8 GiB."
    ]


# What the estimate says of one model, and of several.
VERDICTS = {
    "fits": ("fits", "fit"),
    "tight": ("is tight", "are tight"),
    "does not fit": ("does not fit", "do not fit"),
}

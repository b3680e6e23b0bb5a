"""The first question: which net draws tumours best?"""

from brisc.analysis.results import Results
from brisc.report.cells import coarse_percent, thousands
from brisc.report.heads import HEADS
from brisc.report.prose.scores import baseline, best, gap
from brisc.report.tables.segmentation import official_tumours
from brisc.report.words import joined, number_of, span

MASK = HEADS["mask"]


def answer(results: Results) -> list[str]:
    if not results.masks():
        return ["No model of this report draws tumours, so this question is left out."]
    said = [best(results, MASK), gap(results, [MASK]), _by_size(results), _errors(results)]
    return [
        *said,
        *baseline(results, MASK, "nearest_mask", "dice", "Copying the mask of the most similar train slice"),
    ]


def _by_size(results: Results) -> str:
    """Small tumours hide in means."""
    blocks = [results.subsets(model)["official"].record("by_size").records() for model in results.masks()]
    parts = [
        f"{span([block[size].number('dice_per_image') for block in blocks], coarse_percent)} % on {size} ones "
        f"(n = {blocks[0][size].count('n'):,})"
        for size in blocks[0]
        if blocks[0][size].count("n") > 0
    ]
    return (
        f"The mean hides the size of the tumour: Dice is {joined(parts)}."
        if parts
        else "There are no tumours of any size."
    )


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
    slices = number_of(healthy, "healthy slice")
    return f"{text}, and a tumour is seen in {span(seen, thousands)} of {slices}; no mean Dice shows these."

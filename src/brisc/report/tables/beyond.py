"""Tables of what the study has not: what copies are worth, its augmentation, other nets, every slice out of
fold."""

from collections.abc import Sequence

from brisc.analysis.results import Record, Results
from brisc.report.cells import (
    NO_IMAGES,
    TOO_FEW,
    Cell,
    Table,
    coarse_percent,
    p_value,
    percent,
    setting,
    shown,
    signed_points,
    with_interval,
)

DIFFERENCE = "difference, points"


def _parts(results: Results, key: str) -> list[Record]:
    return results.beyond.listed(key)


def _difference(row: Record, name: str = "difference", ends: str = "") -> list[str | Cell]:
    low, high, p = (row.number(f"{ends}{end}") for end in ("low", "high", "p"))
    found = with_interval(row.number(name), low, high, signed_points, NO_IMAGES)
    return [found, shown(p, p_value, TOO_FEW)]


def _percents(row: Record, *names: str) -> list[str | Cell]:
    return [shown(row.number(name), percent, NO_IMAGES) for name in names]


def copies(results: Results) -> Table | None:
    """A row for each model and subset."""
    rows: list[list[str | Cell]] = [
        [
            f"`{part['model']}`, {', '.join(map(str, part['seeds']))}",
            subset,
            *_percents(row, "full", "without_others", "without_copies"),
            *_difference(row, "worth", "worth_"),
            shown(row.number("share"), coarse_percent, NO_IMAGES),
            ", ".join(signed_points(value) for value in row.record("by_seed").content.values()),
        ]
        for part in _parts(results, "copies")
        for subset, row in part.record("subsets").records().items()
    ]
    header = ["model, seeds", "subset", "trained on all, %", "without others, %", "without copies, %"]
    header += ["worth of the copies, points", "p", "share of the score, %", "by seed"]
    return _table("What copies are worth.", header, rows, left=2)


def augmentation(results: Results) -> Table | None:
    rows: list[list[str | Cell]] = [
        [
            f"`{part['model']}` against `{part['recipe']}`",
            ", ".join(
                f"{name.rpartition('.')[2]} {setting(value)}"
                for name, value in part.record("changes").content.items()
            ),
            ", ".join(map(str, part["seeds"])),
            *_percents(part, "chosen", "published"),
            *_difference(part),
            ", ".join(signed_points(value) for value in part.record("by_seed").content.values()),
        ]
        for part in _parts(results, "augmentation")
        if part["seeds"]
    ]
    header = ["runs", "the recipe has", "seeds", "as chosen, %", "recipe, %", DIFFERENCE, "p", "by seed"]
    return _table("The augmentation chosen and another, on validation.", header, rows, left=2)


def nets(results: Results) -> Table | None:
    """What is no training of the study, each held against what it differs from in one thing."""
    rows: list[list[str | Cell]] = []
    for part in _parts(results, "pretrained"):
        name, other = f"`{part['model']}`, pretrained", f"`{part['scratch']}`"
        rows += _against(part, name, other, ("pretrained", "scratch"), "")
    if results.beyond["vote"] is not None:
        part = results.beyond.record("vote")
        name = f"vote of {', '.join(f'`{member}`' for member in part['members'])}"
        rows += _against(part, name, f"`{part['best']}`", ("vote", "best"), "difference_")
    header = ["not of the study", "held against", "subset", "%", "the other, %", DIFFERENCE, "p"]
    return _table("Beyond the study.", header, rows, left=3)


def conflicts(results: Results) -> Table | None:
    rows: list[list[str | Cell]] = [
        [
            f"`{part['model']}`",
            f"{part.count('left_out')} of {part.count('images'):,}",
            *_percents(part, "score_of_these", "score", "score_without"),
            shown(part.number("cost"), signed_points, NO_IMAGES),
        ]
        for part in _parts(results, "conflicts")
    ]
    header = ["model", "contradicted", "`dice_per_image` of these, %", "of all, %", "without them, %"]
    return _table(
        "Masks that contradict their copy's.", [*header, "without them less all, points"], rows, left=1
    )


def flips(results: Results) -> Table | None:
    rows = [
        row
        for part in _parts(results, "flips")
        for row in _against(part, f"`{part['model']}`", f"`{part['measure']}`", ("flips", "plain"), "")
    ]
    header = ["model", "metric", "subset", "with flips, %", "without, %", DIFFERENCE, "p"]
    return _table("Flips at test time, not of the study.", header, rows, left=3)


def _against(
    part: Record, name: str, other: str, scores: tuple[str, str], ends: str
) -> list[list[str | Cell]]:
    return [
        [name, other, subset, *_percents(row, *scores), *_difference(row, "difference", ends)]
        for subset, row in part.record("subsets").records().items()
    ]


def out_of_fold(results: Results) -> Table | None:
    """A row for all slices, each class and each plane."""
    models = results.out_of_fold.record("models").records()
    rows: list[list[str | Cell]] = []
    for model, found in models.items():
        strata = {"all": (found, "n_pairs", "dice_per_image_")}
        for by in ("by_class", "by_plane"):
            strata |= {name: (row, "n", "") for name, row in found.record(by).records().items()}
        for name, (row, images, of) in strata.items():
            value, low, high = (row.optional(key) for key in ("dice_per_image", f"{of}low", f"{of}high"))
            dice = with_interval(value, low, high, percent, NO_IMAGES)
            rows.append([f"`{model}`", name, f"{row.count(images):,}", dice, f"{len(found['folds'])}"])
    header = ["model", "slices", "n", "`dice_per_image`, %", "folds"]
    return _table("Out of fold.", header, rows, left=2)


def _table(
    caption: str, header: Sequence[str], rows: Sequence[Sequence[str | Cell]], *, left: int
) -> Table | None:
    return Table(caption, header, rows, left=left) if rows else None

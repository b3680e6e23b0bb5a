"""What the data hold: copies of test images in train, pairs that disagree, and what the files are."""

from dataclasses import dataclass

from brisc.analysis.results import Record, Results


@dataclass(frozen=True)
class Copies:
    """Test images whose slice is also in train; share: None without test images."""

    images: int
    copied: int
    share: float | None


@dataclass(frozen=True)
class Files:
    """What validate found. turned: images with an EXIF tag that turns them, by class. masks: the smallest and
    largest value below and above the threshold, none where there is no mask."""

    sizes: int
    common_sizes: tuple[tuple[str, int], ...]
    modes: tuple[tuple[str, int], ...]
    turned: tuple[tuple[str, int], ...]
    masks: tuple[tuple[int, int], ...]
    problems: int


@dataclass(frozen=True)
class Fall:
    """From official to clean, with its interval; mixed: with the classes of clean mixed as in official, None
    where these are too few."""

    change: float
    low: float | None
    high: float | None
    mixed: float | None


@dataclass(frozen=True)
class Worth:
    """What having seen the copies gives `model` on official, with its interval; seeds: how many trainings it
    is over. copied: on the images whose slice is in train; elsewhere: on clean, where no copy can help;
    excess: the first less the second. unseen, others: trained without the copies, and without as many others.
    """

    model: str
    measure: str
    seeds: int
    worth: float
    low: float | None
    high: float | None
    copied: float
    elsewhere: float
    excess: float
    excess_low: float | None
    excess_high: float | None
    unseen: Fall
    others: Fall


def copies(results: Results) -> Copies:
    copied = results.audit.record("test_with_copy_in_train").count("total")
    images = results.audit.record("subsets").record("official").count("total")
    return Copies(images, copied, copied / images if images > 0 else None)


def worths(beyond: Record) -> tuple[Worth, ...]:
    """Of the models that were trained without the copies and without as many others, where both copied and
    clean images are there to be measured on."""
    parts = beyond.listed("copies")
    return tuple(_worth(part) for part in parts if part["seeds"] and part.number("excess") is not None)


def _worth(part: Record) -> Worth:
    subsets, falls = part.record("subsets"), part.record("falls")
    official = subsets.record("official")
    return Worth(
        model=part["model"],
        measure=part["measure"],
        seeds=len(part["seeds"]),
        worth=official["worth"],
        low=official.number("worth_low"),
        high=official.number("worth_high"),
        copied=subsets.record("copied")["worth"],
        elsewhere=subsets.record("clean")["worth"],
        excess=part["excess"],
        excess_low=part.number("excess_low"),
        excess_high=part.number("excess_high"),
        unseen=_fall(falls.record("without_copies")),
        others=_fall(falls.record("without_others")),
    )


def _fall(fall: Record) -> Fall:
    return Fall(fall["change"], fall.number("change_low"), fall.number("change_high"), fall.number("mixed"))


def conflicts(results: Results) -> tuple[tuple[str, int], ...]:
    """How many pairs of copies disagree, by what in."""
    found = results.audit.record("conflicts").records()
    return tuple((kind, record.count("pairs")) for kind, record in found.items())


def files(results: Results) -> Files:
    checks = results.validation
    turned = {
        label: sum(tags.count(tag) for tag in tags.keys if tag != "1")
        for label, tags in checks.record("orientations").records().items()
    }
    ends = [checks.record("mask_values").record(end) for end in ("low", "high")]
    known = all(end.number(key) is not None for end in ends for key in ("min", "max"))
    return Files(
        sizes=checks.record("sizes").count("distinct"),
        common_sizes=_counts(checks.record("sizes").record("most_common")),
        modes=_counts(checks.record("modes")),
        turned=tuple((label, n) for label, n in turned.items() if n > 0),
        masks=tuple((end.count("min"), end.count("max")) for end in ends) if known else (),
        problems=len(checks["problems"]),
    )


def _counts(record: Record) -> tuple[tuple[str, int], ...]:
    return tuple((key, record.count(key)) for key in record.keys)

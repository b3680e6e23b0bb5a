"""Scores of any method's predictions of the test images of BRISC 2025, by the lists of benchmark/brisc2025
and with the intervals of this study, so that results of different people compare: brisc score.

Masks are scored at their images' own sizes, like `dice_native`: no method is asked for a size.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from brisc.atomic import write_text
from brisc.data.index import LABEL_OF
from brisc.data.lists import LISTS, read_list
from brisc.data.manifest import FILE_LIMIT, MANIFEST, normalised, read_manifest
from brisc.data.picture import MASK_LEVEL, from_square, read_grey
from brisc.data.source import Folder, Zip, open_source
from brisc.errors import InputError
from brisc.evaluation.classification import codes, confusion_matrix, f1, macro
from brisc.evaluation.segmentation import dice
from brisc.evaluation.statistics import Interval, bootstrap_mean, bootstrap_statistic, wilson
from brisc.progress import Track
from brisc.report.cells import NO_INTERVAL, Cell, Table, percent, with_interval
from brisc.vocabulary import HEALTHY, LABELS, TEST_SUBSETS

RESAMPLES, SEED = 10_000, 42  # those of the study's reports
ENDING = "_mask"  # of what brisc predict writes
FORMATS = (".png", ".bmp", ".tif", ".tiff", ".jpg", ".jpeg")
TRUTH = "segmentation_task/test/masks/"
MODES = ("1", "L", "P", "RGB")  # of Pillow: others lose what they hold when they are made grey
DARK, BRIGHT = 10, 245  # JPEG rings that far around 0 and 255
MOST_BETWEEN = 0.05  # of the pixels; an MR image has far more
SHOWN = 3  # names in a message
PUBLISHED = "4eaa0c3b88ce1fd246d90382c1dcd1010cc126fff1bd3a4a415159661ca8b605"  # SHA-256 of the manifest
METRICS = ("dice_native", "iou_native", "accuracy", "f1_macro")

Scores = dict[str, dict[str, Any]]


def read_images(repository: Path) -> pd.DataFrame:
    """A row for each test image, sorted by id: id, group, label; official, clean and strict, each 0 or 1."""
    lists = repository / LISTS
    table = read_list("groups", lists)
    table = table[table["id"].str.contains("_test_")].sort_values("id", ignore_index=True)
    table["label"] = [LABEL_OF[name.split("_")[3]] for name in table["id"]]
    table["official"] = 1
    for subset in TEST_SUBSETS[1:]:
        table[subset] = table["id"].isin(read_list(subset, lists)["id"]).astype(int)
    return table


def judge_masks(folder: Path, data: Path, images: pd.DataFrame, *, track: Track) -> pd.DataFrame:
    """`images` with `resized`, `predicted_pixels`, `dice` and `iou` of the masks below `folder`: <id>.png or
    <id>_mask.png, or in another of FORMATS.

    data: the data set, a folder or a zip in the publisher's layout. Tumour is what is above 127, or above 0
    where all masks are of 0 and 1. A mask of another size than its image's is stretched to it, by bilinear
    interpolation, and cut at a half; `resized` is 1 for it. Without any mask of a healthy image their rows
    are left out. Raises InputError for images without a mask, for two of one image, for what is no mask, and
    for one of another shape that is not square.
    """
    masks = _found(folder, images)
    judged = images[images["id"].isin(masks)].reset_index(drop=True)
    level = 0 if all(_read(masks[name]).max(initial=0) <= 1 for name in judged["id"]) else MASK_LEVEL
    counts, resized = np.zeros((3, len(judged)), np.int64), np.zeros(len(judged), np.int64)
    with open_source(data) as source:
        truth_of = _truths(source)
        for k, (name, label) in enumerate(
            track(list(zip(judged["id"], judged["label"], strict=True)), "masks")
        ):
            found = _cut(masks[name], level)
            truth = np.zeros_like(found) if label == HEALTHY else read_grey(truth_of(name)) > MASK_LEVEL
            if found.shape != truth.shape:
                _check_shape(masks[name], found.shape, truth.shape)
                resized[k] = 1
                found = from_square(found.astype(np.float64), shape=truth.shape, fit="squeeze") > 0.5
            counts[:, k] = (found & truth).sum(), found.sum(), truth.sum()
    found_dice = dice(*counts)
    ious = found_dice / (2 - found_dice)
    return judged.assign(resized=resized, predicted_pixels=counts[1], dice=found_dice, iou=ious)


def judge_labels(path: Path, images: pd.DataFrame) -> pd.DataFrame:
    """`images` with `predicted`, from a CSV with a row for each: `id`, or `file` whose name is the id, and
    `predicted`, a class. Raises InputError where one is missing, comes twice or has another class."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False, skipinitialspace=True)
    except OSError as error:
        raise _bad("not readable", path, error.strerror, "a folder of masks or a CSV") from None
    except ValueError as error:
        raise _bad(
            "no table", path, " ".join(str(error).split()), "a CSV in UTF-8 with id and predicted"
        ) from None
    if "id" not in table and "file" in table:
        table["id"] = table["file"]
    if missing := [column for column in ("id", "predicted") if column not in table]:
        got = f"{', '.join(map(str, table.columns[:SHOWN]))}, no {' and no '.join(missing)}"
        raise _bad("missing columns", path, got, "id (or file) and predicted, separated by commas")
    table["id"] = [PurePosixPath(name.strip().replace("\\", "/")).stem for name in table["id"]]
    table["predicted"] = table["predicted"].str.strip()
    table = table[table["id"].isin(images["id"])]
    _check_whole(path, table["id"], images["id"], "rows", mend="Each test image needs one; id is its name.")
    if unknown := sorted(set(table["predicted"]) - set(LABELS)):
        shown = ", ".join(name or "an empty cell" for name in unknown[:SHOWN])
        raise _bad("unknown class", path, shown, f"one of {', '.join(LABELS)}")
    return images.merge(table[["id", "predicted"]], on="id")


def score_masks(judged: pd.DataFrame) -> Scores:
    """By subset: `dice_native` and `iou_native`, means over tumour images, with their 95 % intervals, and in
    how many healthy images a pixel is called tumour."""
    scores: Scores = {}
    for subset in TEST_SUBSETS:
        rows = judged[judged[subset] == 1]
        pairs, healthy = rows[rows["label"] != HEALTHY], rows[rows["label"] == HEALTHY]
        drawn = {"groups": pairs["group"], "resamples": RESAMPLES, "seed": SEED}
        scores[subset] = {"n_pairs": len(pairs)}
        for column in ("dice", "iou"):
            ends = bootstrap_mean(pairs[column], **drawn)
            scores[subset] |= _measured(f"{column}_native", pairs[column].mean(), ends)
        scores[subset]["by_class"] = {label: float(of["dice"].mean()) for label, of in pairs.groupby("label")}
        if len(healthy):
            seen = int((healthy["predicted_pixels"] > 0).sum())
            low, high = wilson(seen, len(healthy))
            scores[subset]["false_alarms"] = {"images": seen, "n": len(healthy), "low": low, "high": high}
    return scores


def score_labels(judged: pd.DataFrame) -> Scores:
    """By subset: `accuracy` and `f1_macro`, each with its 95 % interval."""
    scores: Scores = {}
    for subset in TEST_SUBSETS:
        rows = judged[judged[subset] == 1].reset_index(drop=True)
        true, predicted = codes(rows["label"]), codes(rows["predicted"])
        drawn = {"groups": rows["group"], "resamples": RESAMPLES, "seed": SEED}
        correct, statistic = true == predicted, _f1_macro(true, predicted)
        scores[subset] = {
            "n_images": len(rows),
            **_measured("accuracy", correct.mean(), bootstrap_mean(correct, **drawn)),
            **_measured("f1_macro", statistic(np.arange(len(rows))), bootstrap_statistic(statistic, **drawn)),
        }
    return scores


def table(scores: Scores) -> str:
    """Markdown, percent."""
    metrics = [key for key in METRICS if key in scores[TEST_SUBSETS[0]]]
    rows: list[list[str | Cell]] = [
        ["images", *(f"{of.get('n_pairs', of.get('n_images'))}" for of in scores.values())]
    ]
    for key in metrics:
        ends = [(of[key], of[f"{key}_low"], of[f"{key}_high"]) for of in scores.values()]
        rows.append([f"`{key}`", *(with_interval(*each, percent, NO_INTERVAL) for each in ends)])
    seen = [of["false_alarms"] for of in scores.values() if "false_alarms" in of]
    if len(seen) == len(scores):
        rows.append(["false positives", *(f"{each['images']} of {each['n']}" for each in seen)])
    return Table("", ["%, 95 % interval", *scores], rows).markdown()


def write_scores(out: Path, scores: Mapping[str, Any], judged: pd.DataFrame) -> None:
    """scores.json and per_image.csv, for paired tests, in the folder `out`."""
    write_text(out / "per_image.csv", judged.to_csv(index=False, lineterminator="\n", float_format="%.6g"))
    write_text(out / "scores.json", json.dumps(scores, indent=2) + "\n")


def _measured(name: str, value: float, interval: Interval) -> dict[str, float | None]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), (float(value), *interval), strict=True))


def _f1_macro(true: NDArray[np.intp], predicted: NDArray[np.intp]) -> Callable[[NDArray[np.intp]], float]:
    def statistic(rows: NDArray[np.intp]) -> float:
        confusion = confusion_matrix(true[rows], predicted[rows])
        value = macro(f1(confusion), confusion)
        assert value is not None  # there are images
        return value

    return statistic


def _found(folder: Path, images: pd.DataFrame) -> dict[str, Path]:
    """By id, the mask of each test image that has one; that of a healthy one may be missing."""
    known = set(images["id"])
    files = [
        (name, path)
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in FORMATS and (name := path.stem.removesuffix(ENDING)) in known
    ]
    names = pd.Series([name for name, _ in files], dtype=str)
    healthy = images["label"] == HEALTHY
    needed = images["id"] if names.isin(images["id"][healthy]).any() else images["id"][~healthy]
    mend = "Where nothing was found an empty mask is needed; healthy images all have one, or none."
    _check_whole(folder, names, needed, "masks", mend=mend)
    return dict(files)


def _check_whole(
    where: Path, got: "pd.Series[str]", needed: "pd.Series[str]", what: str, *, mend: str
) -> None:
    if twice := sorted(set(got[got.duplicated()])):
        raise _bad(f"two {what} of one image", where, ", ".join(twice[:SHOWN]), "one of each image")
    missing = sorted(set(needed) - set(got))
    if missing:
        shown = ", ".join(missing[:SHOWN]) + (", ..." if len(missing) > SHOWN else "")
        raise InputError(
            f"{what} missing",
            where=where,
            got=f"{len(missing)} of {len(needed)} test images have none ({shown})",
            expected="one of each, named by its id",
            mend=mend,
        )


def _read(path: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            mode = image.mode
        grey = read_grey(path.read_bytes())
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _bad("no mask", path, " ".join(str(error).split()), "an image") from None
    if mode not in MODES:
        raise _bad("no mask", path, f"an image of mode {mode}", "8 bit without transparency, 0 and 255")
    return grey


def _cut(path: Path, level: int) -> NDArray[np.bool_]:
    grey = _read(path)
    if level and 0 < grey.max(initial=0) <= level:
        raise _bad("no mask", path, f"values up to {grey.max()}", "0 and 255, or in all masks 0 and 1")
    between = float(((grey > DARK) & (grey < BRIGHT)).mean())
    if between > MOST_BETWEEN:
        raise _bad("no mask", path, f"{between:.0%} of the pixels neither dark nor bright", "0 and 255")
    return grey > level


def _check_shape(path: Path, found: tuple[int, ...], truth: tuple[int, ...]) -> None:
    """A square may be a squeezed image; another shape than the image's is a crop or turned."""
    scaled = found[1] * truth[0] / truth[1]
    if found[0] != found[1] and abs(found[0] - scaled) > 1:
        sizes = [f"{width} x {height}" for height, width in (found, truth)]
        raise _bad(
            "a mask of another shape", path, f"{sizes[0]} px", f"{sizes[1]} px, a multiple or a square"
        )


def _truths(source: Folder | Zip) -> Callable[[str], bytes]:
    """Gives the file with the publisher's mask of an image, if it is the one of the manifest."""
    root = min(source.manifests(), key=lambda name: name.count("/"), default=MANIFEST).removesuffix(MANIFEST)
    where, content = source.where(root + MANIFEST), normalised(source.read(root + MANIFEST, FILE_LIMIT))
    if (got := hashlib.sha256(content).hexdigest()) != PUBLISHED:
        raise _bad("another version of the data set", where, f"SHA-256 {got}", PUBLISHED)
    entries = read_manifest(content, where)

    def truth(name: str) -> bytes:
        path = f"{TRUTH}{name}.png"
        if path not in entries:
            raise _bad("no mask of the publisher's", source.path, f"no {path}", "BRISC 2025")
        content = source.read(root + path, entries[path].size)
        if (got := hashlib.sha256(content).hexdigest()) != entries[path].sha256:
            raise _bad("a file differs", source.where(root + path), got, entries[path].sha256)
        return content

    return truth


def _bad(what: str, where: object, got: object, expected: str) -> InputError:
    return InputError(
        what, where=where, got=got, expected=expected, mend="See benchmark/brisc2025/README.md."
    )

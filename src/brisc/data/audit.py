"""What the search for copies means: the split, the groups, the subsets of test, and what can be had without
learning.

brisc.data.similarity finds the pairs; here they are counted and measured on: agreement of two masks of one
slice, the leak of a random validation split, baselines that copy their nearest neighbour, and classifiers
that see no anatomy.
"""

import io
import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pandas as pd
from PIL import Image
from scipy.stats import chi2
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from brisc.config import Audit, AuditPlan
from brisc.data.picture import MASK_LEVEL, read_grey, to_square
from brisc.data.similarity import (
    COPIES,
    FRAME,
    Views,
    best_orientation,
    components,
    in_threads,
    read_views,
    register,
    relate,
    screen,
)
from brisc.data.split import assign_validation
from brisc.progress import Track
from brisc.vocabulary import HEALTHY, LABELS, PLANES, TUMOURS

BASELINE_SIZE = 128  # px, at which a mask that was copied is scored
CLOSE_NUMBERS = (
    8  # the publisher kept the order of its sources, so that slices of one head have file numbers this near
)
DARK = 10  # grey value up to which a margin is empty
CORNER = 8  # px of a frame
EDGES = np.round(np.linspace(0, 1, 51), 2)

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Findings:
    """copies: pairs of a test and a train image; groups: one row per image; report: audit.json."""

    copies: pd.DataFrame
    groups: pd.DataFrame
    report: Json


def run_audit(raw: Path, index: pd.DataFrame, *, plan: AuditPlan, track: Track) -> Findings:
    """Search the zip `raw` for copies and neighbours and measure on what is found. `index`: see
    brisc.data.index."""
    audit = plan.audit
    index = index.fillna({"mask": ""}).sort_values("id", ignore_index=True)
    views = read_views(raw, index, track=track)
    pairs = screen(views, index["split"].to_numpy(), audit=audit, track=track)
    pairs["aligned"] = register(views, pairs, track=track)
    pairs = best_orientation(pairs)
    related = relate(index, views, pairs, audit=audit)
    groups = group_images(index, related)
    masks = read_masks(raw, index, track=track)
    nearest = find_nearest(index, pairs)
    report = {
        "images": {split: int((index["split"] == split).sum()) for split in ("train", "test")},
        "exact": {
            "sha256": count_exact(index, index["image_sha256"]),
            "pixels": count_exact(index, pd.Series(views.pixels)),
        },
        **count_across(index, related, groups),
        "subsets": count_subsets(index, groups),
        "pairs": count_pairs(index, related),
        "groups": count_groups(groups),
        "conflicts": {
            "class": list_conflicts(index, related, "label"),
            "plane": list_conflicts(index, related, "plane"),
        },
        "split_leak": {
            split: measure_leak(index, related, groups, plan, split) for split in ("random", "grouped")
        },
        "mask_agreement": measure_agreement(index, related, masks, audit),
        "baselines": measure_baselines(index, nearest, masks, groups),
        "shortcut_probe": probe_shortcuts(raw, index, views, groups, seed=audit.probe_seed),
        "thresholds": {
            "copy": audit.copy_similarity,
            "neighbour": dict(vars(audit.neighbour_similarity)),
        },
        "similarity": count_similarity(index, pairs, nearest, audit),
        "errors": estimate_errors(index, related),
        "numbering": compare_numbers(index, related),
    }
    return Findings(copies=list_copies(index, related), groups=groups, report=report)


# ------------------------------------------------------------------------------------------------------
# tables and counts


def across(index: pd.DataFrame, related: pd.DataFrame) -> pd.DataFrame:
    """The pairs on both sides of the publisher's split, with the columns test and train (rows of `index`)."""
    test = (index["split"] == "test").to_numpy()
    a, b = related["a"].to_numpy(), related["b"].to_numpy()
    pairs = related.assign(test=np.where(test[a], a, b), train=np.where(test[a], b, a))
    return pairs[test[a] != test[b]]


def list_copies(index: pd.DataFrame, related: pd.DataFrame) -> pd.DataFrame:
    """copies.csv: test_id, train_id, relation, mirrored (0 or 1), and the similarities aligned, frame,
    head."""
    pairs, ids = across(index, related), index["id"].to_numpy()
    table = pairs.assign(
        test_id=ids[pairs["test"]], train_id=ids[pairs["train"]], mirrored=pairs["mirrored"].astype(int)
    )
    columns = ["test_id", "train_id", "relation", "mirrored", "aligned", "frame", "head"]
    return table[columns].sort_values(["test_id", "train_id"], ignore_index=True)


def group_images(index: pd.DataFrame, related: pd.DataFrame) -> pd.DataFrame:
    """groups.csv: id, split, group (smallest id that it is linked with), copy_across and neighbour_across (0
    or 1)."""
    pairs = across(index, related)
    copies = pairs[pairs["relation"] != "neighbour"]
    rows = np.arange(len(index))
    return pd.DataFrame(
        {
            "id": index["id"],
            "split": index["split"],
            "group": index["id"].to_numpy()[components(len(index), related)],
            "copy_across": np.isin(rows, copies[["test", "train"]]).astype(int),
            "neighbour_across": np.isin(rows, pairs[["test", "train"]]).astype(int),
        }
    )


def subsets(groups: pd.DataFrame) -> dict[str, np.ndarray]:
    """Which rows of `groups` are in each subset of test, (N,) bool: official (all), clean (no copy in train),
    strict (no neighbour either).
    """
    test = (groups["split"] == "test").to_numpy()
    copied, touched = (
        groups[column].to_numpy().astype(bool) for column in ("copy_across", "neighbour_across")
    )
    return {"official": test, "clean": test & ~copied, "strict": test & ~touched}


def count_labels(labels: Iterable[str]) -> dict[str, int]:
    counts = Counter(labels)
    return {"total": counts.total(), **{label: counts[label] for label in LABELS}}


def count_subsets(index: pd.DataFrame, groups: pd.DataFrame) -> Json:
    counted = {}
    for name, rows in subsets(groups).items():
        planes = Counter(index["plane"][rows])
        counted[name] = {**count_labels(index["label"][rows]), **{plane: planes[plane] for plane in PLANES}}
    return counted


def count_exact(index: pd.DataFrame, content: pd.Series) -> dict[str, int]:
    """Groups of images of one `content` (a hash): how many, how many files in them, and how many contradict
    themselves."""
    shared = index[content.duplicated(keep=False).to_numpy()]
    kinds = shared.groupby(content[shared.index])[["split", "label", "plane"]].nunique() > 1
    return {
        "groups": len(kinds),
        "files": len(shared),
        "cross_split_groups": int(kinds["split"].sum()),
        "class_conflicts": int(kinds["label"].sum()),
        "plane_conflicts": int(kinds["plane"].sum()),
    }


def count_across(index: pd.DataFrame, related: pd.DataFrame, groups: pd.DataFrame) -> Json:
    """Test images with a copy in train, by class and by their closest relation; and those with a neighbour
    but no copy."""
    pairs = across(index, related)
    copies = pairs[pairs["relation"] != "neighbour"]
    closest = copies["relation"].map(COPIES.index).groupby(copies["test"]).min()
    rows = subsets(groups)
    return {
        "test_with_copy_in_train": count_labels(index["label"].iloc[closest.index]),
        "test_with_copy_in_train_by_relation": {
            name: int((closest == rank).sum()) for rank, name in enumerate(COPIES)
        },
        "test_with_neighbour_only": count_labels(index["label"][rows["clean"] & ~rows["strict"]]),
    }


def count_pairs(index: pd.DataFrame, related: pd.DataFrame) -> Json:
    """Related pairs by relation: in all, and across the publisher's split."""
    all_pairs, crossing = Counter(related["relation"]), Counter(across(index, related)["relation"])
    return {
        relation: {"all": all_pairs[relation], "cross_split": crossing[relation]}
        for relation in (*COPIES, "neighbour")
    }


def count_groups(groups: pd.DataFrame) -> Json:
    sizes = groups["group"].value_counts()
    return {"total": len(sizes), "of_one_image": int((sizes == 1).sum()), "largest": sizes.head(10).tolist()}


def list_conflicts(index: pd.DataFrame, related: pd.DataFrame, column: Literal["label", "plane"]) -> Json:
    """Copies that the publisher put into different classes or planes."""
    values, ids = index[column].to_numpy(), index["id"].to_numpy()
    copies = related[related["relation"] != "neighbour"]
    found = copies[values[copies["a"]] != values[copies["b"]]]
    pairs = [
        {"ids": [ids[row.a], ids[row.b]], "relation": row.relation, "similarity": row.aligned}
        for row in found.itertuples()
    ]
    return {"pairs": len(pairs), "images": len(np.unique(found[["a", "b"]])), "list": pairs}


# -----------------------------------------------------------------------------------------------------------
# how sure it is


def count_similarity(index: pd.DataFrame, pairs: pd.DataFrame, nearest: pd.DataFrame, audit: Audit) -> Json:
    """Histograms over test images: similarity to the nearest train image, and to the nearest of another
    class."""
    labels = index["label"].to_numpy()
    crossing = across(index, pairs)
    strangers = crossing[labels[crossing["a"]] != labels[crossing["b"]]]
    series = {
        "nearest_in_train": nearest["aligned"],
        "nearest_of_another_class": strangers.groupby("test")["aligned"].max(),
    }
    counts = {name: np.histogram(values.clip(0, 1), EDGES)[0].tolist() for name, values in series.items()}
    return {"edges": EDGES.tolist(), **counts, "threshold": audit.copy_similarity}


def estimate_errors(index: pd.DataFrame, related: pd.DataFrame) -> Json:
    """How many of the pairs found are false, from those found between classes, where no pair should be.

    A false pair within a class is taken to be as likely as one between classes. Copies that conflict in class
    count as false here although they may be the publisher's error; neighbours of such images do not count.
    upper: 95 % limit of the Poisson mean.
    """
    labels, planes = index["label"].to_numpy(), index["plane"].to_numpy()
    a, b = related["a"].to_numpy(), related["b"].to_numpy()
    copy = (related["relation"] != "neighbour").to_numpy()
    crossing = labels[a] != labels[b]
    disputed = np.unique(related[copy & crossing][["a", "b"]])
    explained = np.isin(a, disputed) | np.isin(b, disputed)
    estimates = {"copies": _estimate(index, copy & ~crossing, copy & crossing, PLANES)}
    for plane in PLANES:
        here = ~copy & ((planes[a] == plane) | (planes[b] == plane))
        estimates[f"neighbours_{plane}"] = _estimate(
            index, here & ~crossing, here & crossing & ~explained, (plane,)
        )
    return estimates


def _estimate(index: pd.DataFrame, within: np.ndarray, between: np.ndarray, planes: tuple[str, ...]) -> Json:
    sizes = [Counter(index["label"][index["plane"] == plane]) for plane in planes]
    pairs_within = sum(n * (n - 1) // 2 for counts in sizes for n in counts.values())
    pairs_between = sum(counts.total() * (counts.total() - 1) // 2 for counts in sizes) - pairs_within
    found, false = int(within.sum()), int(between.sum())
    ratio = pairs_within / pairs_between if pairs_between > 0 else 0.0
    upper = float(chi2.ppf(0.95, 2 * (false + 1))) / 2
    return {
        "found_within_a_class": found,
        "found_between_classes": false,
        "compared_within_a_class": pairs_within,
        "compared_between_classes": pairs_between,
        "error_rate": _share(false * ratio, found),
        "error_rate_upper": _share(upper * ratio, found),
    }


def compare_numbers(index: pd.DataFrame, related: pd.DataFrame) -> Json:
    """A check that owes nothing to pixels: how many neighbours within train, class and plane have close file
    numbers.

    chance: the share of close numbers among all pairs of train, class and plane. Mirrored pairs are left out,
    since mirror images are numbered elsewhere.
    """
    numbers = index["id"].str.extract(r"_(\d{5})_", expand=False).astype(int).to_numpy()
    kinds = (index["split"] + " " + index["label"] + " " + index["plane"]).to_numpy()
    a, b = related["a"].to_numpy(), related["b"].to_numpy()
    plain = (related["relation"] == "neighbour") & ~related["mirrored"] & (kinds[a] == kinds[b])
    train = (index["split"] == "train").to_numpy()
    checked = {}
    for plane in PLANES:
        here = (index["plane"] == plane).to_numpy() & train
        pairs = related[plain.to_numpy() & here[a]]
        close = np.abs(numbers[pairs["a"]] - numbers[pairs["b"]]) <= CLOSE_NUMBERS
        distances = [
            np.abs(np.subtract.outer(n, n))[np.triu_indices(len(n), 1)]
            for n in _by_kind(numbers[here], kinds[here])
        ]
        chance = np.concatenate([np.empty(0), *distances]) <= CLOSE_NUMBERS
        checked[plane] = {
            "neighbours": len(pairs),
            "close_numbers": _share(int(close.sum()), len(close)),
            "chance": _share(int(chance.sum()), len(chance)),
        }
    return checked


def _by_kind(numbers: np.ndarray, kinds: np.ndarray) -> list[np.ndarray]:
    return [numbers[kinds == kind] for kind in np.unique(kinds)]


# ----------------------------------------------------------------------------------------------------------
# measured on it


def measure_leak(
    index: pd.DataFrame,
    related: pd.DataFrame,
    groups: pd.DataFrame,
    plan: AuditPlan,
    split: Literal["random", "grouped"],
) -> Json:
    """Validation images of a split of train that have a copy, or a copy or neighbour, in the training
    part."""
    train = index[index["split"] == "train"]
    table = train[["id", "label", "plane"]].assign(group=groups["group"][train.index])
    part = assign_validation(table, split=split, validation_fraction=plan.validation_fraction, seed=plan.seed)
    parts = part.reindex(index.index, fill_value="test").to_numpy()
    leaks = {}
    for name, pairs in (
        ("copy", related[related["relation"] != "neighbour"]),
        ("copy_or_neighbour", related),
    ):
        a, b = pairs["a"].to_numpy(), pairs["b"].to_numpy()
        crossing = np.concatenate(
            [one[(parts[one] == "validation") & (parts[other] == "train")] for one, other in ((a, b), (b, a))]
        )
        leaks[name] = len(np.unique(crossing))
    count = int((parts == "validation").sum())
    shares = {f"{name}_share": _share(leak, count) for name, leak in leaks.items()}
    return {"validation": count, **leaks, **shares}


def read_masks(raw: Path, index: pd.DataFrame, *, track: Track) -> dict[int, np.ndarray]:
    """The masks of `index` by row, (FRAME, FRAME) uint8, still grey."""
    rows = index.index[index["mask"] != ""].tolist()
    with zipfile.ZipFile(raw) as archive:
        # Reading a zip is not thread-safe, decoding is.
        data = (archive.read(member) for member in index["mask"][rows])
        masks = in_threads(lambda content: to_square(read_grey(content), size=FRAME, fit="squeeze"), data)
        return {row: next(masks) for row in track(rows, "masks")}


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """2|A.B| / (|A| + |B|) of two masks (H, W) bool; 1 if both are empty."""
    size = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / size if size > 0 else 1.0


def measure_agreement(
    index: pd.DataFrame, related: pd.DataFrame, masks: dict[int, np.ndarray], audit: Audit
) -> Json:
    """Dice between the two masks of one slice by class of the first; mirrored ones are flipped back.

    Only copies that fill their frame alike are used: another crop or tilt would measure the registration.
    byte_identical counts pairs that share one mask file; they say nothing about agreement and are left out.
    """
    copies = related[(related["relation"] != "neighbour") & (related["frame"] >= audit.copy_similarity)]
    copies = copies[copies["a"].isin(masks.keys()) & copies["b"].isin(masks.keys())]
    files = index["mask_sha256"].to_numpy()
    shared = files[copies["a"]] == files[copies["b"]]
    labels = index["label"].to_numpy()[copies["a"]]
    scores = np.array(
        [
            dice(masks[row.a] > MASK_LEVEL, _flipped(masks[row.b], row.mirrored) > MASK_LEVEL)
            for row in copies.itertuples()
        ]
    )
    return {
        label: {**_spread(scores[mine & ~shared]), "byte_identical": int((mine & shared).sum())}
        for label in TUMOURS
        for mine in [labels == label]
    }


def _spread(scores: np.ndarray) -> Json:
    if len(scores) == 0:
        return {
            "pairs": 0,
            "mean": None,
            "quartile_1": None,
            "median": None,
            "quartile_3": None,
            "below_half": 0,
        }
    quartiles = np.percentile(scores, [25, 50, 75])
    names = ("mean", "quartile_1", "median", "quartile_3")
    values = {
        name: round(float(value), 4) for name, value in zip(names, (scores.mean(), *quartiles), strict=True)
    }
    return {"pairs": len(scores), **values, "below_half": int((scores < 0.5).sum())}


def find_nearest(index: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """The most similar train image of each test image, columns train, mirrored, aligned; the index is the
    test row."""
    ordered = across(index, pairs).sort_values(["test", "aligned", "train"], ascending=[True, False, True])
    return ordered.drop_duplicates("test").set_index("test")[["train", "mirrored", "aligned"]]


def measure_baselines(
    index: pd.DataFrame, nearest: pd.DataFrame, masks: dict[int, np.ndarray], groups: pd.DataFrame
) -> Json:
    """What is had without learning: the mask (mean per-image Dice) and the class (accuracy) of the nearest
    train image."""
    labels = index["label"].to_numpy()
    right = pd.Series(labels[nearest["train"]] == labels[nearest.index], index=nearest.index)
    tumours = nearest[nearest.index.isin(masks.keys())]
    scores = pd.Series(
        [
            _score_copy(masks[test], masks.get(train), mirrored)
            for test, train, mirrored, _ in tumours.itertuples()
        ],
        index=tumours.index,
        dtype=float,
    )
    measured: Json = {"nearest_mask": {}, "nearest_class": {}}
    for name, rows in subsets(groups).items():
        dices, hits = scores[rows[scores.index]], right[rows[right.index]]
        measured["nearest_mask"][name] = {
            "images": len(dices),
            "dice": _share(float(dices.sum()), len(dices)),
        }
        measured["nearest_class"][name] = {
            "images": len(hits),
            "accuracy": _share(int(hits.sum()), len(hits)),
        }
    return measured


def _score_copy(truth: np.ndarray, copied: np.ndarray | None, mirrored: bool) -> float:
    guess = np.zeros_like(truth) if copied is None else _flipped(copied, mirrored)
    small = [
        cv2.resize(mask, (BASELINE_SIZE, BASELINE_SIZE), interpolation=cv2.INTER_AREA) > MASK_LEVEL
        for mask in (truth, guess)
    ]
    return dice(*small)


def _flipped(mask: np.ndarray, mirrored: bool) -> np.ndarray:
    return np.ascontiguousarray(mask[:, ::-1]) if mirrored else mask


def _share(part: float, whole: int) -> float | None:
    return round(part / whole, 4) if whole > 0 else None


# --------------------------------------------------------------------------------------------------
# shortcuts


def probe_shortcuts(raw: Path, index: pd.DataFrame, views: Views, groups: pd.DataFrame, *, seed: int) -> Json:
    """A small classifier trained on train for each kind of feature that holds no anatomy, scored on official
    and clean.

    accuracy: over the classes; auc: area under the ROC curve of tumour against none, null where test has one
    of them only.
    """
    labels = index["label"].to_numpy().astype(str)
    train = (index["split"] == "train").to_numpy()
    majority = Counter(labels[train]).most_common(1)[0][0]
    scored = {
        "majority_class": {
            name: _score(labels[rows], np.repeat(majority, rows.sum()), None)
            for name, rows in _scored(groups)
        }
    }
    features = {
        "file_metadata": read_metadata(raw, index),
        "margins": measure_margins(views),
        "intensities": measure_intensities(views),
    }
    for kind, values in features.items():
        model = RandomForestClassifier(n_estimators=200, min_samples_leaf=2, random_state=seed)
        model.fit(values[train], labels[train])
        healthy = list(model.classes_).index(HEALTHY)
        scored[kind] = {
            name: _score(
                labels[rows], model.predict(values[rows]), 1 - model.predict_proba(values[rows])[:, healthy]
            )
            for name, rows in _scored(groups)
        }
    return scored


def _scored(groups: pd.DataFrame) -> list[tuple[str, np.ndarray]]:
    return [(name, rows) for name, rows in subsets(groups).items() if name != "strict" and rows.any()]


def _score(truth: np.ndarray, guess: np.ndarray, tumour: np.ndarray | None) -> Json:
    ill = truth != HEALTHY
    defined = tumour is not None and 0 < ill.sum() < len(ill)
    auc = round(float(roc_auc_score(ill, tumour)), 4) if defined else None
    return {"images": len(truth), "accuracy": round(float((truth == guess).mean()), 4), "auc": auc}


def read_metadata(raw: Path, index: pd.DataFrame) -> np.ndarray:
    """(N, 11) what the file says before a pixel is decoded."""
    rows = []
    with zipfile.ZipFile(raw) as archive:
        for row in index.itertuples():
            with Image.open(io.BytesIO(archive.read(row.image))) as image:
                tables = getattr(image, "quantization", {})
                rows.append(
                    [
                        row.image_bytes,
                        row.image_bytes / (row.width * row.height),
                        row.width,
                        row.height,
                        row.mode == "L",
                        row.orientation,
                        len(image.getexif()),
                        len(image.info),
                        len(tables),
                        *(sum(tables.get(table, ())) for table in (0, 1)),
                    ]
                )
    return np.array(rows, float)


def measure_margins(views: Views) -> np.ndarray:
    """(N, 13) the head's box and its aspect, the dark rows and columns along each border, the corners' mean
    grey values."""
    left, top, width, height = views.boxes.T.astype(float)
    frames = views.frames
    lit_columns, lit_rows = frames.max(axis=1) > DARK, frames.max(axis=2) > DARK
    dark = [lit.argmax(axis=1) for lit in (lit_columns, lit_columns[:, ::-1], lit_rows, lit_rows[:, ::-1])]
    near, far = slice(None, CORNER), slice(-CORNER, None)
    corners = [frames[:, rows, columns].mean(axis=(1, 2)) for rows in (near, far) for columns in (near, far)]
    return np.stack(
        [left, top, FRAME - left - width, FRAME - top - height, width / height, *dark, *corners], axis=1
    )


def measure_intensities(views: Views) -> np.ndarray:
    """(N, 20) mean, standard deviation, share of dark pixels, and a histogram of 16 bins and its entropy,
    position lost."""
    rows = []
    for frame in views.frames:
        share = np.bincount(frame.ravel() // 16, minlength=16) / frame.size
        entropy = -(share[share > 0] * np.log(share[share > 0])).sum()
        rows.append([frame.mean(), frame.std(), (frame <= DARK).mean(), entropy, *share])
    return np.array(rows, float)

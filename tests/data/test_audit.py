"""What is counted and measured on the pairs that were found, by hand on a few rows and once on phantoms."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from brisc.config import AuditPlan
from brisc.data import audit
from brisc.data.similarity import FRAME, Views
from brisc.progress import silent
from phantoms import AUDIT, PhantomArchive

PLAN = AuditPlan(audit=replace(AUDIT, tilts_degrees=[]), validation_fraction=0.2, seed=3)
LABELS = {"gl": "glioma", "me": "meningioma", "no": "no_tumor", "pi": "pituitary"}
PLANES = {"ax": "axial", "co": "coronal", "sa": "sagittal"}


def index_of(*names: str) -> pd.DataFrame:
    """Rows by short name, "train_00001_gl_ax"."""
    parts = [name.split("_") for name in names]
    return pd.DataFrame(
        {
            "id": [f"brisc2025_{name}_t1" for name in names],
            "split": [part[0] for part in parts],
            "label": [LABELS[part[2]] for part in parts],
            "plane": [PLANES[part[3]] for part in parts],
            "mask_sha256": [f"mask of {name}" for name in names],
        }
    )


def related_of(*rows: tuple[int, int, str]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["a", "b", "relation"])
    return table.assign(mirrored=table["relation"] == "mirrored", aligned=0.99, frame=0.98, head=0.97)


# Rows 0-3 are test, 4-9 train. 0 is mirrored in train, 1 re-encoded and a neighbour, 2 has a neighbour only,
# 3 has nothing.
INDEX = index_of(
    "test_00001_gl_ax",
    "test_00002_me_ax",
    "test_00003_pi_co",
    "test_00004_no_sa",
    "train_00001_gl_ax",
    "train_00002_me_ax",
    "train_00003_me_ax",
    "train_00004_pi_co",
    "train_00005_no_sa",
    "train_00006_gl_ax",
)
RELATED = related_of(
    (0, 4, "mirrored"),
    (0, 9, "same_pixels"),
    (1, 5, "reencoded"),
    (1, 6, "neighbour"),
    (2, 7, "neighbour"),
    (4, 9, "mirrored"),
)
GROUPS = audit.group_images(INDEX, RELATED)


def test_groups_and_sides() -> None:
    ids = INDEX["id"].to_numpy()
    assert GROUPS["group"].tolist() == ids[[0, 1, 2, 3, 0, 1, 1, 2, 8, 0]].tolist()
    assert GROUPS["copy_across"].tolist() == [1, 1, 0, 0, 1, 1, 0, 0, 0, 1]
    assert GROUPS["neighbour_across"].tolist() == [1, 1, 1, 0, 1, 1, 1, 1, 0, 1]


def test_subsets_leave_out_what_train_holds() -> None:
    counted = audit.count_subsets(INDEX, GROUPS)
    assert {name: counts["total"] for name, counts in counted.items()} == {
        "official": 4,
        "clean": 2,
        "strict": 1,
    }
    assert counted["clean"] == {
        "total": 2,
        "glioma": 0,
        "meningioma": 0,
        "no_tumor": 1,
        "pituitary": 1,
        "axial": 0,
        "coronal": 1,
        "sagittal": 1,
    }


def test_test_images_count_once_with_their_closest_copy() -> None:
    counts = audit.count_across(INDEX, RELATED, GROUPS)
    assert counts["test_with_copy_in_train"] == {
        "total": 2,
        "glioma": 1,
        "meningioma": 1,
        "no_tumor": 0,
        "pituitary": 0,
    }
    by_relation = {"same_bytes": 0, "same_pixels": 1, "reencoded": 1, "mirrored": 0}
    assert counts["test_with_copy_in_train_by_relation"] == by_relation
    assert counts["test_with_neighbour_only"] == {
        "total": 1,
        "glioma": 0,
        "meningioma": 0,
        "no_tumor": 0,
        "pituitary": 1,
    }
    assert audit.count_pairs(INDEX, RELATED)["mirrored"] == {"all": 2, "cross_split": 1}


def test_copies_are_listed_from_the_test_side() -> None:
    listed = audit.list_copies(INDEX, related_of((0, 4, "mirrored"), (4, 9, "reencoded")))
    assert listed.to_dict("records") == [
        {
            "test_id": "brisc2025_test_00001_gl_ax_t1",
            "train_id": "brisc2025_train_00001_gl_ax_t1",
            "relation": "mirrored",
            "mirrored": 1,
            "aligned": 0.99,
            "frame": 0.98,
            "head": 0.97,
        }
    ]


def test_exact_copies_and_their_contradictions() -> None:
    content = pd.Series(["a", "b", "c", "d", "a", "c", "c", "x", "y", "z"])
    assert audit.count_exact(INDEX, content) == {
        "groups": 2,
        "files": 5,
        "cross_split_groups": 2,
        "class_conflicts": 1,
        "plane_conflicts": 1,
    }


def test_conflicts_are_copies_only() -> None:
    related = related_of((2, 5, "mirrored"), (0, 4, "mirrored"), (3, 4, "neighbour"))
    listed = audit.list_conflicts(INDEX, related, "label")
    assert (listed["pairs"], listed["images"]) == (1, 2)
    assert listed["list"] == [
        {"ids": [INDEX["id"][2], INDEX["id"][5]], "relation": "mirrored", "similarity": 0.99}
    ]


def many(count: int) -> pd.DataFrame:
    return index_of(*(f"train_{number:05d}_gl_ax" for number in range(count)))


def test_a_random_split_leaks_and_a_grouped_one_does_not() -> None:
    """Every image has one copy, so that each of 20 random validation images leaks unless its copy is drawn
    too."""
    index = many(100)
    related = related_of(
        *((row, row + 1, "mirrored" if row % 4 == 0 else "neighbour") for row in range(0, 100, 2))
    )
    groups = audit.group_images(index, related)
    random = audit.measure_leak(index, related, groups, PLAN, "random")
    parts = audit.assign_validation(
        index[["id", "label", "plane"]].assign(group=groups["group"]),
        split="random",
        validation_fraction=0.2,
        seed=3,
    )
    chosen = set(np.flatnonzero(parts == "validation"))
    assert random["validation"] == 20
    assert random["copy_or_neighbour"] == sum(row ^ 1 not in chosen for row in chosen)
    assert random["copy"] == sum(row ^ 1 not in chosen and row % 4 < 2 for row in chosen)
    assert random["copy_share"] == pytest.approx(random["copy"] / 20)
    grouped = audit.measure_leak(index, related, groups, PLAN, "grouped")
    assert (grouped["validation"], grouped["copy"], grouped["copy_or_neighbour"]) == (20, 0, 0)


def mask(columns: slice) -> np.ndarray:
    drawn = np.full((FRAME, FRAME), 3, np.uint8)
    drawn[:, columns] = 250
    return drawn


def test_dice_by_hand() -> None:
    a, b = np.array([[True, True, False]]), np.array([[True, False, False]])
    assert audit.dice(a, b) == pytest.approx(2 / 3)
    assert audit.dice(a, ~a) == 0
    assert audit.dice(a & ~a, b & ~b) == 1


def test_agreement_of_two_masks_of_one_slice() -> None:
    left, half_left, right = mask(slice(0, 64)), mask(slice(0, 32)), mask(slice(FRAME - 64, FRAME))
    masks = {0: left, 4: right, 9: half_left, 1: left, 5: left}
    related = related_of((0, 4, "mirrored"), (0, 9, "reencoded"), (1, 5, "reencoded"), (0, 1, "neighbour"))
    agreement = audit.measure_agreement(INDEX, related, masks, AUDIT)
    assert agreement["glioma"] == {
        "pairs": 2,
        "mean": 0.8333,
        "quartile_1": 0.75,
        "median": 0.8333,
        "quartile_3": 0.9167,
        "below_half": 0,
        "byte_identical": 0,
    }
    assert agreement["meningioma"]["mean"] == 1
    assert agreement["pituitary"]["mean"] is None
    # A pair of another crop, and a pair that shares its mask file, say nothing about agreement.
    moved = related.assign(frame=[0.98, 0.3, 0.98, 0.98])
    assert audit.measure_agreement(INDEX, moved, masks, AUDIT)["glioma"]["pairs"] == 1
    shared = INDEX.assign(mask_sha256="one")
    assert audit.measure_agreement(shared, related, masks, AUDIT)["glioma"] == {
        "pairs": 0,
        "mean": None,
        "quartile_1": None,
        "median": None,
        "quartile_3": None,
        "below_half": 0,
        "byte_identical": 2,
    }


def test_baselines_copy_the_nearest_train_image() -> None:
    pairs = pd.DataFrame(
        [
            (0, 4, True, 0.9),
            (0, 5, False, 0.8),
            (1, 4, False, 0.7),
            (1, 5, False, 0.7),
            (2, 7, False, 0.6),
            (3, 8, False, 0.5),
            (0, 1, False, 1.0),
            (2, 8, False, 0.9),
        ],
        columns=["a", "b", "mirrored", "aligned"],
    )
    nearest = audit.find_nearest(INDEX, pairs)
    assert nearest["train"].to_dict() == {0: 4, 1: 4, 2: 8, 3: 8}  # ties go to the first
    left, half_left, right = mask(slice(0, 64)), mask(slice(0, 32)), mask(slice(FRAME - 64, FRAME))
    masks = {0: left, 1: half_left, 2: left, 4: right, 5: left, 7: left}
    measured = audit.measure_baselines(INDEX, nearest, masks, GROUPS)
    # Dice: 0 mirrored 1, 1 (other side) 0, 2 (healthy neighbour) 0. Classes: 0 and 3 right, 1 and 2 wrong.
    assert measured["nearest_mask"] == {
        "official": {"images": 3, "dice": 0.3333},
        "clean": {"images": 1, "dice": 0.0},
        "strict": {"images": 0, "dice": None},
    }
    assert measured["nearest_class"] == {
        "official": {"images": 4, "accuracy": 0.5},
        "clean": {"images": 2, "accuracy": 0.5},
        "strict": {"images": 1, "accuracy": 1.0},
    }


def test_errors_are_estimated_from_pairs_between_classes() -> None:
    """Axial: 3 glioma and 3 meningioma make 3 + 3 pairs within a class and 9 between."""
    index = index_of(*(f"train_{number:05d}_{'gl' if number < 3 else 'me'}_ax" for number in range(6)))
    related = related_of((0, 1, "neighbour"), (1, 2, "neighbour"), (0, 3, "neighbour"), (3, 4, "mirrored"))
    errors = audit.estimate_errors(index, related)
    assert errors["neighbours_axial"] == {
        "found_within_a_class": 2,
        "found_between_classes": 1,
        "compared_within_a_class": 6,
        "compared_between_classes": 9,
        "error_rate": 0.3333,
        "error_rate_upper": pytest.approx(4.7439 * (6 / 9) / 2, abs=1e-4),
    }
    assert (errors["copies"]["found_within_a_class"], errors["copies"]["error_rate"]) == (1, 0.0)
    # A neighbour of an image that is in two classes at once is no false match.
    disputed = pd.concat([related, related_of((0, 5, "mirrored"))])
    assert audit.estimate_errors(index, disputed)["neighbours_axial"]["found_between_classes"] == 0


def test_close_file_numbers() -> None:
    """12 images of one kind: of 66 pairs all but 0-9, 0-10, 1-10, 0-11, 1-11 and 2-11 are no more than 8
    apart."""
    related = related_of((0, 8, "neighbour"), (0, 9, "neighbour"), (0, 1, "mirrored")).assign(mirrored=False)
    checked = audit.compare_numbers(many(12), related)
    assert checked["axial"] == {"neighbours": 2, "close_numbers": 0.5, "chance": 0.9091}
    assert checked["coronal"] == {"neighbours": 0, "close_numbers": None, "chance": None}


def test_margins_and_intensities_of_a_square() -> None:
    image = np.zeros((FRAME, FRAME), np.uint8)
    image[40:200, 30:130] = 160
    views = Views.of([image])
    left, top, right, below, aspect, *rest = audit.measure_margins(views)[0]
    assert (left, top, right, below) == pytest.approx((30, 40, FRAME - 130, FRAME - 200), abs=3)
    assert aspect == pytest.approx(100 / 160, abs=0.02)
    assert rest == [30, FRAME - 130, 40, FRAME - 200, 0, 0, 0, 0]
    lit = 160 * 100 / FRAME**2
    mean, _, dark, entropy, *histogram = audit.measure_intensities(views)[0]
    assert (mean, dark) == pytest.approx((160 * lit, 1 - lit))
    assert entropy == pytest.approx(-lit * math.log(lit) - (1 - lit) * math.log(1 - lit))
    assert (histogram[0], histogram[10]) == pytest.approx((1 - lit, lit))


@pytest.fixture(scope="module")
def findings(phantoms: PhantomArchive) -> audit.Findings:
    return audit.run_audit(phantoms.raw, phantoms.index, plan=PLAN, track=silent)


def test_the_audit_of_phantoms_counts_what_was_planted(
    phantoms: PhantomArchive, findings: audit.Findings
) -> None:
    report = findings.report
    across = [pair for pair in phantoms.planted if "_test_" in pair.original]
    copies = [pair for pair in across if pair.relation != "neighbour"]
    assert report["test_with_copy_in_train"]["total"] == len(copies)
    assert report["subsets"]["official"]["total"] - report["subsets"]["strict"]["total"] == len(across)
    assert set(findings.copies["test_id"]) == {pair.original for pair in across}
    assert findings.groups["id"].tolist() == sorted(phantoms.index["id"])
    same_file = [pair for pair in phantoms.planted if pair.relation == "same_bytes"]
    assert report["exact"]["sha256"]["groups"] == len(same_file)
    assert report["split_leak"]["grouped"]["copy_or_neighbour"] == 0
    assert sum(report["similarity"]["nearest_in_train"]) == 18
    assert sum(report["similarity"]["nearest_in_train"][-3:]) == len(copies)


def test_the_report_is_json_and_the_metadata_gives_healthy_slices_away(findings: audit.Findings) -> None:
    json.dumps(findings.report, allow_nan=False)
    # Every healthy phantom is a colour file and most carry a rotation tag, as published.
    assert findings.report["shortcut_probe"]["file_metadata"]["official"]["auc"] > 0.8

"""What an evaluated run leaves, on nets whose answers are known."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from nets import Bright, Classifier, Corner, Joint

from brisc.analysis.runs import read_runs
from brisc.config import EvaluationPlan
from brisc.errors import InputError
from brisc.evaluation.classification import PROBABILITIES
from brisc.evaluation.evaluate import evaluate, subset_metrics
from brisc.evaluation.gradcam import activation_maps
from brisc.evaluation.predict import Inference
from brisc.evaluation.rows import subset_of
from brisc.models import build
from brisc.training.result import RECORDS
from brisc.vocabulary import LABELS, SUBSETS
from trained import write_training

OF_ALL = ["data.json", "metrics.json", "run.json", "training"]
ON_TEST = [*OF_ALL, "inference.json", "per_image.csv"]
KNOWN = ["id", "split", "label", "plane", "group", "official", "clean", "strict"]
OF_MASK = [
    "true_pixels",
    "predicted_pixels",
    "intersection",
    "pixels",
    "dice",
    "iou",
    "hd95_px",
    "boundary_dice",
    "dice_native",
]
OF_LABEL = [*PROBABILITIES, "predicted"]
FLIPS = ["dice_flips", "accuracy_flips"]
MODEL = {"kind": "model", "like": None, "changes": {}, "judge": "test"}
RECIPE = {"kind": "recipe", "like": "unet", "changes": {"epochs": 2}, "judge": "validation"}


@pytest.fixture
def evaluated(samples, settings, run, native_of, tmp_path):
    """Evaluate a net into a fresh folder and return the folder; unless given, the original masks are those of
    the cache, and the training's weights those of the net."""
    cache, data = samples, tmp_path / "fingerprint.json"
    data.write_text('{"fingerprint": "f"}')

    def into(
        net,
        name="eval",
        *,
        samples=samples,
        native=None,
        run=run,
        about=MODEL,
        trained=None,
        diverged=False,
        **changes,
    ):
        scores = {"dice": np.ones(len(cache.rows("validation", healthy=run.healthy_slices)))}
        write_training(tmp_path / "training", trained or net, cache, run, scores, diverged=diverged)
        evaluate(
            net,
            samples,
            tmp_path / name,
            native=native or native_of(samples.masks > 0),
            training=tmp_path / "training",
            data=data,
            plan=EvaluationPlan(name=name, **about, evaluate=replace(settings, **changes), code={}),
            run=run,
        )
        return tmp_path / name

    return into


def metrics_of(folder):
    return json.loads((folder / "metrics.json").read_text())


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def joint(seed: int = 0) -> Joint:
    torch.manual_seed(seed)
    return Joint()


def test_files_and_columns_follow_the_heads(evaluated):
    for net, columns, files in [
        (Bright(), OF_MASK, ["masks.npz"]),
        (Classifier(), OF_LABEL, ["cam.npz"]),
        (Joint(), OF_MASK + OF_LABEL, ["cam.npz", "masks.npz"]),
        (Joint(mask_first=False), OF_MASK + OF_LABEL, ["cam.npz", "masks.npz"]),
    ]:
        folder = evaluated(net)
        assert sorted(path.name for path in folder.iterdir()) == sorted([*ON_TEST, *files])
        flips = [
            name for name, head in zip(FLIPS, (OF_MASK, OF_LABEL), strict=True) if set(head) <= set(columns)
        ]
        assert list(pd.read_csv(folder / "per_image.csv")) == KNOWN + columns + flips


def test_a_fold_is_a_subset_of_its_own_and_weighted_by_its_own_classes(evaluated, samples, run):
    samples.table.loc[:, ["official", "clean", "strict"]] = 0
    folder = evaluated(Bright(), run=replace(run, fold=0), about={**MODEL, "kind": "fold"})
    metrics = metrics_of(folder)
    assert metrics.keys() == {"fold", "validation"}
    assert metrics["fold"]["n_images"] == (samples.table["split"] == "test").sum() == 12
    assert metrics["fold"]["n_pairs"] == 9
    assert list(metrics["fold"]["by_class"]) == ["glioma", "meningioma", "pituitary"]


def test_flips_stand_beside_the_plain_scores_of_a_model_and_are_those_of_the_setting(evaluated):
    plain, flipped = (
        pd.read_csv(evaluated(joint(), name, flips=flips) / "per_image.csv")
        for name, flips in (("plain", False), ("flipped", True))
    )
    assert plain["dice_flips"].tolist() == pytest.approx(flipped["dice"].tolist())
    assert (plain["accuracy_flips"] == (flipped["predicted"] == flipped["label"])).all()
    assert plain["dice_flips"].tolist() != plain["dice"].tolist()
    seed = evaluated(joint(), "seed", about={**MODEL, "kind": "seed", "like": "net"})
    assert not set(FLIPS) & set(pd.read_csv(seed / "per_image.csv"))


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_records_of_the_training_lie_beside_its_results_and_its_weights_do_not(evaluated, tmp_path):
    folder = evaluated(Bright())
    assert names(folder / "training") == list(RECORDS)
    for name in RECORDS:
        assert (folder / "training" / name).read_bytes() == (tmp_path / "training" / name).read_bytes()
    assert (folder / "data.json").read_text() == '{"fingerprint": "f"}'


def test_weights_are_those_of_the_training(evaluated):
    expected = evaluated(joint(0), "expected")
    assert contents(evaluated(joint(1), "other", trained=joint(0))) == contents(expected)
    assert contents(evaluated(joint(1), "own")) != contents(expected)
    with pytest.raises(InputError, match="weights that do not fit the model"):
        evaluated(joint(), trained=Bright())


def test_a_run_says_what_it_is_to_the_others(evaluated):
    about = {"kind": "seed", "like": "unet", "changes": {"seed": 43, "augment.zoom_fraction": 0.0}}
    folder = evaluated(Bright(), about={**about, "judge": "test"})
    assert json.loads((folder / "run.json").read_text()) == {**about, "judge": "test"}


def test_what_is_written_is_what_the_analysis_reads(evaluated, tmp_path):
    evaluated(joint(), "net")
    evaluated(Bright(), "recipe", about=RECIPE)
    net, recipe = read_runs(tmp_path, ["net", "recipe"])
    assert (net.kind, recipe.kind, recipe.about["like"]) == ("model", "recipe", "unet")
    assert (net.summary["best_epoch"], list(net.history["best"])) == (2, [0, 1])
    assert (net.cost["seconds"], net.inference["batch_size"], recipe.inference) == (None, 5, {})
    assert list(net.images()) == KNOWN + OF_MASK + OF_LABEL + FLIPS
    assert len(recipe.images()) == 6


# judged on validation alone
# ------------------------------------------------------------------------------------------


def test_a_recipe_has_the_scores_of_validation_and_no_more(evaluated, run):
    folder = evaluated(Bright(), about=RECIPE)
    assert names(folder) == sorted(
        ["data.json", "metrics.json", "run.json", "validation.csv", *(f"training/{name}" for name in RECORDS)]
    )
    # Six of the eight validation images have a tumour; the square is found in each.
    assert metrics_of(folder) == {
        "validation": {
            "n_pairs": 6,
            "dice_per_image": 1.0,
            "dice_per_image_low": 1.0,
            "dice_per_image_high": 1.0,
        }
    }
    table = pd.read_csv(folder / "validation.csv")
    assert list(table) == ["id", "label", "group", "dice", "score", "dice_flips", "score_flips"]
    assert list(table["id"]) == ["i04", "i05", "i07", "i08", "i09", "i11"]


def test_healthy_slices_count_for_a_recipe_that_was_trained_on_them(evaluated, run, told):
    healthy = replace(run, healthy_slices=True)
    table = pd.read_csv(evaluated(Bright(), about=RECIPE, run=healthy) / "validation.csv")
    assert list(table["dice"]) == [1, 1, 0, 1] * 2
    # Of the eight labels two are wrong; the mask is one pixel, in no tumour.
    metrics = metrics_of(evaluated(Corner(), samples=told, about=RECIPE, run=healthy))["validation"]
    assert (metrics["n_images"], metrics["accuracy"]) == (8, 6 / 8)
    assert metrics["accuracy_low"] < 6 / 8 < metrics["accuracy_high"]
    assert (metrics["n_pairs"], metrics["dice_per_image"]) == (6, 0.0)


def test_no_image_but_those_of_validation_decides_about_a_recipe(evaluated, samples):
    outside = (samples.table["split"] != "validation").to_numpy()[:, None, None]
    other = replace(
        samples,
        images=np.where(outside, 255 - samples.images, samples.images),
        masks=np.where(outside, 1 - samples.masks, samples.masks),
        table=samples.table.assign(
            label=samples.table["label"].where(~outside[:, 0, 0], "glioma"),
            group=samples.table["group"].where(~outside[:, 0, 0], "one"),
        ),
    )
    both = [contents(evaluated(Bright(), samples=each, about=RECIPE)) for each in (samples, other)]
    assert both[0] == both[1]
    on_test = [contents(evaluated(Bright(), samples=each)) for each in (samples, other)]
    assert on_test[0] != on_test[1]


@pytest.mark.parametrize("about", [MODEL, RECIPE])
def test_a_training_without_a_best_epoch_has_no_metrics(evaluated, about):
    folder = evaluated(Bright(), about=about, diverged=True)
    assert names(folder) == sorted(
        ["data.json", "metrics.json", "run.json", *(f"training/{name}" for name in RECORDS)]
    )
    assert metrics_of(folder) == {}
    assert json.loads((folder / "training" / "summary.json").read_text())["diverged_at"] == 1


# judged on test
# ------------------------------------------------------------------------------------------


def test_rows_are_validation_and_test_by_id_and_arrays_follow_them(evaluated, samples):
    folder = evaluated(Bright())
    table = pd.read_csv(folder / "per_image.csv")
    assert list(table["id"]) == [f"i{i:02}" for i in range(4, 24)]
    masks = np.unpackbits(np.load(folder / "masks.npz")["rows"], axis=2).astype(bool)
    assert (masks == (samples.images[4:] > 127)).all()
    assert list(table["predicted_pixels"]) == list(masks.sum(axis=(1, 2)))


def test_masks_by_hand(evaluated):
    # The square is found in every image; only a no-tumour slice has no mask there.
    folder = evaluated(Bright())
    table, metrics = pd.read_csv(folder / "per_image.csv"), metrics_of(folder)
    assert list(table["dice"]) == [0.0 if label == "no_tumor" else 1.0 for label in table["label"]]
    for name, images in {"official": 12, "clean": 6, "strict": 2, "validation": 8}.items():
        assert metrics[name]["n_images"] == images
        assert metrics[name]["n_pairs"] == int((subset_of(table, name)["label"] != "no_tumor").sum())
        assert metrics[name]["dice_per_image"] == metrics[name]["dice_study"] == 1.0
    assert metrics["official"]["false_alarms"]["rate"] == 1.0
    assert metrics.keys() == set(SUBSETS)


def test_original_masks_of_the_cache_s_size_give_the_dice_of_the_cache(evaluated):
    table = pd.read_csv(evaluated(joint()) / "per_image.csv")
    assert 0 < table["dice"].mean() < 1
    assert list(table["dice_native"]) == list(table["dice"])


def test_each_image_is_scored_against_its_own_original(evaluated, samples, native_of):
    # Corner finds one pixel of 16 x 16, at logit 2 among -3. Enlarged three times, the corner's pixels lie at
    # 0, 0, 1/3, 2/3 .. along each axis, so that 2 - 5 (1 - (1 - y)(1 - x)) is above 0 where (1 - y)(1 - x) >
    # .6: at y, x of 0 and 1/3 but for both 1/3, with 4/9. That is 8 pixels.
    masks = np.zeros((24, 48, 48), bool)
    masks[4, :3, :3] = True  # 2 x 8 / (8 + 9)
    masks[23, :, 0] = True  # 2 x 3 / (8 + 48)
    folder = evaluated(Corner(), native=native_of(masks))
    table = pd.read_csv(folder / "per_image.csv").set_index("id")
    assert table["dice_native"]["i04"] == pytest.approx(16 / 17, abs=1e-6)
    assert table["dice_native"]["i23"] == pytest.approx(6 / 56, abs=1e-6)
    assert (table["dice_native"].drop(["i04", "i23"]) == 0).all()
    # i23 is one of the nine pairs among twelve test images, and none of the clean ones.
    metrics = metrics_of(folder)
    labels = table[table["official"] == 1]["label"]
    tumours = int((labels != "no_tumor").sum())
    assert metrics["official"]["dice_native"] == pytest.approx(6 / 56 / tumours, abs=1e-6)
    assert (metrics["clean"]["dice_native"], metrics["clean"]["dice_native_high"]) == (0, 0)


def test_original_masks_of_another_cache_are_told(evaluated, samples, native_of):
    with pytest.raises(InputError, match="got 23 masks, expected 24"):
        evaluated(Bright(), native=native_of(samples.masks[1:] > 0))


@pytest.fixture
def told(samples):
    """The pixel in the upper left corner by which Corner tells a class is white, and it is the right one but
    for four images."""
    images = samples.images.copy()
    images[:, :2, :2] = 0
    for i in range(24):
        label = (i + 1) % 4 if i in (4, 9, 12, 23) else i % 4
        images[i, label // 2, label % 2] = 255
    return replace(samples, images=images)


def test_labels_by_hand(evaluated, told):
    folder = evaluated(Corner(), samples=told)
    table, metrics = pd.read_csv(folder / "per_image.csv"), metrics_of(folder)
    assert [i for i, row in enumerate(table.itertuples(), start=4) if row.predicted != row.label] == [
        4,
        9,
        12,
        23,
    ]
    assert table["p_glioma"].max() == pytest.approx(np.exp(4) / (np.exp(4) + 3), rel=1e-6)
    # Wrong are 4 and 9 of 8 validation images, 12 and 23 of 12 test images, of which 12 is clean and strict.
    expected = {"official": 10 / 12, "clean": 5 / 6, "strict": 1 / 2, "validation": 6 / 8}
    assert {name: metrics[name]["accuracy"] for name in expected} == pytest.approx(expected)
    # Odds of e ** (4 / T) to 1, three times, are best at 6 right to 2 wrong on validation: e ** (4 / T) / 3 =
    # 3.
    assert metrics["temperature"] == pytest.approx(4 / np.log(9), abs=1e-3)
    confidence = np.exp(4) / (np.exp(4) + 3)
    assert metrics["official"]["ece"] == pytest.approx(confidence - 10 / 12, abs=1e-6)
    assert metrics["official"]["ece_scaled"] == pytest.approx(10 / 12 - 3 / 4, abs=1e-3)
    assert [row["n"] for row in metrics["official"]["reliability"]] == [0, 0, 0, 12]
    assert [row["n"] for row in metrics["official"]["reliability_scaled"]] in ([0, 0, 12, 0], [0, 0, 0, 12])


def test_a_joint_net_has_the_numbers_of_both_heads(evaluated):
    metrics = metrics_of(evaluated(joint()))
    assert metrics["official"]["class_weighted"].keys() == {"dice_per_image", "accuracy"}
    assert {"dice_study", "by_class", "false_alarms", "accuracy", "f1_macro", "by_label", "ece"} <= metrics[
        "official"
    ].keys()
    assert metrics["official"]["n_images"] == 12
    assert metrics["temperature"] > 0


def test_numbers_of_the_label_can_be_derived_from_the_file(evaluated, settings):
    folder = evaluated(joint())
    table = pd.read_csv(folder / "per_image.csv")
    assert subset_metrics(table[KNOWN + OF_LABEL], SUBSETS, settings) == {
        name: {key: value for key, value in values.items() if key in LABEL_KEYS}
        if name != "temperature"
        else values
        for name, values in without_dice(metrics_of(folder)).items()
    }


LABEL_KEYS = {
    "n_images",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "f1_macro",
    "f1_macro_low",
    "f1_macro_high",
    "precision_macro",
    "recall_macro",
    "f1_weighted",
    "precision_weighted",
    "recall_weighted",
    "auroc_macro",
    "by_label",
    "confusion",
    "class_weighted",
    "ece",
    "ece_scaled",
    "reliability",
    "reliability_scaled",
}


def without_dice(metrics):
    for name in SUBSETS:
        del metrics[name]["class_weighted"]["dice_per_image"]
    return metrics


def test_temperature_is_that_of_validation_alone(evaluated, told):
    def with_one_label_wrong(row):
        table = told.table.copy()
        table.loc[row, "label"] = "glioma" if table.loc[row, "label"] == "pituitary" else "pituitary"
        return metrics_of(evaluated(Corner(), samples=replace(told, table=table)))["temperature"]

    unchanged = metrics_of(evaluated(Corner(), samples=told))["temperature"]
    assert with_one_label_wrong(1) == with_one_label_wrong(13) == unchanged
    assert with_one_label_wrong(5) != unchanged


def test_cam_explains_the_predicted_class(evaluated, samples, run):
    folder = evaluated(joint(4))
    classes = np.array([LABELS.index(label) for label in pd.read_csv(folder / "per_image.csv")["predicted"]])
    cam = np.load(folder / "cam.npz")["rows"]
    assert cam.shape == (20, 8, 8)
    assert (
        cam == activation_maps(Inference(joint(4), run), samples, np.arange(4, 24), classes, batch_size=5)
    ).all()


def test_a_second_run_writes_the_same_bytes(evaluated):
    first, second = (evaluated(joint(), name) for name in ("first", "second"))
    assert contents(first) == contents(second)


def test_every_setting_is_alive_but_the_batch_size(evaluated):
    expected = metrics_of(evaluated(joint()))
    changes = {
        "flips": True,
        "threshold": 0.501,
        "calibration_bins": 5,
        "study_batch_size": 3,
        "bootstrap_resamples": 51,
        "bootstrap_seed": 43,
    }
    unchanged = [
        name for name, value in changes.items() if metrics_of(evaluated(joint(), **{name: value})) == expected
    ]
    assert unchanged == []
    assert metrics_of(evaluated(joint(), batch_size=20)) == expected


def test_cost_holds_no_times_unless_they_are_measured(evaluated, run):
    assert cost_of(evaluated(joint()))["latency_ms"] is None
    timed = cost_of(evaluated(joint(), run=replace(run, measure_seconds=True)))
    assert timed["latency_ms"] > 0
    assert timed["batch_latency_ms"] > 0
    assert timed["batch_size"] == 5


def cost_of(folder):
    return json.loads((folder / "inference.json").read_text())


def test_a_unet_is_evaluated_on_the_mask_alone(evaluated):
    torch.manual_seed(0)
    metrics = metrics_of(evaluated(build(arch="unet", in_channels=1, base_channels=2, levels=3)))
    assert 0 <= metrics["official"]["dice_per_image"] <= 1
    assert "accuracy" not in metrics["official"]
    assert "temperature" not in metrics


def test_nothing_is_left_of_an_evaluation_that_fails(evaluated, samples, tmp_path):
    wrong = samples.table.assign(label="no_tumor")  # healthy slices with a tumour
    with pytest.raises(InputError, match="healthy slices with a tumour"):
        evaluated(Bright(), samples=replace(samples, table=wrong))
    assert [
        path.name
        for path in tmp_path.iterdir()
        if path.is_dir() and path.name not in ("profiles", "src", "stages", "training")
    ] == []

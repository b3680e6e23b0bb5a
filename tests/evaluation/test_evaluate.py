import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from nets import Bright, Classifier, Corner, Joint

from brisc.errors import InputError
from brisc.evaluation.classification import PROBABILITIES
from brisc.evaluation.evaluate import evaluate, subset_metrics
from brisc.models import build
from brisc.vocabulary import LABELS, SUBSETS

RECORDS = ("cost.json", "history.csv", "summary.json")
OF_ALL = ["cost.json", "data.json", "metrics.json", "per_image.csv", "training"]
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


@pytest.fixture
def run(samples, settings, train, native_of, tmp_path):
    """Evaluate a net into a fresh folder and return the folder; unless given, the original masks are those of
    the cache."""

    def evaluated(net, name="eval", *, samples=samples, native=None, **knobs):
        training = tmp_path / "training"
        training.mkdir(exist_ok=True)
        for file in ("weights.pt", *RECORDS):
            (training / file).write_bytes(f"{file} ".encode() * 100)
        data = tmp_path / "fingerprint.json"
        data.write_text('{"fingerprint": "f"}')
        evaluate(
            net,
            samples,
            tmp_path / name,
            native=native or native_of(samples.masks > 0),
            training=training,
            data=data,
            settings=replace(settings, **knobs),
            train=train,
        )
        return tmp_path / name

    return evaluated


def metrics_of(folder):
    return json.loads((folder / "metrics.json").read_text())


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def joint(seed: int = 0) -> Joint:
    torch.manual_seed(seed)
    return Joint()


def test_files_and_columns_follow_the_heads(run):
    for net, columns, files in [
        (Bright(), OF_MASK, ["masks.npz"]),
        (Classifier(), OF_LABEL, ["cam.npz"]),
        (Joint(), OF_MASK + OF_LABEL, ["cam.npz", "masks.npz"]),
        (Joint(mask_first=False), OF_MASK + OF_LABEL, ["cam.npz", "masks.npz"]),
    ]:
        folder = run(net)
        assert sorted(path.name for path in folder.iterdir()) == sorted([*OF_ALL, *files])
        assert list(pd.read_csv(folder / "per_image.csv")) == KNOWN + columns


def test_the_records_of_the_training_lie_beside_its_results_and_its_weights_do_not(run):
    training = run(Bright()) / "training"
    assert (training.parent / "data.json").read_text() == '{"fingerprint": "f"}'
    assert {path.name: path.read_text()[: len(path.name)] for path in training.iterdir()} == {
        name: name for name in RECORDS
    }


def test_rows_are_validation_and_test_by_id_and_arrays_follow_them(run, samples):
    folder = run(Bright())
    table = pd.read_csv(folder / "per_image.csv")
    assert list(table["id"]) == [f"i{i:02}" for i in range(4, 24)]
    masks = np.unpackbits(np.load(folder / "masks.npz")["rows"], axis=2).astype(bool)
    assert (masks == (samples.images[4:] > 127)).all()
    assert list(table["predicted_pixels"]) == list(masks.sum(axis=(1, 2)))


def test_masks_by_hand(run):
    # The square is found in every image; only a no-tumour slice has no mask there.
    folder = run(Bright())
    table, metrics = pd.read_csv(folder / "per_image.csv"), metrics_of(folder)
    assert list(table["dice"]) == [0.0 if label == "no_tumor" else 1.0 for label in table["label"]]
    for name, images in {"official": 12, "clean": 6, "strict": 2, "validation": 8}.items():
        assert metrics[name]["n_images"] == images
        assert metrics[name]["n_pairs"] == int((table[subset(table, name)]["label"] != "no_tumor").sum())
        assert metrics[name]["dice_per_image"] == metrics[name]["dice_study"] == 1.0
    assert metrics["official"]["false_alarms"]["rate"] == 1.0
    assert metrics.keys() == set(SUBSETS)


def test_original_masks_of_the_cache_s_size_give_the_dice_of_the_cache(run):
    table = pd.read_csv(run(joint()) / "per_image.csv")
    assert 0 < table["dice"].mean() < 1
    assert list(table["dice_native"]) == list(table["dice"])


def test_each_image_is_scored_against_its_own_original(run, samples, native_of):
    # Corner finds one pixel of 16 x 16, at logit 2 among -3. Enlarged three times, the corner's pixels lie at
    # 0, 0, 1/3, 2/3 .. along each axis, so that 2 - 5 (1 - (1 - y)(1 - x)) is above 0 where (1 - y)(1 - x) >
    # .6: at y, x of 0 and 1/3 but for both 1/3, with 4/9. That is 8 pixels.
    masks = np.zeros((24, 48, 48), bool)
    masks[4, :3, :3] = True  # 2 x 8 / (8 + 9)
    masks[23, :, 0] = True  # 2 x 3 / (8 + 48)
    folder = run(Corner(), native=native_of(masks))
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


def test_original_masks_of_another_cache_are_told(run, samples, native_of):
    with pytest.raises(InputError, match="got 23 masks, expected 24"):
        run(Bright(), native=native_of(samples.masks[1:] > 0))


def subset(table, name):
    return table["split"] == "validation" if name == "validation" else table[name] == 1


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


def test_labels_by_hand(run, told):
    folder = run(Corner(), samples=told)
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


def test_a_joint_net_has_the_numbers_of_both_heads(run):
    metrics = metrics_of(run(joint()))
    assert metrics["official"]["class_weighted"].keys() == {"dice_per_image", "accuracy"}
    assert {"dice_study", "by_class", "false_alarms", "accuracy", "f1_macro", "by_label", "ece"} <= metrics[
        "official"
    ].keys()
    assert metrics["official"]["n_images"] == 12
    assert metrics["temperature"] > 0


def test_numbers_of_the_label_can_be_derived_from_the_file(run, settings):
    folder = run(joint())
    table = pd.read_csv(folder / "per_image.csv")
    assert subset_metrics(table[KNOWN + OF_LABEL], settings) == {
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


def test_temperature_is_that_of_validation_alone(run, told):
    def with_one_label_wrong(row):
        table = told.table.copy()
        table.loc[row, "label"] = "glioma" if table.loc[row, "label"] == "pituitary" else "pituitary"
        return metrics_of(run(Corner(), samples=replace(told, table=table)))["temperature"]

    unchanged = metrics_of(run(Corner(), samples=told))["temperature"]
    assert with_one_label_wrong(1) == with_one_label_wrong(13) == unchanged
    assert with_one_label_wrong(5) != unchanged


def test_cam_explains_the_predicted_class(run, samples, train):
    from brisc.evaluation.gradcam import activation_maps
    from brisc.evaluation.predict import Inference

    folder = run(joint(4))
    classes = np.array([LABELS.index(label) for label in pd.read_csv(folder / "per_image.csv")["predicted"]])
    cam = np.load(folder / "cam.npz")["rows"]
    assert cam.shape == (20, 8, 8)
    assert (
        cam == activation_maps(Inference(joint(4), train), samples, np.arange(4, 24), classes, batch_size=5)
    ).all()


def test_a_second_run_writes_the_same_bytes(run):
    first, second = (run(joint(), name) for name in ("first", "second"))
    assert contents(first) == contents(second)


def test_every_knob_is_alive_but_the_batch_size(run):
    expected = metrics_of(run(joint()))
    knobs = {
        "flips": True,
        "threshold": 0.501,
        "calibration_bins": 5,
        "study_batch_size": 3,
        "bootstrap_resamples": 51,
        "bootstrap_seed": 43,
    }
    unchanged = [
        knob for knob, value in knobs.items() if metrics_of(run(joint(), **{knob: value})) == expected
    ]
    assert unchanged == []
    assert metrics_of(run(joint(), batch_size=20)) == expected


def test_cost_holds_no_times_unless_they_are_measured(run, samples, settings, train, native_of, tmp_path):
    assert json.loads((run(joint()) / "cost.json").read_text())["latency_ms"] is None
    evaluate(
        joint(),
        samples,
        tmp_path / "timed",
        native=native_of(samples.masks > 0),
        training=tmp_path / "training",
        data=tmp_path / "fingerprint.json",
        settings=settings,
        train=replace(train, measure_seconds=True),
    )
    timed = json.loads((tmp_path / "timed" / "cost.json").read_text())
    assert timed["latency_ms"] > 0
    assert timed["batch_latency_ms"] > 0
    assert timed["batch_size"] == 5


def test_a_unet_is_evaluated_on_the_mask_alone(run):
    torch.manual_seed(0)
    metrics = metrics_of(run(build(arch="unet", in_channels=1, base_channels=2, levels=3)))
    assert 0 <= metrics["official"]["dice_per_image"] <= 1
    assert "accuracy" not in metrics["official"]
    assert "temperature" not in metrics


def test_nothing_is_left_of_an_evaluation_that_fails(run, samples, tmp_path):
    wrong = samples.table.assign(label="no_tumor")  # healthy slices with a tumour
    with pytest.raises(InputError, match="healthy slices with a tumour"):
        run(Bright(), samples=replace(samples, table=wrong))
    assert [
        path.name
        for path in tmp_path.iterdir()
        if path.is_dir() and path.name not in ("profiles", "training")
    ] == []

"""Batches: every image once, pictures and masks moved together, the same draws for the same seed and
epoch."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from brisc.config import Augment, resolve
from brisc.data.dataset import Samples, TrainingBatches, evaluation_batches, load_samples, plain_batches
from brisc.errors import InputError


@pytest.fixture
def augment(repository: Path) -> Augment:
    train = resolve("laptop", "unet-study_augmentation").run
    return train.augment


def still(augment: Augment) -> Augment:
    """Nothing is changed."""
    chances = ("horizontal_flip", "vertical_flip", "rotate_probability", "affine_probability")
    off = dict.fromkeys((*chances, "brightness_contrast_probability", "noise_probability"), 0.0)
    return replace(augment, **off)


@pytest.fixture
def samples() -> Samples:
    """Nine images of 16 px, image i of grey 10 * i with a square of 200 where its mask is."""
    images = np.repeat(np.arange(9, dtype=np.uint8) * 10, 16 * 16).reshape(9, 16, 16)
    masks = np.zeros_like(images)
    masks[:, 2:7, 3:6] = 1
    images[masks == 1] = 200
    labels = ["glioma", "no_tumor", "pituitary"] * 3
    table = pd.DataFrame({"id": list("abcdefghi"), "split": ["train"] * 6 + ["test"] * 3, "label": labels})
    return Samples(images, masks, table, "f" * 64)


def batches(
    samples: Samples,
    augment: Augment,
    *,
    size: int = 4,
    seed: int = 1,
    epoch: int = 1,
    workers: int = 0,
    rank: int = 0,
    world: int = 1,
) -> list:
    made = TrainingBatches(
        samples,
        np.arange(9),
        batch_size=size,
        augment=augment,
        seed=seed,
        workers=workers,
        pinned=False,
        rank=rank,
        world=world,
    )
    return list(made.epoch(epoch))


def greys(found: list) -> list[int]:
    return [value // 10 for batch in found for value in batch["image"][:, 0, 0, 0].tolist()]


def test_every_image_once_in_an_order_of_its_own(samples: Samples, augment: Augment) -> None:
    first, second = greys(batches(samples, still(augment))), greys(batches(samples, still(augment), epoch=2))
    assert sorted(first) == sorted(second) == list(range(9))
    assert first != second


def test_shapes_types_and_labels(samples: Samples, augment: Augment) -> None:
    batch = batches(samples, still(augment))[0]
    assert {name: (tuple(t.shape), t.dtype) for name, t in batch.items()} == {
        "image": ((4, 1, 16, 16), torch.uint8),
        "mask": ((4, 1, 16, 16), torch.uint8),
        "label": ((4,), torch.int64),
    }
    # glioma, no_tumor, pituitary are 0, 2, 3; image i has the label of i modulo 3
    assert [(0, 2, 3)[grey % 3] for grey in greys([batch])] == batch["label"].tolist()


def test_a_single_last_image_joins_the_batch_before(samples: Samples, augment: Augment) -> None:
    assert [len(batch["image"]) for batch in batches(samples, still(augment), size=4)] == [4, 5]
    assert [len(batch["image"]) for batch in batches(samples, still(augment), size=7)] == [7, 2]


def test_devices_share_an_epoch(samples: Samples, augment: Augment) -> None:
    parts = [batches(samples, still(augment), size=2, rank=rank, world=2) for rank in (0, 1)]
    assert [len(part) for part in parts] == [2, 2]
    assert sorted(greys(parts[0]) + greys(parts[1])) == list(range(9))


def joined(found: list) -> dict[str, torch.Tensor]:
    return {name: torch.cat([batch[name] for batch in found]) for name in ("image", "mask", "label")}


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine with fewer cores
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_any_number_of_workers_prepares_the_same_bits(
    samples: Samples, augment: Augment, workers: int
) -> None:
    alone, shared = batches(samples, augment, size=2), batches(samples, augment, size=2, workers=workers)
    assert [len(batch["label"]) for batch in alone] == [len(batch["label"]) for batch in shared]
    assert all(torch.equal(joined(alone)[name], joined(shared)[name]) for name in joined(alone))


def test_workers_stay_for_the_next_epoch(samples: Samples, augment: Augment) -> None:
    made = TrainingBatches(
        samples,
        np.arange(9),
        batch_size=2,
        augment=augment,
        seed=1,
        workers=2,
        pinned=False,
        rank=0,
        world=1,
    )
    for epoch in (1, 2, 3):
        found, alone = joined(list(made.epoch(epoch))), joined(batches(samples, augment, size=2, epoch=epoch))
        assert all(torch.equal(found[name], alone[name]) for name in alone)


def test_images_are_the_same_in_batches_of_any_size_and_on_any_device(
    samples: Samples, augment: Augment
) -> None:
    one = joined(batches(samples, augment, size=2))["image"]
    assert torch.equal(one, joined(batches(samples, augment, size=5))["image"])
    first, second = (batches(samples, augment, size=2, rank=rank, world=2) for rank in (0, 1))
    in_turn = [batch for pair in zip(first, second, strict=True) for batch in pair]
    assert torch.equal(one, joined(in_turn)["image"])


def test_batches_leave_torch_s_own_draws_alone(samples: Samples, augment: Augment) -> None:
    """A resumed epoch starts the workers anew, where an unbroken run has them; dropout draws the same."""
    torch.manual_seed(3)
    expected = torch.rand(4)
    for workers in (0, 1):
        torch.manual_seed(3)
        batches(samples, augment, workers=workers)
        assert torch.equal(torch.rand(4), expected)


def test_the_mask_moves_with_the_picture(samples: Samples, augment: Augment) -> None:
    moving = replace(augment, brightness_contrast_probability=0.0, noise_probability=0.0)
    moved = False
    for epoch in range(5):
        for batch in batches(samples, moving, epoch=epoch):
            bright = batch["image"] > 150
            # Interpolation blurs the edge by a pixel; inside and outside agree.
            assert (bright == (batch["mask"] > 0)).float().mean() > 0.9
            assert set(batch["mask"].unique().tolist()) <= {0, 1}
            moved |= not torch.equal(batch["mask"][0, 0], torch.from_numpy(samples.masks[0]))
    assert moved


def test_flips_are_flips(samples: Samples, augment: Augment) -> None:
    for flip, axis in (("horizontal_flip", 2), ("vertical_flip", 1)):
        flipped = batches(samples, replace(still(augment), **{flip: 1.0}))[0]
        plain = batches(samples, still(augment))[0]
        assert torch.equal(flipped["image"][:, 0], plain["image"][:, 0].flip(axis))


def test_the_same_seed_draws_the_same_and_another_another(samples: Samples, augment: Augment) -> None:
    def stacked(**change: int) -> torch.Tensor:
        return torch.cat([batch["image"] for batch in batches(samples, augment, **change)])

    assert torch.equal(stacked(), stacked())
    for change in ({"seed": 2}, {"epoch": 2}):
        assert not torch.equal(stacked(), stacked(**change))


def test_evaluation_leaves_images_and_order_alone(samples: Samples) -> None:
    rows = np.array([4, 0, 8])
    found = list(plain_batches(samples, rows, batch_size=2))
    assert [len(batch["image"]) for batch in found] == [2, 1]
    assert greys(found) == [4, 0, 8]
    for plain, numbers in zip(found, evaluation_batches(samples, rows, batch_size=2), strict=True):
        assert torch.equal(numbers["image"], plain["image"].float() / 255)
        assert torch.equal(numbers["mask"], plain["mask"].float())
        assert torch.equal(numbers["label"], plain["label"])


def test_rows_by_split_and_health(samples: Samples) -> None:
    assert samples.rows("train", healthy=True).tolist() == [0, 1, 2, 3, 4, 5]
    assert samples.rows("train", healthy=False).tolist() == [0, 2, 3, 5]


def test_a_cache_that_does_not_fit_its_table_is_told(tmp_path: Path, samples: Samples) -> None:
    np.save(tmp_path / "images.npy", samples.images)
    np.save(tmp_path / "masks.npy", samples.masks[:5])
    samples.table.to_csv(tmp_path / "samples.csv", index=False)
    with pytest.raises(
        InputError, match="arrays and table differ in length: got 9 images, 5 masks, expected 9 rows"
    ):
        load_samples(tmp_path)

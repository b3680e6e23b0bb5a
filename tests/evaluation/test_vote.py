"""A vote, from masks packed by hand."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brisc.config import Evaluate, Vote
from brisc.data.dataset import Samples
from brisc.errors import InputError
from brisc.evaluation.vote import agreed, vote


@pytest.fixture
def member(samples: Samples, tmp_path: Path):
    """Write the masks (N, 16, 16) that a member predicts of validation and test, by id."""
    rows = np.flatnonzero(samples.table["split"] != "train")

    def written(name: str, masks: np.ndarray) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        samples.table.iloc[rows][["id"]].to_csv(folder / "per_image.csv", index=False)
        np.savez_compressed(folder / "masks.npz", rows=np.packbits(masks, axis=2))
        return folder

    return written


def test_a_pixel_is_tumour_where_enough_members_say_so(member) -> None:
    masks = np.zeros((3, 20, 16, 16), np.uint8)
    masks[:, 0, 0, 0] = 1, 1, 1
    masks[:, 0, 0, 1] = 1, 0, 1
    masks[:, 0, 0, 2] = 0, 1, 0
    members = {f"m{i}": member(f"m{i}", each) for i, each in enumerate(masks)}
    assert [agreed(members, agree=n)[1][0, 0, :4].tolist() for n in (1, 2, 3)] == [
        [True, True, True, False],
        [True, True, False, False],
        [True, False, False, False],
    ]


def test_a_vote_is_measured_as_a_run(member, samples: Samples, settings: Evaluate, tmp_path: Path) -> None:
    truth = samples.masks[samples.table["split"] != "train"]
    members = {"right": member("right", truth), "too": member("too", truth), "no": member("no", truth * 0)}
    rule = Vote(members=["right", "too", "no"], agree=2)
    vote(members, samples, tmp_path / "vote", rule=rule, settings=settings)
    metrics = json.loads((tmp_path / "vote" / "metrics.json").read_text())
    assert {name: metrics[name]["dice_per_image"] for name in ("official", "clean", "validation")} == {
        "official": 1.0,
        "clean": 1.0,
        "validation": 1.0,
    }
    assert len(pd.read_csv(tmp_path / "vote" / "per_image.csv")) == 20
    vote(members, samples, tmp_path / "all", rule=Vote(members=list(members), agree=3), settings=settings)
    assert json.loads((tmp_path / "all" / "metrics.json").read_text())["official"]["dice_per_image"] < 0.1


@pytest.mark.parametrize(("named", "agree"), [(["one"], 2), (["one", "two"], 1)])
def test_too_few_members_give_no_vote(
    named: list[str], agree: int, member, samples: Samples, settings: Evaluate, tmp_path: Path
) -> None:
    members = {"one": member("one", np.zeros((20, 16, 16), np.uint8))}
    vote(members, samples, tmp_path / "vote", rule=Vote(members=named, agree=agree), settings=settings)
    assert [path.name for path in (tmp_path / "vote").iterdir()] == ["vote.json"]
    assert json.loads((tmp_path / "vote" / "vote.json").read_text()) == {"members": [], "agree": agree}


@pytest.mark.parametrize("file", ["masks.npz", "per_image.csv"])
def test_a_member_that_does_not_segment_test_images_is_told(file: str, member, tmp_path: Path) -> None:
    members = {name: member(name, np.zeros((20, 16, 16), np.uint8)) for name in ("one", "two")}
    (tmp_path / "two" / file).unlink()
    with pytest.raises(InputError, match="a member that cannot vote: got two"):
        agreed(members, agree=2)

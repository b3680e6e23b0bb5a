"""Several nets as one, from the masks that each of them was evaluated by: nothing is predicted again."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from brisc.atomic import atomic, write_json
from brisc.config import Evaluate, Vote
from brisc.data.dataset import Samples
from brisc.errors import InputError
from brisc.evaluation.evaluate import KNOWN, subset_metrics
from brisc.evaluation.rows import FLOAT_FORMAT
from brisc.evaluation.segmentation import measure
from brisc.vocabulary import SUBSETS


def vote(members: Mapping[str, Path], samples: Samples, out: Path, *, rule: Vote, settings: Evaluate) -> None:
    """Write out/vote.json, who voted and by what rule, and out/per_image.csv and out/metrics.json as of a
    run, without what takes logits. members: the evaluation's folder of each that is there; of fewer than the
    rule names there is no vote, since it was not chosen for them."""
    complete = members.keys() == set(rule.members) and len(members) >= rule.agree
    with atomic(out) as folder:
        folder.mkdir(parents=True)
        write_json(folder / "vote.json", {"members": list(members) if complete else [], "agree": rule.agree})
        if not complete:
            return
        ids, prediction = agreed(members, agree=rule.agree)
        table, rows = samples.table, pd.Index(samples.table["id"]).get_indexer(ids)
        measured = measure(prediction, samples.masks[rows] > 0)
        known = table.iloc[rows][list(KNOWN)].reset_index(drop=True)
        judged = pd.concat([known, measured], axis=1)
        judged.to_csv(folder / "per_image.csv", index=False, lineterminator="\n", float_format=FLOAT_FORMAT)
        write_json(folder / "metrics.json", subset_metrics(judged, SUBSETS, settings))


def agreed(members: Mapping[str, Path], *, agree: int) -> tuple[pd.Series, np.ndarray]:
    """The ids of the images, and of each the pixels (N, H, W) bool that at least `agree` members mark."""
    first: pd.Series | None = None
    votes: np.ndarray | None = None
    for name, folder in members.items():
        there = all((folder / file).is_file() for file in ("per_image.csv", "masks.npz"))
        ids = pd.read_csv(folder / "per_image.csv")["id"] if there else None
        if ids is None or (first is not None and not ids.equals(first)):
            raise InputError(
                "a member that cannot vote",
                where="vote.members of params.yaml",
                got=name,
                expected="a run that segments, judged on test, all on the same images",
                mend="Take it out.",
            )
        with np.load(folder / "masks.npz") as packed:
            masks = np.unpackbits(packed["rows"], axis=2)
        first, votes = ids, masks if votes is None else votes + masks
    assert first is not None
    assert votes is not None
    return first, votes >= agree

"""Every tumour slice judged by a net that saw neither it nor a slice of its group: out_of_fold.json.

models.<model>      the run that the folds are like
    folds           which of them are there; complete: whether all are
    runs            their names, in the order of `folds`
    n_pairs, dice_per_image, dice_study, ... by_class, by_plane, by_class_plane, by_size
                    as in metrics.json, over the slices of these folds together; class weights are their own
    validation      mean over the folds of dice_per_image on validation, which chose the epochs

Each fold is judged by a net of its own, so the intervals, from a bootstrap over groups, are about other
images and not about another training.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from brisc.analysis.runs import Evaluated, model_of, of_kind
from brisc.config import Evaluate
from brisc.errors import InputError
from brisc.evaluation.rows import subset_of
from brisc.evaluation.segmentation import summarise
from brisc.vocabulary import FOLD, FOLDS, HEADS, TUMOURS, VALIDATION

MASK = HEADS["mask"]


def out_of_fold(runs: Sequence[Evaluated], settings: Evaluate) -> dict[str, Any]:
    """The content of out_of_fold.json, see the head of this file; no models where no run has a fold."""
    by_name = {run.name: run for run in runs}
    found: dict[str, dict[int, Evaluated]] = {}
    for run in of_kind(runs, "fold"):
        of_model = found.setdefault(model_of(run, by_name), {})
        fold = run.summary["settings"]["fold"]
        if fold in of_model:
            raise InputError(
                "a fold that two runs of one model are judged on",
                where=run.folder,
                got=f"fold {fold} of {run.name} and {of_model[fold].name}",
                expected="one run for each fold",
                mend="Leave one of them out of runs.",
            )
        of_model[fold] = run
    models = {model: _together([folds[k] for k in sorted(folds)], settings) for model, folds in found.items()}
    return {"models": models}


def _together(folds: Sequence[Evaluated], settings: Evaluate) -> dict[str, Any]:
    table = pd.concat([subset_of(run.images(), FOLD) for run in folds], ignore_index=True)
    numbers = [run.summary["settings"]["fold"] for run in folds]
    validation = [run.metrics[VALIDATION][MASK.primary] for run in folds]
    return {
        "folds": numbers,
        "complete": len(numbers) == FOLDS,
        "runs": [run.name for run in folds],
        "validation": sum(validation) / len(validation),
        **summarise(
            table,
            study_batch_size=settings.study_batch_size,
            resamples=settings.bootstrap_resamples,
            seed=settings.bootstrap_seed,
            class_weights={label: int((table["label"] == label).sum()) for label in TUMOURS},
        ),
    }

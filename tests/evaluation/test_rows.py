import math

import numpy as np
import pandas as pd
import pytest

from brisc.errors import InputError
from brisc.evaluation.rows import FLOAT_FORMAT, as_written, class_weighted


def test_class_weighted_mean_by_hand():
    # (1 x 0.5 + 3 x 0.9) / 4
    assert class_weighted({"a": 0.5, "b": 0.9}, {"a": 1, "b": 3}, where="here") == pytest.approx(0.8)


def test_class_weighted_mean_is_undefined_where_a_class_with_a_weight_is_absent():
    assert class_weighted({"a": 0.5, "b": None}, {"a": 1, "b": 3}, where="here") is None
    assert class_weighted({"a": 0.5, "b": None}, {"a": 1, "b": 0}, where="here") == 0.5
    assert class_weighted({"a": 0.5}, {"a": 0}, where="here") is None
    assert class_weighted({"a": 0.5}, {}, where="here") is None


def test_class_weighted_mean_refuses_a_weight_of_an_unknown_class():
    with pytest.raises(InputError, match=r"here: unknown class weight: got \['c'\]"):
        class_weighted({"a": 0.5}, {"a": 1, "c": 1}, where="here")


def test_rounded_numbers_are_those_that_the_file_gives_back(tmp_path):
    values = np.concatenate([np.random.default_rng(0).random(200) ** 9, [0, 1, 1 / 3, 1e-300, 2e-17]])
    pd.DataFrame({"p": values}).to_csv(tmp_path / "table.csv", index=False, float_format=FLOAT_FORMAT)
    assert as_written(values).tolist() == pd.read_csv(tmp_path / "table.csv")["p"].tolist()
    assert as_written([[1 / 3, 2 / 3]]).tolist() == [[0.333333, 0.666667]]


def test_rounding_removes_the_last_bit_and_is_done_once():
    values = np.random.default_rng(1).random(500)
    rounded = as_written(values)
    assert (rounded != values).all()
    assert (as_written(np.nextafter(values, math.inf)) == rounded).all()
    assert (as_written(rounded) == rounded).all()
    assert as_written(np.zeros((0, 4))).shape == (0, 4)

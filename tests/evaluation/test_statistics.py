import itertools
import math

import numpy as np
import pytest
from scipy import stats

from brisc.errors import InputError
from brisc.evaluation.statistics import (
    bootstrap_mean,
    bootstrap_statistic,
    holm,
    letters,
    mcnemar_exact,
    paired_bootstrap,
    paired_bootstrap_statistic,
    student_interval,
    wilson,
)


def test_bootstrap_of_two_images_gives_their_three_means():
    # Images of value 0 and 1: a resample has mean 0, 1/2, 1 with probability 1/4, 1/2, 1/4. The quantiles at
    # .025 and .975 are therefore 0 and 1, those at .3 and .7 both 1/2.
    two = {"groups": ["a", "b"], "resamples": 4000, "seed": 3}
    assert bootstrap_mean([0, 1], **two, level=0.95) == (0.0, 1.0)
    assert bootstrap_mean([0, 1], **two, level=0.4) == (0.5, 0.5)


def test_bootstrap_divides_sums_by_sizes_and_does_not_average_group_means():
    # Groups {0} and {1, 1, 1}: the resample with one of each has mean 3/4, where the mean of the group means
    # is 1/2.
    low, high = bootstrap_mean([0, 1, 1, 1], groups=["a", "b", "b", "b"], resamples=4000, seed=3, level=0.4)
    assert (low, high) == (0.75, 0.75)


def test_interval_is_the_95_percent_one_unless_told_otherwise():
    values, groups = np.random.default_rng(0).random(50), np.arange(50)
    given = {"groups": groups, "resamples": 500, "seed": 1}
    assert bootstrap_mean(values, **given) == bootstrap_mean(values, **given, level=0.95)
    assert paired_bootstrap(values, groups, **given) == paired_bootstrap(values, groups, **given, level=0.95)
    assert wilson(3, 10) == wilson(3, 10, level=0.95)


def test_bootstrap_agrees_with_the_normal_interval_of_many_images():
    # Mean of n numbers with deviation s: the interval is close to mean -+ 1.96 s / sqrt(n).
    values = np.random.default_rng(5).normal(10, 2, size=900)
    low, high = bootstrap_mean(values, groups=np.arange(900), resamples=4000, seed=5)
    half = 1.96 * values.std() / math.sqrt(900)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)


def test_bootstrap_covers_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(7)
    covered = 0
    for trial in range(300):
        low, high = bootstrap_mean(
            rng.beta(5, 1, size=60), groups=np.arange(60), resamples=300, seed=trial, level=0.9
        )
        covered += low <= 5 / 6 <= high
    assert (
        0.84 <= covered / 300 <= 0.95
    )  # 0.9 with 3 deviations of a share of 300 (0.017), and small-sample loss


def test_bootstrap_over_groups_covers_where_the_naive_one_does_not():
    # 40 patients with 5 slices each; slices of a patient differ far less than patients do.
    rng = np.random.default_rng(8)
    patient = np.repeat(np.arange(40), 5)
    covered = {"groups": 0, "naive": 0}
    for trial in range(200):
        values = rng.normal(0, 1, size=40)[patient] + rng.normal(0, 0.2, size=200)
        for name, groups in (("groups", patient), ("naive", np.arange(200))):
            low, high = bootstrap_mean(values, groups=groups, resamples=300, seed=trial)
            covered[name] += low <= 0 <= high
    assert covered["groups"] / 200 > 0.88
    assert covered["naive"] / 200 < 0.75


def test_copies_are_no_new_evidence_when_they_are_one_group():
    # Every image four times. In groups nothing changes; taken for independent the interval halves (1 /
    # sqrt(4)).
    values, image = np.random.default_rng(9).random(200), np.arange(200)
    single = bootstrap_mean(values, groups=image, resamples=2000, seed=0)
    grouped = bootstrap_mean(np.repeat(values, 4), groups=np.repeat(image, 4), resamples=2000, seed=0)
    naive = bootstrap_mean(np.repeat(values, 4), groups=np.arange(800), resamples=2000, seed=0)
    assert grouped == pytest.approx(single)
    assert (naive[1] - naive[0]) / (grouped[1] - grouped[0]) == pytest.approx(0.5, rel=0.1)


def test_bootstrap_is_seeded_and_independent_of_row_order():
    rng = np.random.default_rng(10)
    values, groups = rng.random(90), np.array([f"g{i // 3:02d}" for i in range(90)])
    given = {"resamples": 400, "seed": 4}
    order = rng.permutation(90)
    first = bootstrap_mean(values, groups=groups, **given)
    assert bootstrap_mean(values, groups=groups, **given) == first
    assert bootstrap_mean(values[order], groups=groups[order], **given) == pytest.approx(first)
    assert bootstrap_mean(values, groups=groups, resamples=400, seed=5) != first
    assert bootstrap_mean(values, groups=groups, resamples=401, seed=4) != first


def test_resamples_beyond_one_block_of_memory_are_all_drawn():
    # 3,000 groups x 1,000 resamples are drawn in three blocks; a forgotten one would leave rubbish in the
    # tail.
    low, high = bootstrap_mean(
        np.full(3000, 0.5), groups=np.arange(3000), resamples=1000, seed=0, level=0.999
    )
    assert (low, high) == (0.5, 0.5)


@pytest.mark.parametrize(("values", "groups"), [([], []), ([0.3], ["a"]), ([0.3, 0.4], ["a", "a"])])
def test_interval_is_undefined_below_two_groups(values, groups):
    assert bootstrap_mean(values, groups=groups, resamples=10, seed=0) == (None, None)


@pytest.mark.parametrize(
    ("values", "groups", "told"),
    [
        ([0.1, math.nan], ["a", "b"], "1 values that are not finite"),
        ([0.1, 0.2], ["a", None], "1 without a group"),
        ([0.1, 0.2], ["a"], "values and groups do not match"),
    ],
)
def test_bootstrap_refuses_what_it_cannot_draw(values, groups, told):
    with pytest.raises(InputError, match=told):
        bootstrap_mean(values, groups=groups, resamples=10, seed=0)


def test_paired_difference_by_hand():
    # Differences -1 and 3: resampled means -1, 1, 3 with probability 1/4, 1/2, 1/4. A quarter lies below 0,
    # so p is about 2 x 1/4, and the interval runs from -1 to 3.
    paired = paired_bootstrap([1, 5], [2, 2], groups=["a", "b"], resamples=8000, seed=2)
    assert (paired.difference, paired.low, paired.high) == (1.0, -1.0, 3.0)
    assert paired.p == pytest.approx(0.5, abs=0.03)


def test_paired_difference_that_never_changes_sign_has_the_smallest_p():
    # All differences are 1/2: no resample at 0 or below, p = 2 (0 + 1) / (999 + 1).
    paired = paired_bootstrap(np.arange(9) + 0.5, np.arange(9), groups=np.arange(9), resamples=999, seed=2)
    assert paired == (0.5, 0.5, 0.5, 0.002)


def test_paired_difference_of_a_model_with_itself_is_nothing():
    values = np.random.default_rng(1).random(30)
    assert paired_bootstrap(values, values, groups=np.arange(30), resamples=99, seed=2) == (
        0.0,
        0.0,
        0.0,
        1.0,
    )


def test_paired_bootstrap_mirrors_when_the_models_swap():
    rng = np.random.default_rng(2)
    a, b, groups = rng.random(80), rng.random(80) + 0.1, np.arange(80) // 2
    one = paired_bootstrap(a, b, groups=groups, resamples=999, seed=6)
    other = paired_bootstrap(b, a, groups=groups, resamples=999, seed=6)
    assert other == pytest.approx((-one.difference, -one.high, -one.low, one.p))


def test_paired_p_is_small_when_the_interval_leaves_out_zero():
    rng = np.random.default_rng(3)
    decided = set()
    for trial in range(60):
        difference = rng.normal(0.3, 1, size=40)
        paired = paired_bootstrap(difference, np.zeros(40), groups=np.arange(40), resamples=999, seed=trial)
        if (
            abs(paired.p - 0.05) > 0.01
        ):  # nearer than that the + 1 and the interpolation of the quantile decide
            assert (paired.p < 0.05) == (paired.low > 0 or paired.high < 0)
            decided.add(paired.p < 0.05)
    assert decided == {True, False}


def test_paired_p_is_seldom_small_without_a_difference():
    rng = np.random.default_rng(4)
    p_values = [
        paired_bootstrap(*rng.random((2, 60)), groups=np.arange(60), resamples=199, seed=trial).p
        for trial in range(300)
    ]
    assert 0.02 <= np.mean(np.array(p_values) < 0.05) <= 0.1
    assert np.median(p_values) == pytest.approx(0.5, abs=0.12)


def test_paired_difference_is_undefined_in_part_below_two_groups():
    assert paired_bootstrap([], [], groups=[], resamples=9, seed=0) == (None, None, None, None)
    assert paired_bootstrap([0.5, 1], [0, 0], groups=["a", "a"], resamples=9, seed=0) == (
        0.75,
        None,
        None,
        None,
    )


def test_paired_bootstrap_refuses_measurements_of_different_images():
    with pytest.raises(InputError, match="do not pair up"):
        paired_bootstrap([1, 2], [1], groups=[1, 2], resamples=9, seed=0)


def test_bootstrap_of_a_statistic_is_that_of_the_mean_for_the_mean():
    rng = np.random.default_rng(12)
    a, b, groups = rng.random(60), rng.random(60), rng.integers(0, 25, 60)
    given = {"groups": groups, "resamples": 300, "seed": 5}
    assert bootstrap_statistic(lambda rows: a[rows].mean(), **given) == pytest.approx(
        bootstrap_mean(a, **given)
    )
    paired = paired_bootstrap_statistic(lambda rows: a[rows].mean(), lambda rows: b[rows].mean(), **given)
    assert paired == pytest.approx(paired_bootstrap(a, b, **given))


def test_bootstrap_of_a_statistic_gives_it_whole_groups_in_the_order_of_the_images():
    drawn = []

    def largest(rows):
        drawn.append(tuple(rows))
        return float(rows.max())

    # Groups {0, 2} and {1}: both, the first twice, the second twice.
    bootstrap_statistic(largest, groups=["a", "b", "a"], resamples=50, seed=1)
    assert set(drawn) == {(0, 1, 2), (0, 0, 2, 2), (1, 1)}


def test_bootstrap_of_a_maximum_by_hand():
    # Of values 1 and 2 a resample lacks the 2 with probability 1/4: the interval at 40 % is 2 alone, at 95 %
    # 1 to 2. The difference from a constant 1.5 is -1/2 or 1/2, at most 0 in a quarter of resamples, so p is
    # about 1/2.
    values, given = np.array([1.0, 2.0]), {"groups": ["a", "b"], "resamples": 4000, "seed": 3}
    assert bootstrap_statistic(lambda rows: values[rows].max(), **given, level=0.4) == (2.0, 2.0)
    assert bootstrap_statistic(lambda rows: values[rows].max(), **given) == (1.0, 2.0)
    paired = paired_bootstrap_statistic(lambda rows: values[rows].max(), lambda rows: 1.5, **given)
    assert (paired.difference, paired.low, paired.high) == (0.5, -0.5, 0.5)
    assert paired.p == pytest.approx(0.5, abs=0.03)


def test_bootstrap_of_a_statistic_is_undefined_in_part_below_two_groups():
    def number(rows):
        return float(len(rows))

    given = {"resamples": 9, "seed": 0}
    assert bootstrap_statistic(number, groups=["a", "a"], **given) == (None, None)
    assert paired_bootstrap_statistic(number, lambda rows: 0.5, groups=["a", "a"], **given) == (
        1.5,
        None,
        None,
        None,
    )
    assert paired_bootstrap_statistic(number, number, groups=[], **given) == (None, None, None, None)


def test_bootstrap_refuses_a_statistic_that_some_resamples_lack():
    # The mean of the images of b is not defined where no b was drawn.
    is_b = np.array([False, True])
    with pytest.raises(InputError, match="not defined on every resample"):
        bootstrap_statistic(
            lambda rows: 1 / is_b[rows].sum() if is_b[rows].any() else math.nan,
            groups=[0, 1],
            resamples=99,
            seed=0,
        )
    with pytest.raises(InputError, match="1 without a group"):
        bootstrap_statistic(lambda rows: 0.0, groups=["a", None], resamples=9, seed=0)


def test_letters_by_hand():
    def letter(order, *told_apart):
        return {
            model: "".join(held)
            for model, held in letters(list(order), {frozenset(pair) for pair in told_apart}).items()
        }

    assert letter("abc") == {"a": "a", "b": "a", "c": "a"}
    assert letter("abc", "ab", "ac", "bc") == {"a": "a", "b": "b", "c": "c"}
    assert letter("abc", "ab", "ac") == {"a": "a", "b": "b", "c": "b"}
    # Not transitive: b is like a and like c, but a is not like c.
    assert letter("abc", "ac") == {"a": "a", "b": "ab", "c": "b"}
    # A circle: every model is like two others, and not like the one opposite.
    assert letter("abcd", "ac", "bd") == {"a": "ab", "b": "ac", "c": "cd", "d": "bd"}
    # The middle one differs from both ends, which are like each other.
    assert letter("abc", "ab", "bc") == {"a": "a", "b": "b", "c": "a"}
    assert letter("") == {}


def test_letters_are_shared_exactly_by_those_that_do_not_differ():
    rng = np.random.default_rng(13)
    for _ in range(200):
        models = [f"m{i}" for i in range(rng.integers(1, 8))]
        told_apart = {frozenset(pair) for pair in itertools.combinations(models, 2) if rng.random() < 0.5}
        held = letters(models, told_apart)
        for a, b in itertools.combinations(models, 2):
            assert (not set(held[a]) & set(held[b])) == (frozenset((a, b)) in told_apart)
        assert held[models[0]][0] == "a"


def test_letters_go_on_after_z():
    models = [f"m{i:02}" for i in range(28)]
    held = letters(models, {frozenset(pair) for pair in itertools.combinations(models, 2)})
    assert [held[model] for model in (models[0], models[25], models[26], models[27])] == [
        ["a"],
        ["z"],
        ["aa"],
        ["ab"],
    ]


def test_student_interval_by_hand():
    # 1 and 3: mean 2, deviation sqrt(2), over sqrt(2) images; Student's 97.5 % quantile with one degree is
    # tan(.475 pi).
    assert student_interval([1, 3]) == pytest.approx(
        (2 - math.tan(0.475 * math.pi), 2 + math.tan(0.475 * math.pi))
    )
    assert student_interval([5]) == student_interval([]) == (None, None)


def test_student_interval_is_that_of_scipy():
    values = list(np.random.default_rng(14).normal(3, 2, size=5))
    for level in (0.5, 0.95):
        expected = stats.ttest_1samp(values, 0).confidence_interval(level)
        assert student_interval(values, level=level) == pytest.approx((expected.low, expected.high))


def test_mcnemar_by_hand():
    # 1 against 8 of 9: 2 (1 + 9) / 2^9 = 20 / 512.
    assert mcnemar_exact(1, 8) == mcnemar_exact(8, 1) == 20 / 512
    assert mcnemar_exact(0, 5) == 2 / 32
    assert mcnemar_exact(0, 0) == mcnemar_exact(3, 3) == 1.0


def test_mcnemar_is_the_binomial_test():
    for b, c in itertools.product([0, 1, 2, 7, 30, 411], repeat=2):
        expected = stats.binomtest(b, b + c, 0.5).pvalue if b + c > 0 else 1.0
        assert mcnemar_exact(b, c) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_refuses_negative_counts():
    with pytest.raises(InputError, match="negative"):
        mcnemar_exact(-1, 3)


def test_holm_textbook():
    # Sorted .005 .01 .03 .04 times 4 3 2 1: .02 .03 .06 .04, and the last is raised to the .06 before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


def test_holm_rejects_what_the_step_down_procedure_rejects():
    rng = np.random.default_rng(11)
    for _ in range(200):
        p_values = list(rng.random(rng.integers(1, 9)) ** 3)
        rejected = set()
        for step, position in enumerate(np.argsort(p_values)):
            if p_values[position] > 0.05 / (len(p_values) - step):
                break
            rejected.add(int(position))
        assert {i for i, p in enumerate(holm(p_values)) if p <= 0.05} == rejected


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_holm_refuses_what_is_no_p_value(p):
    with pytest.raises(InputError, match="not p-values"):
        holm([0.5, p])


def test_wilson_at_the_ends_by_hand():
    # At k = 0 the interval is 0 .. z^2 / (n + z^2) = 3.8415 / 13.8415, at k = n its mirror image.
    assert wilson(0, 10) == pytest.approx((0.0, 0.277533), abs=1e-6)
    assert wilson(10, 10) == pytest.approx((1 - 0.277533, 1.0), abs=1e-6)
    assert wilson(0, 0) == (None, None)


def test_wilson_ends_are_0_and_1_without_rounding():
    for n in range(1, 300):
        assert (wilson(0, n)[0], wilson(n, n)[1]) == (0.0, 1.0)


def test_wilson_is_that_of_scipy():
    for n, level in itertools.product([1, 7, 140], [0.5, 0.95, 0.99]):
        for k in range(n + 1):
            expected = stats.binomtest(k, n).proportion_ci(level, method="wilson")
            assert wilson(k, n, level=level) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("k", "n"), [(3, 2), (-1, 2), (1, 0)])
def test_wilson_refuses_what_is_no_proportion(k, n):
    with pytest.raises(InputError, match="not a proportion"):
        wilson(k, n)

"""Statistics of a few seeds, against SciPy."""

import numpy as np
import pytest
from scipy import stats

from neuronsim.comparing import statistics


@pytest.mark.parametrize("n", range(3, 10))
def test_student_s_interval(n):
    values = np.random.default_rng(n).normal(3.0, 2.0, n)
    expected = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=stats.sem(values))
    assert statistics.interval(values) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("n", [10, 40])
def test_a_bootstrap_s_interval(n):
    values = np.random.default_rng(n).exponential(2.0, n)
    expected = stats.bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(1))
    width = values.std() / np.sqrt(n)
    assert statistics.interval(values) == pytest.approx(expected.confidence_interval, abs=0.1 * width)
    assert statistics.interval(values) == statistics.interval(values)


@pytest.mark.parametrize("n", [2, 5, 9, 12])
def test_the_sign_flip_test_is_exact(n):
    differences = np.random.default_rng(n).normal(0.5, 1.0, n)
    expected = stats.permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert statistics.sign_flip(differences) == pytest.approx(expected.pvalue, abs=1e-12)


def test_its_floor():
    assert statistics.sign_flip(np.ones(5)) == statistics.least_p(5) == 0.0625
    assert statistics.sign_flip(np.zeros(4)) == 1.0
    assert statistics.sign_flip(np.ones(30)) == pytest.approx(statistics.least_p(30))


def test_many_pairs_are_sampled():
    differences = np.random.default_rng(0).normal(0.3, 1.0, 20)
    exact = stats.permutation_test((differences,), np.sum, permutation_type="samples", n_resamples=50_000, rng=0)
    assert statistics.sign_flip(differences) == pytest.approx(exact.pvalue, abs=0.01)


def test_holm():
    assert statistics.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert statistics.holm([0.9, 0.8]) == [1.0, 1.0]
    assert statistics.holm([]) == []


@pytest.mark.parametrize("n", [8, 9, 15])
def test_the_interquartile_mean(n):
    values = np.random.default_rng(n).normal(size=n)
    assert statistics.iqm(values) == pytest.approx(stats.trim_mean(values, 0.25))


def test_a_summary():
    found = statistics.summarise([3.0, 1.0, None, float("nan"), 2.0, float("inf")], higher_is_better=True)
    assert (found.n, found.n_without, found.mean, found.median, found.best, found.iqm) == (3, 3, 2.0, 2.0, 3.0, None)
    assert found.deviation == 1.0
    assert statistics.summarise([1.0, 2.0], higher_is_better=False).interval is None
    assert statistics.summarise([1.0, 2.0], higher_is_better=False).best == 1.0
    assert statistics.summarise([None], higher_is_better=False).mean is None

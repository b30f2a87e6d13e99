"""Optimising plain functions, against L4's numbers."""

import math

import numpy as np
import pytest

from neuronsim.errors import DataError, SettingError
from neuronsim.formulas.descent import gradient_descent, numerical_gradient, random_search


def slope_of_square(x):
    return 2 * x


class TestGradientDescent:
    def test_l4s_steps(self):
        result = gradient_descent(-4.0, slope_of_square, 0.8, max_iter=30, tol=0)
        assert result.steps[:6] == pytest.approx([-4.0, 2.4, -1.44, 0.864, -0.5184, 0.31104], abs=1e-12)
        assert len(result.steps) == 31
        assert result.x == pytest.approx(-8.84296e-07, abs=5e-13)
        assert result.x == result.steps[-1]

    def test_l4s_default_tolerance_stops_after_13_steps(self):
        result = gradient_descent(-4.0, slope_of_square, 0.8, 30)
        assert len(result.steps) == 1 + 13
        assert result.x == pytest.approx(0.0052243, abs=5e-8)

    def test_it_unpacks_as_in_l4(self):
        steps, x = gradient_descent(1.0, slope_of_square, 0.1, 5)
        assert steps[-1] == x

    def test_of_several_variables(self):
        result = gradient_descent([3.0, -2.0], lambda v: np.array([2 * v[0], 8 * v[1]]), 0.1, 1000, tol=1e-9)
        assert result.x == pytest.approx([0.0, 0.0], abs=1e-7)
        assert isinstance(result.x, np.ndarray)

    def test_a_start_at_the_minimum_stays(self):
        assert gradient_descent(0.0, slope_of_square, 0.8, 30).steps == [0.0]

    def test_too_large_a_rate_diverges_visibly(self):
        assert abs(gradient_descent(1.0, slope_of_square, 1.1, 100).x) > 1e6

    @pytest.mark.parametrize("rate", [-0.1, math.nan, math.inf])
    def test_rates_refused(self, rate):
        with pytest.raises(SettingError, match="the learning rate is"):
            gradient_descent(1.0, slope_of_square, rate, 10)

    def test_a_gradient_of_the_wrong_shape(self):
        with pytest.raises(DataError, match=r"the gradient has the shape \(\), x has \(2,\)"):
            gradient_descent([1.0, 2.0], lambda v: 1.0, 0.1, 10)

    def test_a_negative_number_of_steps(self):
        with pytest.raises(SettingError, match="max_iter"):
            gradient_descent(1.0, slope_of_square, 0.1, -1)


class TestNumericalGradient:
    def test_of_a_number(self):
        """L2's chain rule: f(u) = 7u + u², u = x³ has df/dx = 21x² + 6x⁵."""
        slope = numerical_gradient(lambda x: 7 * x**3 + x**6, 1.3)
        assert slope == pytest.approx(21 * 1.3**2 + 6 * 1.3**5, rel=1e-8)
        assert isinstance(slope, float)

    def test_of_an_array(self):
        x = np.array([[1.0, 2.0], [3.0, 4.0]])
        assert numerical_gradient(lambda v: float((v**2).sum()), x) == pytest.approx(2 * x, rel=1e-8)
        assert x.tolist() == [[1.0, 2.0], [3.0, 4.0]]

    def test_eps_must_be_positive(self):
        with pytest.raises(SettingError, match="eps"):
            numerical_gradient(slope_of_square, 1.0, eps=0.0)


class TestRandomSearch:
    def test_uniform(self):
        result = random_search(lambda v: float(((v - 0.3) ** 2).sum()), [-1, -1], [1, 1], n=4000, rng=0)
        assert result.x == pytest.approx([0.3, 0.3], abs=0.1)
        assert result.value == result.values.min()
        assert result.tried.shape == (4000, 2)
        assert np.abs(result.tried).max() <= 1.0

    def test_normal_of_one_number(self):
        result = random_search(lambda x: (x - 2.0) ** 2, start=1.0, scale=0.5, n=2000, rng=1)
        assert isinstance(result.x, float)
        assert result.x == pytest.approx(2.0, abs=0.05)

    def test_the_seed_decides(self):
        first, second = (random_search(abs, -1, 1, n=10, rng=5) for _ in range(2))
        assert first.tried.tolist() == second.tried.tolist()
        assert first.tried.tolist() != random_search(abs, -1, 1, n=10, rng=6).tried.tolist()

    def test_nan_never_wins(self):
        result = random_search(lambda x: math.nan if x < 0 else x, -1, 1, n=50, rng=0)
        assert result.x >= 0

    @pytest.mark.parametrize("arguments", [{}, {"low": 0}, {"low": 0, "high": 1, "start": 0.5}])
    def test_where_to_draw_must_be_clear(self, arguments):
        with pytest.raises(SettingError, match="either low and high, or start"):
            random_search(abs, **arguments)

    def test_at_least_one_point(self):
        with pytest.raises(SettingError, match="n is 0"):
            random_search(abs, 0, 1, n=0)


class TestOptimizers:
    def test_sgd_is_the_routine_itself(self):
        plain = gradient_descent([3.0, -1.0], lambda x: 2 * x, 0.3, 20, tol=0)
        named = gradient_descent([3.0, -1.0], lambda x: 2 * x, 0.3, 20, tol=0, optimizer="sgd")
        np.testing.assert_array_equal(plain.steps, named.steps)

    def test_momentum_by_hand(self):
        steps = gradient_descent(1.0, lambda x: 2 * x, 0.1, 2, tol=0, optimizer="momentum").steps
        v = -0.1 * 2 * 1.0
        x = 1.0 + v
        v = 0.9 * v - 0.1 * 2 * x
        assert steps == [1.0, x, x + v]

    def test_each_component_has_a_state_of_its_own(self):
        both = gradient_descent([1.0, 10.0], lambda x: 2 * x, 0.1, 30, tol=0, optimizer="adam").x
        alone = [gradient_descent(s, lambda x: 2 * x, 0.1, 30, tol=0, optimizer="adam").x for s in (1.0, 10.0)]
        assert both.tolist() == alone

    def test_unknown(self):
        with pytest.raises(SettingError, match="did you mean 'adam'"):
            gradient_descent(1.0, lambda x: x, 0.1, 3, optimizer="adm")

"""The map of errors by level and step."""

import math

import numpy as np
import pytest
from pictures import T, X

import neuronsim as ns
from neuronsim.errors import DataError, NotKnownError, SettingError
from neuronsim.plots import errors


class TestErrors:
    def test_cells_are_mean_absolute_deltas_by_level(self, run: ns.Run):
        picture = errors(run, steps=[0, 7, 39])
        assert picture.steps.tolist() == [0, 7, 39]
        levels = (slice(0, 2), slice(2, 5), slice(5, 6))
        for column, q in enumerate(picture.steps):
            expected = [np.abs(run.at(int(q)).delta[level]).mean() for level in levels]
            np.testing.assert_allclose(picture.values[:, column], expected, rtol=1e-12)

    def test_of_a_batch_over_its_samples(self):
        net = ns.wiring.layered([2, 3, 1], activation="sigmoid", rng=0)
        run = net.fit(X, T, epochs=2, batch_size=4, rng=0)
        picture = errors(run)
        np.testing.assert_allclose(picture.values[2, 1], np.abs(run.at(1).delta[:, 5]).mean(), rtol=1e-12)

    def test_all_steps_of_a_short_run_and_a_hundred_of_a_long_one(self, run: ns.Run):
        assert errors(run).steps.tolist() == list(range(40))
        long = ns.wiring.layered([2, 2, 1], rng=0).fit(X, T, epochs=300, rng=0)
        steps = errors(long).steps
        assert (len(steps), steps[0], steps[-1]) == (100, 0, 1199)

    def test_what_is_zero_has_a_cell_and_what_is_not_finite_has_none(self, run: ns.Run):
        net = ns.wiring.layered([2, 3, 1], activation="relu", rng=0)
        net.biases = np.full(net.n_neurons, -100.0)  # dead: no δ comes back
        step = net.step([0.0, 1.0], [1.0])
        picture = errors([step])
        assert picture.values[1, 0] == 0
        assert not np.ma.getmaskarray(picture.image.get_array())[1, 0]
        net = ns.wiring.layered([1, 1], activation="identity", rng=0)
        net.weights = [1e10]
        with pytest.warns(ns.DivergenceWarning):
            wild = net.fit([[1e300]], [[0.0]], rng=0)  # z = inf
        drawn = errors(wild)
        assert math.isnan(drawn.values[-1, -1])
        assert np.ma.getmaskarray(drawn.image.get_array())[-1, -1]

    def test_a_mean_that_overflows_is_absent(self):
        net = ns.wiring.layered([2, 1], activation="identity", rng=0)
        net.weights = np.full(2, 1e308)
        step = net.step([1.0, 0.5], [0.0], loss="absolute_error", learning_rate=0.0)
        assert np.isnan(errors([step]).values[0, 0])
        assert errors([step]).values[1, 0] == 1.0

    def test_refused(self, run: ns.Run):
        with pytest.raises(DataError, match="no step"):
            errors([])
        with pytest.raises(SettingError, match="steps="):
            errors([run.at(0)], steps=[0])
        other = ns.wiring.layered([2, 4, 1], rng=0)
        with pytest.raises(DataError, match="one wiring"):
            errors([run.at(0), other.step([0.0, 1.0], [1.0])])
        unkept = ns.wiring.layered([2, 3, 1], rng=0).fit(X, T, snapshots=False)
        with pytest.raises(NotKnownError, match="snapshots"):
            errors(unkept)

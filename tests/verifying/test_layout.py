"""Parameters of other programs, in every form in which they may be given."""

import numpy as np
import pytest
from nets import T222, X222, net_222

import neuronsim as ns
from neuronsim.errors import DataError, SettingError, WiringError


def test_mappings_pairs_and_networks_are_the_same():
    net = net_222(frozen=False)
    after = net.copy()
    after.step(X222, T222, learning_rate=0.5)
    others = after.biases[2:]
    for given_as in (
        after,
        (after.weights, after.biases),
        (after.weights, others),
        {"weights": after.weights.tolist()},
    ):
        assert net.check_foreign(X222, T222, given_as, learning_rate=0.5).ok


@pytest.mark.parametrize(
    ("after", "message"),
    [
        ({"weight": np.zeros(8)}, "did you mean 'weights'"),
        ({"weights": np.zeros(7)}, r"weights of after has shape \(7,\).* must be \(8,\)"),
        ({"weights": np.full(8, np.nan)}, "not all finite"),
        ({}, "nothing to recognise"),
        (3.0, "not float"),
        (ns.wiring.layered([2, 2], rng=0), "wired in another way"),
    ],
)
def test_what_cannot_be_used_is_refused(after, message):
    with pytest.raises((DataError, SettingError, WiringError), match=message):
        net_222().check_foreign(X222, T222, after, learning_rate=0.5)

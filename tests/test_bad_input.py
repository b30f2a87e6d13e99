"""Bad input to what runs and trains: a clear error, and a network that is bit for bit what it was."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import neuronsim as ns
from neuronsim.errors import CycleError, DataError, NeuronsimError, SettingError, WiringError

X = np.random.default_rng(0).normal(size=(6, 2))
CLASSES = np.array([0, 1, 0, 1, 1, 0])
T = np.eye(2)[CLASSES]


def classifier(dtype: str = "float64") -> ns.Network:
    net = ns.Network(dtype, rng=0)
    net.add_inputs("i1", "i2")
    net.add_neuron("h1", ["i1", "i2"], activation="prelu", bias=0.1)
    net.add_neuron("y0", ["h1"], activation="softmax")
    net.add_neuron("y1", ["h1", "i2"], activation="softmax")
    net.set_outputs("y0", "y1")
    net.freeze("y0")
    net.scale_rate("h1", 0.5)
    return net


def state_of(net: ns.Network) -> tuple[Any, ...]:
    """Every bit that a network holds."""
    graph = net.graph
    rates = (graph.weight_rates, graph.bias_rates, graph.slope_rates)
    arrays = (net.weights, net.biases, net.slopes, net.edges, net.inputs, net.outputs, *rates)
    return (*(np.asarray(a).tobytes() for a in arrays), net.neurons.tolist(), graph.version, net.seed)


def changed(values: np.ndarray, row: int, column: int, value: float) -> np.ndarray:
    other = np.array(values, dtype=np.float64)
    other[row, column] = value
    return other


def refuses(net: ns.Network, call: Callable[[ns.Network], object], kind: type[Exception], *words: str) -> None:
    """The call raises ``kind`` with all words in its message, from our own code, and changes nothing."""
    before = state_of(net)
    with pytest.raises(NeuronsimError) as caught:
        call(net)
    message = str(caught.value)
    assert isinstance(caught.value, kind), message
    assert all(word in message for word in words), message
    assert "numba" not in message.lower()
    assert "Traceback" not in message
    assert state_of(net) == before


# --- data, for every call that takes them

BAD_X = {
    "nan": (changed(X, 3, 1, np.nan), ["X[3, 1]", "row 3", "column 1", "nan", "finite"]),
    "infinity": (changed(X, 2, 0, -np.inf), ["X[2, 0]", "-inf", "finite"]),
    "a column too few": (X[:, :1], ["X has 1 column", "2 inputs (i1, i2)"]),
    "a column too many": (np.ones((6, 3)), ["X has 3 columns", "2 inputs (i1, i2)"]),
    "three dimensions": (X[None], ["(1, 6, 2)", "(n_samples, 2)"]),
    "no samples": (X[:0], ["X has no samples", "(0, 2)"]),
    "text": ([["a", "b"]] * 6, ["X holds text", "real numbers"]),
    "objects": (np.array([[object(), 1]] * 6), ["X holds Python objects", "real numbers"]),
    "complex numbers": (X * 1j, ["X holds complex numbers", "real numbers"]),
    "ragged rows": ([[1, 2], [1]] * 3, ["X is not an array", "length"]),
    "nothing": (None, ["X holds Python objects"]),
    "masked values": (np.ma.array(X, mask=X > 0), ["X has masked values", "filled"]),
    "dates": (np.zeros((6, 2), "M8[s]"), ["X holds datetime64", "real numbers"]),
}

CALLS: dict[str, Callable[[ns.Network, Any, Any], object]] = {
    "fit": lambda net, x, t: net.fit(x, t),
    "fit in batches": lambda net, x, t: net.fit(x, t, batch_size=4, optimizer="adam"),
    "gradients": lambda net, x, t: net.gradients(x, t),
    "evaluate": lambda net, x, t: net.evaluate(x, t),
    "validation": lambda net, x, t: net.fit(X, CLASSES, validation=(x, t)),
}
calls = pytest.mark.parametrize("call", list(CALLS))


def said(call: str, words: list[str]) -> list[str]:
    """The words as a call says them: fit names its validation data Xv and Tv."""
    return [re.sub(r"\b([XT])\b", r"\1v", word) for word in words] if call == "validation" else words


@pytest.mark.parametrize("bad", list(BAD_X))
@calls
def test_samples(call: str, bad: str):
    values, words = BAD_X[bad]
    refuses(classifier(), lambda net: CALLS[call](net, values, CLASSES), DataError, *said(call, words))


@pytest.mark.parametrize("bad", list(BAD_X))
@pytest.mark.parametrize("name", ["forward", "jacobian"])
def test_samples_alone(name: str, bad: str):
    values, words = BAD_X[bad]
    refuses(classifier(), lambda net: getattr(net, name)(values), DataError, *words)


@pytest.mark.parametrize("name", ["forward", "jacobian"])
@pytest.mark.parametrize(
    ("x", "words"),
    [
        ([1.0, 2.0, 3.0], ["x has 3 values", "2 inputs (i1, i2)"]),
        ([], ["x has 0 values", "2 inputs (i1, i2)"]),
        ([np.nan, 0.0], ["x[0, 0]", "nan"]),
        (3.0, ["()", "(n_samples, 2)"]),
        ("abc", ["text"]),
    ],
    ids=["too many", "none", "nan", "a number", "a str"],
)
def test_one_sample(name: str, x: Any, words: list[str]):
    refuses(classifier(), lambda net: getattr(net, name)(x), DataError, *words)


BAD_T = {
    "nan": (changed(T, 2, 1, np.nan), ["T[2, 1]", "nan", "finite"]),
    "infinity": (changed(T, 5, 0, np.inf), ["T[5, 0]", "inf", "finite"]),
    "a column too few": (T[:, :1], ["T has 1 column", "2 outputs (y0, y1)"]),
    "rows missing": (T[:4], ["T has 4 rows", "X has 6 samples"]),
    "labels missing": (CLASSES[:4], ["T has 4 rows", "X has 6 samples"]),
    "no labels": ([], ["T has 0 rows", "X has 6 samples"]),
    "a negative class": (CLASSES - 1, ["T[0] is class -1", "2 outputs", "from 0 to 1"]),
    "a class too high": (CLASSES + 1, ["T[1] is class 2", "2 outputs", "from 0 to 1"]),
    "a class beyond int32": (CLASSES + 2**32, ["T[0] is class 4294967296", "from 0 to 1"]),
    "classes as floats": (CLASSES.astype(float), ["class numbers are integers", "astype(int)"]),
    "halves as classes": (CLASSES + 0.5, ["class numbers are integers", "one column for each output"]),
    "text": (list("abcdef"), ["T holds text"]),
    "nothing": (None, ["T holds Python objects"]),
    "three dimensions": (T[None], ["(1, 6, 2)", "(n_samples, 2)"]),
}


@pytest.mark.parametrize("bad", list(BAD_T))
@calls
def test_targets(call: str, bad: str):
    values, words = BAD_T[bad]
    refuses(classifier(), lambda net: CALLS[call](net, X, values), DataError, *said(call, words))


@calls
def test_what_float32_cannot_hold(call: str):
    bad_x, bad_t = changed(X, 3, 1, 1e40), changed(T, 0, 1, 1e40)
    for x, t, place in ((bad_x, CLASSES, "X[3, 1]"), (X, bad_t, "T[0, 1]")):
        words = said(call, [place, "1e+40", "too large for float32", "3.403e+38"])
        refuses(classifier("float32"), lambda net, x=x, t=t: CALLS[call](net, x, t), DataError, *words)


def test_class_numbers_with_a_loss_that_takes_none():
    for loss in ("half_squared_error", "huber", "binary_cross_entropy"):
        words = ["class numbers", "only cross_entropy", loss, "(n_samples, 2)"]
        refuses(classifier(), lambda net, loss=loss: net.fit(X, CLASSES, loss=loss), DataError, *words)
        refuses(classifier(), lambda net, loss=loss: net.gradients(X, CLASSES, loss=loss), DataError, *words)
        refuses(classifier(), lambda net, loss=loss: net.step(X[0], 1, loss=loss), DataError)


# --- settings of fit

BAD_SETTINGS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a loss misspelt": ({"loss": "cros_entropy"}, ["'cros_entropy'", "did you mean 'cross_entropy'", "huber"]),
    "a loss of no kind": ({"loss": 3}, ["unknown loss 3", "allowed", "half_squared_error"]),
    "an optimizer misspelt": ({"optimizer": "adm"}, ["'adm'", "did you mean 'adam'", "rprop"]),
    "an optimizer's class": ({"optimizer": ns.optimizers.Adam}, ["unknown optimizer", "allowed: sgd"]),
    "sgd with momentum": ({"momentum": 0.9}, ["'sgd' takes no momentum", "'momentum', 'nesterov'"]),
    "adam with momentum": ({"optimizer": "adam", "momentum": 0.0}, ["'adam' takes no momentum"]),
    "too much momentum": ({"optimizer": "momentum", "momentum": 1.0}, ["1.0", "[0, 1)"]),
    "momentum in words": ({"optimizer": "nesterov", "momentum": "high"}, ["'high'", "[0, 1)"]),
    "momentum twice": ({"optimizer": ns.optimizers.Momentum(0.5), "momentum": 0.9}, ["0.5", "0.9", "once"]),
    "a negative rate": ({"learning_rate": -0.1}, ["the learning rate is -0.1", "finite", "at least 0", "cosine"]),
    "a rate that is nan": ({"learning_rate": np.nan}, ["the learning rate is nan", "finite"]),
    "an infinite rate": ({"learning_rate": np.inf}, ["the learning rate is inf", "finite"]),
    "a rate in words": ({"learning_rate": "0.1"}, ["the learning rate is '0.1'"]),
    "no rate": ({"learning_rate": None}, ["the learning rate is None"]),
    "a list of rates": ({"learning_rate": [0.1, 0.2]}, ["the learning rate is [0.1, 0.2]", "schedule"]),
    "a schedule misspelt": ({"learning_rate": {"schedule": "cosin"}}, ["'cosin'", "did you mean 'cosine'"]),
    "no batch": ({"batch_size": 0}, ["batch_size=0", "at least 1"]),
    "a negative batch": ({"batch_size": -1}, ["batch_size=-1", "at least 1"]),
    "half a batch": ({"batch_size": 2.5}, ["batch_size=2.5", "whole number"]),
    "a true batch": ({"batch_size": True}, ["batch_size=True", "whole number"]),
    "no epochs": ({"epochs": 0}, ["epochs=0", "at least 1"]),
    "epochs in floats": ({"epochs": 2.0}, ["epochs=2.0", "whole number"]),
    "no threads": ({"threads": 0}, ["threads=0", "at least 1"]),
    "threads in words": ({"threads": "all"}, ["threads='all'", "whole number"]),
    "a reduction misspelt": ({"reduction": "men"}, ["'men'", "mean, sum"]),
    "a negative decay": ({"weight_decay": -0.1}, ["weight_decay is -0.1", "at least 0"]),
    "a decay that is nan": ({"weight_decay": np.nan}, ["weight_decay is nan", "finite"]),
    "a decay in words": ({"weight_decay": "0.1"}, ["weight_decay is '0.1'"]),
    "no decay": ({"weight_decay": None}, ["weight_decay is None"]),
    "rprop with decay": ({"optimizer": "rprop", "weight_decay": 0.1}, ["'rprop' takes no weight_decay"]),
    "clipping to nothing": ({"clip_norm": 0.0}, ["clip_norm=0.0", "positive", "None"]),
    "clipping to less": ({"clip_value": -1}, ["clip_value=-1", "positive"]),
    "clipping to nan": ({"clip_value": np.nan}, ["clip_value=nan", "positive"]),
    "clipping to infinity": ({"clip_norm": np.inf}, ["clip_norm=inf", "None for no limit"]),
    "a negative seed": ({"rng": -1}, ["rng=-1", "from 0 on"]),
    "a seed in words": ({"rng": "today"}, ["rng='today'", "Generator"]),
    "a stop in words": ({"stop": "plateau"}, ["'plateau'", "ns.stop", "Plateau"]),
    "a stop of no kind": ({"stop": [ns.stop.Seconds(1), 5]}, ["5 is no stopping rule", "TargetLoss"]),
    "a stop's class": ({"stop": [ns.stop.Plateau]}, ["no stopping rule"]),
    "a monitor without validation": ({"stop": ns.stop.Plateau(2, monitor="val_loss")}, ["validation"]),
    "a monitor without evaluate": ({"stop": ns.stop.Plateau(2, monitor="data_loss")}, ["data_loss", "evaluate"]),
    "a monitor misspelt": ({"stop": ns.stop.TargetLoss(1, monitor="lss")}, ["'lss'", "'loss'"]),
    "a monitored word misspelt": (
        {"stop": ns.stop.Plateau(2, monitor="val_acuracy"), "validation": (X, CLASSES)},
        ["'val_acuracy'", "'val_accuracy'"],
    ),
}


@pytest.mark.parametrize("bad", list(BAD_SETTINGS))
@pytest.mark.parametrize("batch_size", [1, 4])
def test_settings(batch_size: int, bad: str):
    settings, words = BAD_SETTINGS[bad]
    settings = {"batch_size": batch_size} | settings
    refuses(classifier(), lambda net: net.fit(X, CLASSES, **settings), SettingError, *words)


@pytest.mark.parametrize("validation", [X, (X,), (X, T, T)], ids=["an array", "one", "three"])
def test_validation_that_is_no_pair(validation: Any):
    refuses(
        classifier(),
        lambda net: net.fit(X, CLASSES, validation=validation),
        DataError,
        "validation takes a pair (X, T)",
    )


SIGNALS: dict[str, Callable[[ns.Network], object]] = {
    "forward": lambda net: net.forward(X[:, :1]),
    "gradients": lambda net: net.gradients(X, CLASSES[:2]),
    "evaluate": lambda net: net.evaluate(X, CLASSES[:2]),
    "jacobian": lambda net: net.jacobian(X[:, :1]),
    "step": lambda net: net.step(X[0], 7),
    "fit": lambda net: net.fit(X, CLASSES, epochs=0),
}


@pytest.mark.parametrize("call", list(SIGNALS))
def test_what_the_last_step_made_known_stays_known(call: str):
    net = classifier()
    net.step(X[0], 1)
    known = net["h1"].z, net["h1"].y, net["h1"].delta
    with pytest.raises(NeuronsimError):
        SIGNALS[call](net)
    assert (net["h1"].z, net["h1"].y, net["h1"].delta) == known


def test_unknown_arguments():
    net = classifier()
    before = state_of(net)
    with pytest.raises(TypeError, match="lr"):
        net.fit(X, CLASSES, lr=0.1)
    assert state_of(net) == before


# --- one step

BAD_STEPS: dict[str, tuple[tuple[Any, Any], dict[str, Any], type[NeuronsimError], list[str]]] = {
    "a negative rate": ((X[0], 1), {"learning_rate": -1}, SettingError, ["the learning rate is -1"]),
    "a rate that is nan": ((X[0], 1), {"learning_rate": np.nan}, SettingError, ["the learning rate is nan"]),
    "a class too high": ((X[0], 2), {}, DataError, ["class 2", "from 0 to 1"]),
    "a class as a float": ((X[0], 1.0), {}, DataError, ["class numbers are integers"]),
    "many samples": ((X, CLASSES), {}, DataError, ["one sample", "(6, 2)", "fit"]),
    "a value too many": (([1, 2, 3], 1), {}, DataError, ["3 values", "2 inputs (i1, i2)"]),
    "nan": (([np.nan, 0], 1), {}, DataError, ["nan", "finite"]),
    "a target too many": ((X[0], [1.0, 2.0, 3.0]), {}, DataError, ["3 columns", "2 outputs (y0, y1)"]),
    "a target that is nan": ((X[0], [1.0, np.nan]), {}, DataError, ["nan", "finite"]),
    "no target": ((X[0], None), {}, DataError, ["Python objects"]),
    "a loss misspelt": ((X[0], 1), {"loss": "hubr"}, SettingError, ["did you mean 'huber'"]),
}


@pytest.mark.parametrize("bad", list(BAD_STEPS))
def test_steps(bad: str):
    data, settings, kind, words = BAD_STEPS[bad]
    refuses(classifier(), lambda net: net.step(*data, **settings), kind, *words)


def test_a_step_with_a_loss_that_is_not_finite_is_not_made():
    net = classifier()
    net["y1"].activation = net["y0"].activation = "identity"
    refuses(net, lambda net: net.step(X[0], [1e300, 0.0]), NeuronsimError, "the step was not made", "not finite")


def test_a_step_whose_update_is_not_finite_is_not_made():
    refuses(classifier(), lambda net: net.step([1e3, 1e3], 1, learning_rate=1e308), NeuronsimError, "not finite")


def test_gradients_with_an_unknown_reduction():
    refuses(classifier(), lambda net: net.gradients(X, T, reduction="avg"), SettingError, "'avg'", "mean, sum")


# --- networks that can't run

RUNS: dict[str, Callable[[ns.Network], object]] = {
    "forward": lambda net: net.forward(X),
    "forward of one": lambda net: net.forward(X[0]),
    "gradients": lambda net: net.gradients(X, np.zeros((6, max(net.n_outputs, 1)))),
    "jacobian": lambda net: net.jacobian(X),
    "evaluate": lambda net: net.evaluate(X, np.zeros((6, max(net.n_outputs, 1)))),
    "step": lambda net: net.step(X[0], np.zeros(max(net.n_outputs, 1))),
    "fit": lambda net: net.fit(X, np.zeros((6, max(net.n_outputs, 1)))),
}
runs = pytest.mark.parametrize("run", list(RUNS))


def unfinished() -> ns.Network:
    net = ns.Network(rng=0)
    net.add_inputs("i1", "i2")
    net.add_neuron("a", {"i1": 0.5, "i2": -0.5})
    net.add_neuron("b", {"a": 0.25}, activation="softmax")
    net.add_neuron("c", {"a": 0.75})
    return net


def cannot_run(net: ns.Network, run: str, kind: type[Exception], *words: str) -> None:
    before = state_of(net)
    with pytest.raises(kind) as caught:
        RUNS[run](net)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert state_of(net) == before


@runs
def test_no_outputs(run: str):
    cannot_run(unfinished(), run, WiringError, "set_outputs")


@runs
def test_a_hidden_softmax(run: str):
    net = unfinished()
    net.set_outputs("c")
    cannot_run(net, run, WiringError, "b", "softmax")


@runs
def test_a_softmax_that_feeds_others(run: str):
    net = unfinished()
    net.connect("b", "c", weight=1.0)
    net.set_outputs("b", "c")
    cannot_run(net, run, WiringError, "b", "softmax")


@runs
def test_a_cycle(run: str):
    net = unfinished()
    net.connect("c", "a", weight=1.0)
    net.set_outputs("b")
    cannot_run(net, run, CycleError, "a → c → a")


@runs
def test_an_empty_network(run: str):
    cannot_run(ns.Network(rng=0), run, NeuronsimError)


def test_a_weight_that_is_not_finite_is_found_at_the_first_step():
    net = classifier()
    net.weights[0] = np.inf
    with pytest.warns(ns.DivergenceWarning, match="step 0 .*z = .*inf of neuron 'h1'"):
        net.fit(X, CLASSES)

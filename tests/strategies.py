"""Random networks and data for property tests: any wiring, activation and loss, away from kinks."""

import math
from dataclasses import dataclass

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

import neuronsim as ns
from neuronsim.formulas import losses
from neuronsim.formulas.activations import ACTIVATIONS, by_code
from neuronsim.formulas.losses import Loss
from neuronsim.formulas.reference import ReferenceNetwork
from neuronsim.formulas.through_time import SequenceNetwork, Weighted

KINK_DISTANCE = 1e-6

CUBE = ns.activations.register("property_test_cube", lambda z: z * z * z / 3.0, lambda z: z * z)

# The logarithm of the hyperbolic cosine of the error, without overflow.
LOG_COSH = ns.losses.register(
    "property_test_log_cosh",
    lambda y, t: abs(y - t) + math.log1p(math.exp(-2.0 * abs(y - t))) - math.log(2.0),
    lambda y, t: math.tanh(y - t),
)

SMOOTH_AND_KINKED = [name for name in ACTIVATIONS if name != "softmax"]


@dataclass
class Case:
    """A network, data and a loss that it can have; drawn values stay away from kinks."""

    net: ns.Network
    X: np.ndarray
    T: np.ndarray
    loss: Loss

    @property
    def reference(self) -> ReferenceNetwork:
        return ReferenceNetwork.from_network(self.net)

    def sample(self, i: int) -> tuple[list[float], list[float]]:
        """One sample as the network's dtype holds it, in Python floats, class numbers written out."""
        x = self.X[i].astype(self.net.dtype).astype(float).tolist()
        if self.T.ndim == 2:
            return x, self.T[i].astype(self.net.dtype).astype(float).tolist()
        return x, [float(o == self.T[i]) for o in range(self.net.n_outputs)]

    @property
    def samples(self) -> list[tuple[list[float], list[float]]]:
        return [self.sample(i) for i in range(len(self.X))]


def _random_net(rng: np.random.Generator, dtype: str, n_inputs: int, n_hidden: int, kind: str) -> ns.Network:
    net = ns.Network(dtype, rng=int(rng.integers(1 << 30)))
    net.add_inputs(*[f"x{i}" for i in range(n_inputs)])
    width = int(rng.integers(1, 12))
    shared: list[int] = []
    for i in range(n_hidden):
        # runs of neurons with the same sources become bundles of more than one
        if i % width == 0:
            n = net.n_neurons
            degree = int(rng.integers(0, min(n, 40) + 1))
            if rng.random() < 0.5:
                start = int(rng.integers(0, n - degree + 1))
                shared = list(range(start, start + degree))
            else:
                shared = rng.choice(n, degree, replace=False).tolist()
        activation = str(rng.choice(SMOOTH_AND_KINKED))
        weights = (rng.normal(size=len(shared)) / max(len(shared), 1) ** 0.5).tolist()
        net.add_neuron(
            f"h{i}", dict(zip(shared, weights, strict=True)), activation=activation, bias=float(rng.normal())
        )
        if rng.random() < 0.1:
            net[f"h{i}"].slope = float(rng.normal())
    n_last = int(rng.integers(1, 6))
    n = net.n_neurons
    for i in range(n_last):
        degree = int(rng.integers(1, min(n, 12) + 1))
        chosen = rng.choice(n, degree, replace=False).tolist()
        activation = {"softmax": "softmax", "sigmoid": "sigmoid"}.get(kind) or str(rng.choice(SMOOTH_AND_KINKED))
        weights = (rng.normal(size=degree) / degree**0.5).tolist()
        net.add_neuron(
            f"y{i}", dict(zip(chosen, weights, strict=True)), activation=activation, bias=float(rng.normal())
        )
    outputs: list[object] = [f"y{i}" for i in range(n_last)]
    if kind == "any":  # outputs that feed others, and inputs that are outputs
        extra = rng.choice(n, min(n, int(rng.integers(0, 3))), replace=False)
        outputs += [int(i) for i in extra]
    net.set_outputs(*outputs)
    return net


@st.composite
def cases(draw, dtypes=("float64", "float32"), max_samples=70, max_hidden=30):
    """A `Case`, from one drawn seed: numpy makes the numbers, hypothesis varies the structure."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from(dtypes))
    loss_name = draw(st.sampled_from(sorted(losses.LOSSES)))
    kind = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}.get(loss_name, "any")
    if loss_name not in ("cross_entropy", "binary_cross_entropy") and draw(st.booleans()):
        kind = draw(st.sampled_from(["softmax", "sigmoid"]))
    n_inputs = draw(st.integers(1, 20))
    net = _random_net(rng, dtype, n_inputs, draw(st.integers(0, max_hidden)), kind)
    n_samples = draw(st.integers(1, max_samples))
    X = rng.normal(size=(n_samples, n_inputs))
    if loss_name == "cross_entropy" and draw(st.booleans()):
        T = rng.integers(0, net.n_outputs, n_samples)
    elif loss_name in ("cross_entropy", "binary_cross_entropy"):
        T = rng.random((n_samples, net.n_outputs))
        if loss_name == "cross_entropy":
            T /= T.sum(axis=1, keepdims=True)
    else:
        T = rng.normal(size=(n_samples, net.n_outputs))
    case = Case(net, X, T, losses.LOSSES[loss_name])
    _assume_smooth(case)
    return case


def _assume_smooth(case: Case) -> None:
    """No z near its activation's kink, no output near the loss's."""
    reference = case.reference
    codes = case.net.graph.activation_codes.tolist()
    kinks = {a: by_code(codes[a]).kinks for a in reference.neurons}
    for x, t in case.samples:
        z, y = reference.forward(x)
        assume(all(abs(z[a] - kink) > KINK_DISTANCE for a in kinks for kink in kinks[a]))
        errors = [y[o] - v for o, v in zip(reference.outputs, t, strict=True)]
        if case.loss.name == "absolute_error":
            assume(all(abs(e) > KINK_DISTANCE for e in errors))
        if case.loss.name == "l2_norm":
            assume(sum(e * e for e in errors) > KINK_DISTANCE)


@dataclass
class SequenceCase:
    """A network with memory, sequences of different lengths, targets of some of their steps, and a loss."""

    net: ns.Network
    X: list[list[list[float]]]
    T: list[list[object]]
    loss: Loss

    @property
    def reference(self) -> SequenceNetwork:
        return SequenceNetwork.from_network(self.net)


def _random_memory(rng: np.random.Generator, dtype: str, n_hidden: int, kind: str) -> ns.Network:
    """Delays, parallel edges, self-loops, both leaks, initial states, learned ones among them."""
    net = ns.Network(dtype, rng=int(rng.integers(1 << 30)))
    net.add_inputs(*[f"x{i}" for i in range(rng.integers(1, 3))])
    n_last = int(rng.integers(1, 4))
    names = [f"h{i}" for i in range(n_hidden)] + [f"y{i}" for i in range(n_last)]
    for name in names:
        activation = str(rng.choice(SMOOTH_AND_KINKED))
        if name[0] == "y" and kind != "any":
            activation = kind
        leak = float(rng.uniform(0.1, 1.0)) if activation != "softmax" and rng.random() < 0.4 else None
        bound = int(rng.integers(0, min(net.n_neurons, 5) + 1))
        may_be_heard = [k for k in range(net.n_neurons) if net[k].activation != "softmax"]
        sources = rng.choice(may_be_heard, min(bound, len(may_be_heard)), replace=False).tolist()
        weights = (rng.normal(size=len(sources)) / max(len(sources), 1) ** 0.5).tolist()
        net.add_neuron(
            name, dict(zip(sources, weights, strict=True)), activation=activation, bias=float(rng.normal()),
            leak=leak, leak_of=str(rng.choice(["output", "potential"])),
        )  # fmt: skip
        net[name].slope = float(rng.normal())
    may_speak = [k for k in range(net.n_neurons) if net[k].activation != "softmax"]
    for name in names:
        for delay in rng.choice([1, 1, 2, 3], int(rng.integers(0, 3))).tolist():
            source = int(rng.choice(may_speak))
            if (source, name, delay) not in net:
                net.connect(source, name, float(rng.normal()) / 2, delay=delay)
    begin_elsewhere = rng.random(net.n_neurons) < rng.random()
    for k in range(net.n_neurons):
        if begin_elsewhere[k] or net[k].leak_of == "potential":
            net[k].initial = float(rng.normal())
    if rng.random() < 0.5:
        net.unfreeze(initial="*")
    outputs: list[object] = [f"y{i}" for i in range(n_last)]
    if kind == "any":
        outputs += rng.choice(net.n_neurons - n_last, min(net.n_neurons - n_last, 2), replace=False).tolist()
    net.set_outputs(*outputs)
    return net


@st.composite
def sequence_cases(draw, dtypes=("float64",), max_samples=3, max_hidden=5, max_steps=6):
    """A `SequenceCase`, from one drawn seed."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    loss = losses.LOSSES[draw(st.sampled_from(sorted(losses.LOSSES)))]
    kind = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}.get(loss.name, "any")
    if kind == "any" and draw(st.booleans()):
        kind = draw(st.sampled_from(["softmax", "sigmoid"]))
    net = _random_memory(rng, draw(st.sampled_from(dtypes)), draw(st.integers(0, max_hidden)), kind)
    X: list[list[list[float]]] = []
    T: list[list[object]] = []
    for _ in range(draw(st.integers(1, max_samples))):
        n_steps = int(rng.integers(1, max_steps + 1))
        X.append(rng.normal(size=(n_steps, net.n_inputs)).tolist())
        targets = rng.normal(size=(n_steps, net.n_outputs))
        if loss.fused:
            targets = rng.random((n_steps, net.n_outputs))
            targets /= targets.sum(axis=1, keepdims=True)
        kinds = rng.choice(["none", "plain", "weighted"], n_steps).tolist()
        kinds[-1] = "plain"
        T.append([
            None if which == "none" else Weighted(t, float(rng.uniform(0.1, 2.0))) if which == "weighted" else t
            for which, t in zip(kinds, targets.tolist(), strict=True)
        ])  # fmt: skip
    case = SequenceCase(net, X, T, loss)
    _assume_smooth_steps(case)
    return case


def _assume_smooth_steps(case: SequenceCase) -> None:
    """Nothing near a kink, and nothing so large that differences drown in rounding."""
    reference = case.reference
    # at 0, f' of elu and softsign bends, and the error of differences falls with h alone, not with h⁴
    kinks = {a: {*neuron.f.kinks, 0.0} for a, neuron in reference.neurons.items()}
    states = {a: reference.initial.get(a, 0.0) for a in kinks if reference.leak_of(a) == "potential"}
    assume(all(abs(state - kink) > 0.003 for a, state in states.items() for kink in kinks[a]))
    for x, t in zip(case.X, case.T, strict=True):
        for here, t_k in zip(reference.forward(x), t, strict=True):
            assume(all(abs(here.v[a]) < 10.0 for a in kinks))
            assume(all(abs(here.v[a] - kink) > 0.003 for a in kinks for kink in kinks[a]))
            wanted = reference.wanted(t_k)
            if wanted is not None:
                errors = [here.y[o] - v for o, v in zip(reference.outputs, wanted.target, strict=True)]
                assume(
                    case.loss.name not in ("absolute_error", "huber") or all(abs(abs(e) % 1.0) > 0.01 for e in errors)
                )
                assume(case.loss.name != "l2_norm" or sum(e * e for e in errors) > 0.01)
                if case.loss.fused == "sigmoid":
                    assume(all(0.01 < here.y[o] < 0.99 for o in reference.outputs))

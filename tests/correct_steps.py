"""Random correct steps: any activations, losses, optimisers, both dtypes; none may be accused of a mistake.

``python tests/correct_steps.py 10000`` judges that many and says what became of them; two numbers are seeds.
"""

import sys
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

import neuronsim as ns
from neuronsim.formulas.activations import ACTIVATIONS
from neuronsim.formulas.losses import LOSSES
from neuronsim.verifying.verdict import Verdict

LAST = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}
PLAIN = sorted(set(ACTIVATIONS) - {"softmax"})
PRESETS = {"right", "unknown", "undecided"}
ADAPTIVE = ("adam", "rmsprop", "rprop", "adagrad", "adaptive")


@dataclass
class Case:
    """One step of our own, and words one of which every part of a truthful verdict has."""

    net: Any
    X: Any
    T: Any
    after: Any
    given: dict[str, Any]
    truths: tuple[str, ...]
    called: str

    def verdict(self) -> Verdict:
        return self.net.check_foreign(self.X, self.T, self.after, **self.given)

    def is_accused(self, verdict: Verdict) -> bool:
        """Whether the verdict names something that did not happen, and nothing that did beside it."""
        return verdict.rule not in PRESETS and not any(self.is_true(rule) for rule in verdict.fits)

    def is_true(self, rule: str) -> bool:
        return rule.startswith("right") or all(any(t in part for t in self.truths) for part in rule.split("; "))


def network(rng: np.random.Generator, loss: str, dtype: str) -> Any:
    """Layers, or a wiring of its own, each neuron with any activation."""
    last = LAST.get(loss) or str(rng.choice(PLAIN))
    if rng.random() < 0.7:
        sizes = [int(rng.integers(1, 5)) for _ in range(int(rng.integers(2, 5)))]
        sizes[-1] = max(sizes[-1], 2) if last == "softmax" else sizes[-1]
        hidden = str(rng.choice(PLAIN))
        return ns.wiring.layered(sizes, activation=hidden, output=last, dtype=dtype, rng=int(rng.integers(1 << 30)))
    net = ns.Network(dtype=dtype, rng=int(rng.integers(1 << 30)))
    net.add_inputs("x0", "x1")
    n = int(rng.integers(1, 5))
    for k in range(n):
        sources = rng.choice(2 + k, size=min(2 + k, 3), replace=False).tolist()
        net.add_neuron(f"h{k}", sources, activation=str(rng.choice(PLAIN)), bias=float(rng.normal()))
    for k in range(2):
        net.add_neuron(f"y{k}", ["h0", f"h{n - 1}", "x1"][: 2 + (n > 1)] if n > 1 else ["h0", "x1"], activation=last)
    net.set_outputs("y0", "y1")
    return net


def rule(rng: np.random.Generator) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Settings of `fit`, and what is true of them."""
    beta = float(rng.choice([0.5, 0.9, 0.95, rng.uniform(0.3, 0.99)]))
    alpha = float(rng.choice([0.9, 0.99, 0.999, rng.uniform(0.5, 0.999)]))
    eps = float(10 ** rng.uniform(-10, -5))
    ways: list[tuple[dict[str, Any], tuple[str, ...]]] = [
        ({"optimizer": "sgd"}, ()),
        ({"optimizer": ns.optimizers.Momentum(momentum=beta)}, ("momentum",)),
        ({"optimizer": ns.optimizers.Nesterov(momentum=beta)}, ("nesterov", "momentum", "learning rate off by factor")),
        ({"optimizer": ns.optimizers.RMSprop(alpha=alpha, eps=eps)}, ADAPTIVE),
        ({"optimizer": ns.optimizers.Adam(beta2=alpha, eps=eps)}, ADAPTIVE),
        ({"optimizer": ns.optimizers.AdamW(eps=eps, weight_decay=0.05)}, (*ADAPTIVE, "weight decay")),
        ({"optimizer": "rprop"}, ADAPTIVE),
        ({"optimizer": "sgd", "clip_norm": 0.5}, ("clipped", "learning rate off by factor", "half the gradient")),
        ({"optimizer": "sgd", "clip_value": 0.05}, ("clipped", "adaptive", "sign alone", "learning rate off")),
    ]
    weights = np.array([6, 3, 1, 1, 1, 1, 1, 1, 1], float)
    how, truths = ways[int(rng.choice(len(ways), p=weights / weights.sum()))]
    if rng.random() < 0.2 and "adamw" not in str(how):
        how, truths = how | {"weight_decay": float(10 ** rng.uniform(-4, -1))}, (*truths, "weight decay")
    return how, truths


def case(seed: int) -> Case | None:
    """One, or None where numbers overflow or nothing moves."""
    rng = np.random.default_rng(seed)
    loss, dtype = str(rng.choice(sorted(LOSSES))), str(rng.choice(["float64", "float32"]))
    net = network(rng, loss, dtype)
    net.biases[net.n_inputs :] = rng.normal(size=len(net.biases) - net.n_inputs)
    n = int(rng.integers(1, 6))
    X, T = rng.normal(size=(n, net.n_inputs)), rng.random((n, net.n_outputs))
    if loss == "cross_entropy":
        T = np.eye(net.n_outputs)[rng.integers(net.n_outputs, size=n)]
    X, T = X.astype(dtype), T.astype(dtype)
    how, truths = rule(rng)
    given = {
        "learning_rate": float(10 ** rng.uniform(-3, 0)), "loss": loss, "reduction": str(rng.choice(["mean", "sum"])),
    }  # fmt: skip
    if rng.random() < 0.2:
        net.freeze(net.names[-1])
    first, after = net.copy(), net.copy()
    n_steps = 2 if rng.random() < 0.3 and "optimizer='sgd'" not in str(how) and "omentum" in str(how) else 1
    try:
        after.fit(X, T, batch_size=None, epochs=n_steps, **given, **how)
        if n_steps == 2:
            net.fit(X, T, batch_size=None, epochs=1, **given, **how)
    except ns.NeuronsimError:
        return None
    if not (np.isfinite(after.weights).all() and np.isfinite(after.biases).all()):
        return None
    if n_steps == 2:
        given["previous"] = first
    return Case(net, X, T, after, given, truths, f"{seed}: {loss} {dtype} n={n} {how} {given}")


def judge(seeds: range) -> tuple[Counter[str], list[str]]:
    """How many verdicts there are of each kind, and every accusation."""
    counted: Counter[str] = Counter()
    accused = []
    for seed in seeds:
        one = case(seed)
        if one is None:
            counted["no step"] += 1
            continue
        verdict = one.verdict()
        said = verdict.rule if verdict.rule in PRESETS else "named"
        counted[said if one.truths or said == "right" else f"{said}, of plain steps"] += 1
        if one.is_accused(verdict):
            accused.append(f"{one.called}\n    {verdict.rule}")
    return counted, accused


if __name__ == "__main__":
    counts, wrong = judge(range(*map(int, sys.argv[1:] or ["10000"])))
    print(counts, len(wrong), "accused wrongly", *wrong, sep="\n")

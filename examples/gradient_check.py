"""L0: is backpropagation right? Every gradient beside (C(θ+ε) − C(θ−ε)) / 2ε, on a net wired by no rule."""

import numpy as np

import neuronsim as ns


def main() -> None:
    net = ns.Network(rng=1)
    net.add_inputs("a", "b", "c")
    net.add_neuron("wave", ["a", "b"], activation="sine", bias=0.3)
    net.add_neuron("bell", ["b", "c", "wave"], activation="gaussian")
    net.add_neuron("bent", ["a", "bell"], activation="prelu", bias=-0.1)
    net.add_neuron("soft", ["a", "c", "wave", "bent"], activation="softplus")
    net.add_neuron("first", ["soft", "bell", "a"], activation="tanh")
    net.add_neuron("second", ["first", "bent", "wave"], activation="sigmoid")
    net.set_outputs("first", "second")  # an output may feed another neuron
    print(net)
    print()

    stream = np.random.default_rng(0)
    X, T = stream.normal(size=(5, 3)), stream.uniform(size=(5, 2))
    for loss in ("half_squared_error", "l2_norm", "absolute_error"):
        found = net.check(X, T, loss=loss)
        found.assert_ok()
        print(f"{loss}: {found}")

    # A kink has no gradient: relu's at z = 0. The check says so instead of failing.
    edge = ns.Network()
    edge.add_inputs("x")
    edge.add_neuron("y", {"x": 1.0}, activation="relu", bias=-1.0)
    edge.set_outputs("y")
    print()
    print(edge.check([[1.0]], [[2.0]]))


if __name__ == "__main__":
    main()

"""L3 knows neurons, not layers: two spirals, told apart by five wirings.

Layers, layers with every shortcut, a random graph without cycles, a small world, and a chain made by hand.

python examples/arbitrary_wiring.py [PICTURE.png]
"""

import sys

import neuronsim as ns


def by_hand() -> ns.Network:
    """A chain of neurons, each of which hears both inputs and the eight before it; every fourth is a sine."""
    net = ns.Network(rng=0)
    net.add_inputs("x", "y")
    chain: list[str] = []
    for k in range(24):
        net.add_neuron(f"n{k}", ["x", "y", *chain[-8:]], activation="sine" if k % 4 == 0 else "tanh")
        chain.append(f"n{k}")
    net.add_neuron("first", chain[::2], activation="softmax")
    net.add_neuron("second", chain[1::2], activation="softmax")
    net.set_outputs("first", "second")
    return net


def main(picture: str | None = None) -> None:
    data = ns.data.load("spirals", n=400, noise=0.02, turns=1.25, rng=0).split(0.25, rng=0)
    common = {"activation": "gelu", "output": "softmax", "rng": 0}
    nets = {
        "layered": ns.wiring.layered([2, 32, 32, 2], **common),
        "shortcut": ns.wiring.shortcut([2, 16, 16, 16, 2], **common),
        "random DAG": ns.wiring.random_dag(2, 60, 2, in_degree=10, **common),
        "small world": ns.wiring.small_world([2, 24, 24, 24, 2], neighbours=8, rewire=0.3, **common),
        "by hand": by_hand(),
    }
    print("wiring        neurons   edges   depth   right (unseen samples)")
    for name, net in nets.items():
        run = net.fit(
            data.X,
            data.T,
            optimizer="adam",
            learning_rate=0.01,
            batch_size=16,
            epochs=200,
            validation=(data.X_test, data.T_test),
            rng=0,
        )
        right = run.history["val_accuracy"][-1]
        print(f"{name:12} {net.n_neurons:8} {net.n_edges:7,} {net.depth:7} {right:7.1%}")
    if picture:
        ns.plots.overview(net, run, data.X, data.T).savefig(picture, dpi=100)
        print(f"picture: {picture}")


if __name__ == "__main__":
    main(*sys.argv[1:2])

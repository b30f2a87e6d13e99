"""L4: one complete training step of the 2-2-2 net, with every number of the lecture beside ours.

Sigmoid everywhere, half squared error, μ = 0.5; the biases, which a layer shares there, are not trained.
"""

import neuronsim as ns

X, T = [0.05, 0.10], [0.01, 0.99]
EDGES = [("i1", "h1"), ("i2", "h1"), ("i1", "h2"), ("i2", "h2")]
EDGES += [("h1", "o1"), ("h2", "o1"), ("h1", "o2"), ("h2", "o2")]


def wire() -> ns.Network:
    """The net of the lecture, its weights w1 … w8 given by hand."""
    net = ns.Network()
    net.add_inputs("i1", "i2")
    net.add_neuron("h1", {"i1": 0.15, "i2": 0.20}, activation="sigmoid", bias=0.35)
    net.add_neuron("h2", {"i1": 0.25, "i2": 0.30}, activation="sigmoid", bias=0.35)
    net.add_neuron("o1", {"h1": 0.40, "h2": 0.45}, activation="sigmoid", bias=0.60)
    net.add_neuron("o2", {"h1": 0.50, "h2": 0.55}, activation="sigmoid", bias=0.60)
    net.set_outputs("o1", "o2")
    return net


def main() -> None:
    net = wire()
    net.freeze(biases=True)
    step = net.step(X, T, learning_rate=0.5)

    print("quantity         L4            here")
    show("net_h1", "0.3775", step["h1"].z)
    show("out_h1", "0.593269992", step["h1"].y)
    show("out_h2", "0.596884378", step["h2"].y)
    show("net_o1", "1.105905967", step["o1"].z)
    show("out_o1", "0.75136507", step["o1"].y)
    show("out_o2", "0.772928465", step["o2"].y)
    show("E", "0.298371109", step.loss)
    show("∂E/∂w5", "0.082167041", step["h1", "o1"].gradient)
    show("∂E/∂w1", "0.000438568", step["i1", "h1"].gradient)
    after = ["0.149780716", "0.19956143", "0.24975114", "0.29950229"]
    after += ["0.35891648", "0.408666186", "0.511301270", "0.561370121"]
    for k, (edge, expected) in enumerate(zip(EDGES, after, strict=True), 1):
        show(f"w{k} after", expected, net[edge].weight)
    show("E after", "0.291027774", net.evaluate([X], [T]).loss)

    print()
    print(step.explain("h1"))

    trained = wire()
    trained.step(X, T, learning_rate=0.5)
    print()
    print(f"with the biases trained as well, E after one step is {trained.evaluate([X], [T]).loss:.9f}")


def show(quantity: str, expected: str, value: float) -> None:
    decimals = len(expected.partition(".")[2])
    print(f"{quantity:9} {expected:>15} {value:15.{decimals}f}")


if __name__ == "__main__":
    main()

"""L2: a forward pass by hand: three inputs, four sigmoid neurons, one sigmoid output."""

import neuronsim as ns

W1 = [[0.1, 0.2, 0.5], [0.2, 0.3, 0.1], [0.1, 0.4, 0.6], [0.2, 0.3, 0.9]]
W2 = [0.4, 1.2, 4.1, 0.1]


def main() -> None:
    inputs, hidden = ["x1", "x2", "x3"], ["h1", "h2", "h3", "h4"]
    net = ns.Network()
    net.add_inputs(inputs)
    for name, row in zip(hidden, W1, strict=True):
        net.add_neuron(name, dict(zip(inputs, row, strict=True)), activation="sigmoid")
    net.add_neuron("out", dict(zip(hidden, W2, strict=True)), activation="sigmoid", bias=1.4)
    net.set_outputs("out")

    (y,) = net.forward([1.0, 1.0, 1.0])
    print("neuron       z            y")
    for name in (*hidden, "out"):
        neuron = net[name]
        print(f"{name:6} {neuron.z:9.6f}    {neuron.y:9.6f}")
    print(f"class {int(y > 0.5)}")

    truncated = sum(w * y for w, y in zip(W2, [0.68, 0.64, 0.75, 0.80], strict=True)) + 1.4
    print(f"the slide cuts the hidden y down to two digits, hence its z = {truncated:.3f}")


if __name__ == "__main__":
    main()

"""L3: a neuron is a module that takes messages in, processes them and passes messages on.

A receives y from B, C and D and sends its own to P, Q and R. Back come their δ, each times the weight of its
edge as it was before the step; A multiplies the sum by f'(z), passes δ on, and only then moves its weights.
"""

import neuronsim as ns


def main() -> None:
    net = ns.Network()
    net.add_inputs("B", "C", "D")
    net.add_neuron("A", {"B": 0.5, "C": -0.3, "D": 0.8}, activation="tanh", bias=0.1)
    for name, weight in {"P": 0.9, "Q": -0.6, "R": 0.4}.items():
        net.add_neuron(name, {"A": weight}, activation="sigmoid")
    net.set_outputs("P", "Q", "R")

    step = net.step([1.0, 0.5, -1.0], [1.0, 0.0, 1.0], loss="squared_error", learning_rate=0.1)
    a = step["A"]
    print(step.messages("A"))
    print()
    print("forward aggregation   z = b + Σ w·y =", f"{a.z:.6f}")
    print("activation            y = tanh(z)   =", f"{a.y:.6f}")
    print("backward aggregation  δ_PQR = Σ w·δ =", f"{a.aggregated:.6f}")
    print("error                 δ = δ_PQR·f'(z) =", f"{a.delta:.6f}")
    print("update                w := w − μ·δ·y, b := b − μ·δ")
    for source in a.sources:
        edge = step[source, "A"]
        show(f"w[{source}→A]", edge.weight, edge.weight_after, edge.gradient)
    show("b[A]", a.bias, a.bias_after, a.bias_gradient)


def show(parameter: str, old: float, new: float, gradient: float) -> None:
    print(f"  {parameter:6}  {old:+.6f} → {new:+.6f}   (gradient {gradient:+.6f})")


if __name__ == "__main__":
    main()

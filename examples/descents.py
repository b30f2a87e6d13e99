"""L1, L3: gradient descent over all samples, mini-batches, single samples; without and with momentum.

The same net from the same start on the same data, as many epochs for each; only the steps differ.

    python examples/descents.py [PICTURE.png]
"""

import sys

import neuronsim as ns

WAYS = {
    "gradient descent, all samples": {"batch_size": None, "learning_rate": 0.5},
    "… with momentum 0.9": {"batch_size": None, "learning_rate": 0.5, "optimizer": "momentum", "momentum": 0.9},
    "mini-batches of 16": {"batch_size": 16, "learning_rate": 0.5},
    "… with momentum 0.9 ": {"batch_size": 16, "learning_rate": 0.1, "optimizer": "momentum", "momentum": 0.9},
    "online, one sample a step": {"batch_size": 1, "learning_rate": 0.1},
}
EPOCHS = 100


def main(picture: str | None = None) -> None:
    data = ns.data.load("moons", n=200, noise=0.1, rng=0)
    start = ns.wiring.layered([2, 12, 2], output="softmax", rng=0)
    print(f"{'':32} steps   loss after epoch 1      10     100   right")
    runs = {}
    for way, settings in WAYS.items():
        net = start.copy()
        run = net.fit(data.X, data.T, epochs=EPOCHS, evaluate=True, rng=0, **settings)
        loss = run.history["data_loss"]
        right = net.evaluate(data.X, data.T).accuracy
        print(f"{way:30} {run.n_steps:7,} {loss[0]:20.4f} {loss[9]:7.4f} {loss[-1]:7.4f} {right:7.1%}")
        runs[way] = run
    if picture:
        draw(runs, picture)
        print(f"picture: {picture}")


def draw(runs: dict[str, ns.Run], path: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    ax = figure.subplots()
    for (way, run), style in zip(runs.items(), ["-", "--", "-", "--", ":"], strict=True):
        ax.plot(run.history["epoch"], run.history["data_loss"], style, label=way)
    ax.set(xlabel="epoch", ylabel="loss over all samples", yscale="log")
    ax.legend(frameon=False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main(*sys.argv[1:2])

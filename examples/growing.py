"""L3 gives each weight a memory, its velocity: a net that is rewired while it learns keeps it, or loses it each time.

Sparse evolutionary training (SET; Mocanu and others, 2018) on two spirals: every two epochs the weakest fifth of the
edges goes, and as many come, anywhere, with weight 0. ``fit(resume=run)`` keeps what Adam knows of the edges that stay;
a framework that rebuilds its optimiser forgets it.

python examples/growing.py [SEEDS]
"""

import sys

import numpy as np

import neuronsim as ns

ROUNDS, PART = 30, 0.2


def rewire(net: ns.Network, draw: np.random.Generator) -> None:
    """Remove the edges of the smallest |w|, and add as many where none are, from lower to higher ids: no cycles."""
    edges, names = net.edges, list(net.names)
    is_input, is_output = net.neurons["is_input"], net.neurons["is_output"]
    n = int(PART * len(edges))
    there = set(zip(edges["source"].tolist(), edges["sink"].tolist(), strict=True))
    for e in np.argsort(np.abs(edges["weight"]))[:n]:
        net.disconnect(names[edges["source"][e]], names[edges["sink"][e]])
    while n:
        source, sink = sorted(draw.choice(len(names), 2, replace=False).tolist())
        if (source, sink) not in there and not is_input[sink] and not is_output[source]:
            net.connect(names[source], names[sink], 0.0)
            there.add((source, sink))
            n -= 1


def train(seed: int, keeps: bool) -> tuple[float, float]:
    """The loss and the share of unseen samples that are right, after all rounds."""
    data = ns.data.load("spirals", n=400, noise=0.02, turns=1.25, rng=0).split(0.25, rng=0)
    net = ns.wiring.random_dag(2, 60, 2, in_degree=4, activation="tanh", output="softmax", rng=seed)
    draw, run = np.random.default_rng(seed), None
    for k in range(ROUNDS):
        if k:
            rewire(net, draw)
        goes_on = {"resume": run} if keeps and run else {"rng": ROUNDS * seed + k}
        run = net.fit(data.X, data.T, optimizer="adam", learning_rate=0.01, batch_size=16, epochs=2, **goes_on)
    return net.evaluate(data.X, data.T).loss, net.evaluate(data.X_test, data.T_test).accuracy


def main(seeds: str = "9") -> None:
    print("seed   loss, state kept   rebuilt     right, kept   rebuilt")
    losses, right = [], []
    for seed in range(int(seeds)):
        results = [train(seed, keeps) for keeps in (True, False)]
        losses.append([loss for loss, _ in results])
        right.append([share for _, share in results])
        print(f"{seed:4} {losses[-1][0]:18.5f} {losses[-1][1]:9.5f} {right[-1][0]:15.1%} {right[-1][1]:9.1%}")
    kept, rebuilt = np.median(losses, axis=0)
    better = sum(a < b for a, b in losses)
    print(f"median loss: kept {kept:.5f}, rebuilt {rebuilt:.5f}; kept is lower for {better} of {len(losses)} seeds")


if __name__ == "__main__":
    main(*sys.argv[1:2])

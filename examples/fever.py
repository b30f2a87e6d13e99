"""L0: from temperature and medicine now to the temperature in two hours, by a 2-3-1 net.

Four patients teach it, a fifth is predicted: the temperature (regression), then fever or not
(classification). Statistics for the scaling come from the training data alone.
"""

import neuronsim as ns

FEVER_FROM = 37.0  # °C


def main() -> None:
    data = ns.data.load("fever")
    X = ns.data.Standardizer()
    T = ns.data.MinMaxScaler(0.1, 0.9)  # a sigmoid reaches 0 and 1 only far away

    net = ns.wiring.layered([2, 3, 1], activation="sigmoid", rng=0)
    run = net.fit(X.fit_transform(data.X), T.fit_transform(data.T), learning_rate=1.0, epochs=3000, rng=0)
    print("regression: temperature in two hours")
    print(f"  loss {run.history['loss'][0]:.6f} → {run.history['loss'][-1]:.2e} in {run.n_steps:,} steps")
    print("  temperature  medicine   true    net")
    for (temperature, medicine), true, predicted in zip(
        data.X, data.T, T.inverse(net.forward(X.transform(data.X))), strict=True
    ):
        print(f"  {temperature:8.1f} °C  {medicine:5.0f} mg  {true[0]:5.1f}  {predicted[0]:5.2f}")
    for (temperature, medicine), predicted in zip(
        data.X_test, T.inverse(net.forward(X.transform(data.X_test))), strict=True
    ):
        print(f"  {temperature:8.1f} °C  {medicine:5.0f} mg      ?  {predicted[0]:5.2f}   ← the fifth patient")

    has_fever = data.T >= FEVER_FROM
    net = ns.wiring.layered([2, 3, 1], activation="sigmoid", rng=0)
    net.fit(X.transform(data.X), has_fever, loss="binary_cross_entropy", learning_rate=0.5, epochs=500, rng=0)
    print(f"classification: {FEVER_FROM:g} °C or more in two hours")
    print("  patients    ", "  ".join("fever " if f else "normal" for f in has_fever[:, 0]))
    print("  P(fever)    ", "  ".join(f"{p:6.3f}" for p in net.forward(X.transform(data.X))[:, 0]))
    (p,) = net.forward(X.transform(data.X_test))[0]
    print(f"  fifth patient: {'fever' if p > 0.5 else 'normal'}, P(fever) = {p:.3f}")


if __name__ == "__main__":
    main()

"""L4: gradient descent on f(x) = x², step 0.8 from -4: it overshoots the minimum each time, and arrives."""

import neuronsim as ns


def gradient(x: float) -> float:
    """f'(x) = 2x."""
    return 2 * x


def main() -> None:
    far = ns.gradient_descent(-4.0, gradient, learning_rate=0.8, max_iter=30, tol=0.0)
    print("x₀ … x₅:", "  ".join(f"{x:.5g}" for x in far.steps[:6]))
    print(f"x₃₀ = {far.x:.6g}")

    stopped = ns.gradient_descent(-4.0, gradient, learning_rate=0.8, max_iter=30)
    print(f"with tol = 0.01 it stops after {len(stopped.steps) - 1} steps at {stopped.x:.7f}")

    for rate, what in ((0.1, "small steps"), (0.5, "just right"), (1.0, "to and fro for ever"), (1.1, "diverges")):
        x = ns.gradient_descent(-4.0, gradient, learning_rate=rate, max_iter=10, tol=0.0).x
        print(f"μ = {rate}: x₁₀ = {x:10.4g}   {what}")
    print(f"without a formula: f'(-4) ≈ {ns.numerical_gradient(lambda x: x * x, -4.0):.6f}")


if __name__ == "__main__":
    main()

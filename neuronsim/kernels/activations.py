"""Activations on lanes: y = f(z) and, going back, δ = (Σ w·δ) · f'(z). The derivative is always taken at z."""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from neuronsim.kernels.arguments import Activation, Array
from neuronsim.kernels.codes import (
    ELU,
    FIRST_USER,
    GAUSSIAN,
    GELU,
    HARD_SIGMOID,
    IDENTITY,
    LEAKY_RELU,
    PRELU,
    RELU,
    SCALED_TANH,
    SELU,
    SIGMOID,
    SILU,
    SINE,
    SOFTMAX,
    SOFTPLUS,
    SOFTSIGN,
    STEP,
    TANH,
)
from neuronsim.kernels.jit import inlined, kernel, leaf
from neuronsim.kernels.lanes import Lanes, absolute, filled, fma, lane_count, load_part, poke, select, store_part
from neuronsim.kernels.mathematics import cos, erf, exp, expm1, sigmoid, sin, softplus, tanh

#: Activations that `common` knows.
COMMON = (IDENTITY, SIGMOID, TANH, RELU, SOFTMAX)

LEAK = 0.01
SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717
TANH_SCALE = 1.7159
SQRT_HALF = 0.70710678118654752440
NORMAL_DENSITY_AT_0 = 0.39894228040143267794


@intrinsic
def call(typingctx, address, z):  # type: ignore[no-untyped-def]
    """Call the compiled function ``double f(double)`` at an address."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        double = ir.DoubleType()
        function = builder.inttoptr(args[0], ir.FunctionType(double, [double]).as_pointer())
        return builder.call(function, [args[1]])

    return types.float64(types.int64, types.float64), codegen


@inlined
def relu(z: Lanes) -> Lanes:
    """max(0, z), NaN where z is: without a call, which takes as long as the rest (sparse layers gain 7 %)."""
    return select(z <= 0.0, 0.0, z)


@inlined
def relu_derivative(z: Lanes) -> Lanes:
    """0 or 1, NaN where z is."""
    return select(z <= 0.0, 0.0, select(z > 0.0, 1.0, z))


@leaf
def activation(code: int, z: Lanes, slope: Lanes) -> Lanes:
    """f(z) of one built-in activation; softmax is a group's and done elsewhere."""
    if code == RELU:
        return relu(z)
    if code == SIGMOID:
        return sigmoid(z)
    if code == TANH:
        return tanh(z)
    if code == SCALED_TANH:
        return tanh(z * (2.0 / 3.0)) * TANH_SCALE
    if code == LEAKY_RELU:
        return select(z <= 0.0, z * LEAK, z)
    if code == PRELU:
        return select(z <= 0.0, z * slope, z)
    if code == ELU:
        return select(z <= 0.0, expm1(z), z)
    if code == SELU:
        return select(z <= 0.0, expm1(z) * SELU_ALPHA, z) * SELU_SCALE
    if code == SOFTPLUS:
        return softplus(z)
    if code == SOFTSIGN:
        y = z / (absolute(z) + 1.0)
        return select(absolute(z) == float("inf"), select(z < 0.0, filled(z, -1.0), 1.0), y)
    if code == GELU:
        return select(z == -float("inf"), 0.0, z * fma(erf(z * SQRT_HALF), 0.5, filled(z, 0.5)))
    if code == SILU:
        return select(z == -float("inf"), 0.0, z * sigmoid(z))
    if code == SINE:
        return sin(z)
    if code == GAUSSIAN:
        return exp(-(z * z))
    if code == HARD_SIGMOID:
        return select(z <= -3.0, 0.0, select(z >= 3.0, 1.0, z / 6.0 + 0.5))
    if code == STEP:
        return select(z <= 0.0, 0.0, select(z > 0.0, 1.0, z))
    return z


@leaf
def derivative(code: int, z: Lanes, y: Lanes, slope: Lanes) -> Lanes:
    """f'(z); y = f(z) is at hand where the formula is shorter with it. At a kink: the left side."""
    if code == RELU:
        return relu_derivative(z)
    if code == SIGMOID:
        return y * (1.0 - y)
    if code == TANH:
        return fma(-y, y, filled(z, 1.0))
    if code == SCALED_TANH:
        return fma(y * (-1.0 / TANH_SCALE), y, filled(z, TANH_SCALE)) * (2.0 / 3.0)
    if code == LEAKY_RELU:
        return select(z <= 0.0, LEAK, select(z > 0.0, 1.0, z))
    if code == PRELU:
        return select(z <= 0.0, slope, select(z > 0.0, 1.0, z))
    if code == ELU:
        return select(z <= 0.0, y + 1.0, select(z > 0.0, 1.0, z))
    if code == SELU:
        return select(z <= 0.0, y + SELU_SCALE * SELU_ALPHA, select(z > 0.0, SELU_SCALE, z))
    if code == SOFTPLUS:
        return sigmoid(z)
    if code == SOFTSIGN:
        r = 1.0 / (absolute(z) + 1.0)
        return r * r
    if code == GELU:
        density = exp(z * z * -0.5) * NORMAL_DENSITY_AT_0
        part = select(density == 0.0, density, z * density)
        return fma(erf(z * SQRT_HALF), 0.5, filled(z, 0.5)) + part
    if code == SILU:
        s = sigmoid(z)
        part = s * (1.0 - s)
        return s + select(part == 0.0, part, z * part)
    if code == SINE:
        return cos(z)
    if code == GAUSSIAN:
        return select(y == 0.0, y, z * y * -2.0)
    if code == HARD_SIGMOID:
        return select(absolute(z) >= 3.0, 0.0, select(absolute(z) < 3.0, 1.0 / 6.0, z))
    if code == STEP:
        return select(absolute(z) >= 0.0, 0.0, z)
    return filled(z, 1.0)


@kernel
def activate(f: Activation, z: Array, zi: int, y: Array, yi: int, n: int) -> None:
    """y = f(z) for ``n`` values in a row."""
    if f.code >= FIRST_USER:
        for i in range(n):
            y[yi + i] = call(f.user[2 * (f.code - FIRST_USER)], z[zi + i])
        return
    width = lane_count(z)
    for i in range(0, n, width):
        part = min(width, n - i)
        value = load_part(z, zi + i, part)
        if f.code == RELU:
            value = relu(value)
        elif f.code != IDENTITY and f.code != SOFTMAX:
            value = activation(f.code, value, filled(value, f.slope))
        store_part(y, yi + i, value, part)


@kernel
def times_derivative(f: Activation, z: Array, y: Array, zi: int, d: Array, di: int, n: int) -> None:
    """d := d · f'(z) for ``n`` values in a row: from ∂L/∂y to δ = ∂L/∂z."""
    if f.code == IDENTITY:
        return
    if f.code >= FIRST_USER:
        for i in range(n):
            d[di + i] *= call(f.user[2 * (f.code - FIRST_USER) + 1], z[zi + i])
        return
    if f.code == RELU or f.code == SIGMOID or f.code == TANH:
        z = y  # all that they need, relu's y > 0 for z > 0 too: another core may have z in its cache
    width = lane_count(z)
    for i in range(0, n, width):
        part = min(width, n - i)
        value = load_part(z, zi + i, part)
        if f.code == RELU:
            factor = relu_derivative(value)
        else:
            factor = derivative(f.code, value, load_part(y, zi + i, part), filled(value, f.slope))
        store_part(d, di + i, load_part(d, di + i, part) * factor, part)


@kernel
def activate_with_derivative(f: Activation, z: Array, y: Array, derivatives: Array, at: int, n: int) -> None:
    """y = f(z) and f'(z) for ``n`` neurons in a row, online."""
    activate(f, z, at, y, at, n)
    for i in range(at, at + n):
        poke(derivatives, i, type(f.slope)(1.0))
    times_derivative(f, z, y, at, derivatives, at, n)


@inlined
def common(code: int, x: Lanes) -> tuple[Lanes, Lanes]:
    """f(z) and f'(z) of the activations `COMMON` for any number of lanes, without a call."""
    if code == SIGMOID:
        y = sigmoid(x)
        return y, y * (1.0 - y)
    if code == TANH:
        y = tanh(x)
        return y, fma(-y, y, filled(x, 1.0))
    if code == RELU:
        return relu(x), relu_derivative(x)
    return x, filled(x, 1.0)


@kernel
def add_slope_terms(z: Array, zi: int, d: Array, di: int, terms: Array, ti: int, n: int) -> None:
    """terms += ∂L/∂y · ∂y/∂slope of a prelu neuron: z where z ≤ 0, else 0."""
    width = lane_count(z)
    for i in range(0, n, width):
        part = min(width, n - i)
        value = load_part(z, zi + i, part)
        value = select(value > 0.0, 0.0, value)
        store_part(terms, ti + i, fma(load_part(d, di + i, part), value, load_part(terms, ti + i, part)), part)


@leaf
def softmax(members: Array, z: Array, y: Array, stride: int, start: int, n: int) -> None:
    """y_i = exp(z_i − max z) / Σ_j exp(z_j − max z) over the group, for ``n`` samples in a row (L2)."""
    width = lane_count(z)
    for i in range(start, start + n, width):
        part = min(width, start + n - i)
        highest = load_part(z, members[0] * stride + i, part)
        for m in members[1:]:
            value = load_part(z, m * stride + i, part)
            highest = select(value <= highest, highest, value)
        denominator = filled(highest, 0.0)
        for m in members:
            e = exp(load_part(z, m * stride + i, part) - highest)
            store_part(y, m * stride + i, e, part)
            denominator = denominator + e
        for m in members:
            store_part(y, m * stride + i, load_part(y, m * stride + i, part) / denominator, part)

"""exp, expm1, log, log1p, tanh, sigmoid, softplus, sin, cos and erf of lanes: the same bits everywhere.

Only + − × ÷, fused multiply-adds, comparisons with selects and integer operations; no branches. Results are
within 2 units in the last place wherever they are normal numbers; NaN stays NaN; infinities, signed zeros and
gradual underflow are as mathematics has them. sin and cos keep that up to |x| = 2^20 (float32) or 2^40
(float64); beyond, no digits of x mod 2π are left and they are NaN.

A function is a formula over `_Value`, whose operators append LLVM instructions: nothing is left for Numba
to infer, so that each adds milliseconds to a kernel's compilation. Constants come from `_Format`; polynomials
are minimax fits (Remez), each in the variable and on the range that its field states.
"""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, cast

from llvmlite import ir
from numba.extending import intrinsic

from neuronsim.kernels import llvm

_LOG2_E = 1.4426950408889634
_2_OVER_PI = 0.6366197723675814

_Operand: TypeAlias = "_Value | int | float"


@dataclass(frozen=True)
class _Format:
    """What the formulas need to know of an element type; ln2 and half_pi are the sums of their parts."""

    mantissa: int  # stored bits
    bias: int
    width: int
    shift: float  # 1.5 · 2^mantissa: adding it rounds to an integer, which then stands in the low bits
    shift_bits: int
    smallest: float  # the smallest normal number
    tiny: float  # below it, odd functions are their argument
    exp_low: float  # below it exp is 0
    exp_high: float  # above it exp is infinite
    expm1_low: float  # below it expm1 is −1
    tanh_split: float
    tanh_high: float  # above it tanh is 1
    erf_split: float
    erf_high: float  # above it erf is 1
    sin_limit: float
    sqrt_half: int  # the bits of √½
    ln2: tuple[float, float]
    half_pi: tuple[float, float, float]
    exp: tuple[float, ...]  # (e^r − 1 − r)/r² on |r| ≤ ln2/2
    log: tuple[float, ...]  # float32: (log(1+f) − f + f²/2)/f³; float64: (log((1+s)/(1−s)) − 2s)/s³ in s²
    sin: tuple[float, ...]  # (sin r − r)/r³ in r² on |r| ≤ π/4
    cos: tuple[float, ...]  # (cos r − 1 + r²/2)/r⁴ in r²
    tanh: tuple[float, ...]  # (tanh x − x)/x³ in x² up to tanh_split
    erf: tuple[float, ...]  # erf(x)/x − 1 in x² up to erf_split
    erfc: tuple[float, ...]  # −log(erfc x)/x − 1 from erf_split to erf_high

    def bits(self, x: float) -> int:
        """A number's bit pattern, as a signed integer."""
        number, integer = ("<f", "<i") if self.width == 32 else ("<d", "<q")
        return int(struct.unpack(integer, struct.pack(number, x))[0])


_FLOAT32 = _Format(
    mantissa=23,
    bias=127,
    width=32,
    shift=1.5 * 2.0**23,
    shift_bits=0x4B400000,
    smallest=2.0**-126,
    tiny=2.0**-30,
    exp_low=-104.0,
    exp_high=89.0,
    expm1_low=-18.0,
    tanh_split=0.55,
    tanh_high=10.0,
    erf_split=0.875,
    erf_high=4.0,
    sin_limit=2.0**20,
    sqrt_half=0x3F3504F3,
    ln2=(0.6931471824645996, -1.9046542121259336e-09),
    half_pi=(1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15),
    exp=(0.5, 0.16666542, 0.04166628, 0.008366659, 0.0013946583),
    log=(0.3333331, -0.24999987, 0.20002227, -0.16669253, 0.14218664, -0.12384335, 0.11872926, -0.11789866, 0.0691554),
    sin=(-0.16666651, 0.008331894, -0.0001947979),
    cos=(0.041666638, -0.0013886994, 2.4396371e-05),
    tanh=(-0.3333332, 0.13332602, -0.05385386, 0.021077754, -0.0062824683),
    erf=(0.12837915, -0.37612557, 0.112825245, -0.026793955, 0.0050358726, -0.0006222426),
    erfc=(0.1286229, 0.6352569, 0.10605964, -0.02360722, 0.0035682728, -0.00030433259, 9.364757e-06),
)

_FLOAT64 = _Format(
    mantissa=52,
    bias=1023,
    width=64,
    shift=1.5 * 2.0**52,
    shift_bits=0x4338000000000000,
    smallest=2.0**-1022,
    tiny=2.0**-60,
    exp_low=-746.0,
    exp_high=710.0,
    expm1_low=-38.0,
    tanh_split=0.55,
    tanh_high=20.0,
    erf_split=1.0,
    erf_high=5.9375,
    sin_limit=2.0**40,
    sqrt_half=0x3FE6A09E667F3BCD,
    ln2=(0.6931471805599453, 2.3190468138462996e-17),
    half_pi=(1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33),
    exp=(
        0.5000000000000006,
        0.16666666666666685,
        0.041666666666572774,
        0.00833333333331458,
        0.0013888888932676688,
        0.00019841269903090466,
        2.4801504068024237e-05,
        2.7557227866627393e-06,
        2.762648377042644e-07,
        2.5114511411189113e-08,
    ),
    log=(
        0.6666666666666734,
        0.39999999999414365,
        0.2857142874246323,
        0.22222198564843407,
        0.1818356478784652,
        0.15314038051995585,
        0.147960813803589,
    ),
    sin=(
        -0.16666666666666632,
        0.00833333333332234,
        -0.00019841269829746575,
        2.7557313669786934e-06,
        -2.5050754520421845e-08,
        1.5896580211187906e-10,
    ),
    cos=(
        0.0416666666666666,
        -0.0013888888888874025,
        2.4801587289417668e-05,
        -2.755731433288148e-07,
        2.087572052553653e-09,
        -1.13595004719838e-11,
    ),
    tanh=(
        -0.3333333333333235,
        0.13333333333173727,
        -0.05396825387836817,
        0.021869486025979847,
        -0.008863195151438076,
        0.0035917246429367903,
        -0.001453240030566725,
        0.0005792030077809586,
        -0.00021040578662261187,
        5.109021938277576e-05,
    ),
    erf=(
        0.12837916709551256,
        -0.3761263890318355,
        0.11283791670945252,
        -0.026866170643276045,
        0.0052239776074223645,
        -0.0008548325989656707,
        0.00012055295319620208,
        -1.4924744651760016e-05,
        1.644751758883562e-06,
        -1.6209175573491057e-07,
        1.3722976041821109e-08,
        -7.801190384188348e-10,
    ),
    erfc=(
        0.128379200212672,
        0.6366193742910676,
        0.1027748506555974,
        -0.019136373246807177,
        -0.00018960239793112203,
        0.0016601250383531548,
        -0.0005387739712680253,
        -3.18969065480555e-05,
        0.00011655378598414958,
        -6.747046422438704e-05,
        2.5303618857711158e-05,
        -7.093701082010288e-06,
        1.5440096665711154e-06,
        -2.620809129067232e-07,
        3.419214030564992e-08,
        -3.3187890848131166e-09,
        2.2590074827842756e-10,
        -9.621519668232119e-12,
        1.928699209957104e-13,
    ),
)


def _bits(element: ir.Type) -> int:
    return element.width if isinstance(element, ir.IntType) else 32 if isinstance(element, ir.FloatType) else 64


class _Value:
    """A lane vector of numbers or integers under construction; its operators append instructions."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder = builder
        self.value = value
        self.is_integer = isinstance(value.type.element, ir.IntType)
        self.format = _FLOAT32 if _bits(value.type.element) == 32 else _FLOAT64

    def operand(self, other: _Operand) -> ir.Value:
        """Another value of this type; a number fills its lanes."""
        return (
            other.value if isinstance(other, _Value) else ir.Constant(self.value.type, [other] * self.value.type.count)
        )

    def apply(self, instruction: Callable[..., ir.Value], *operands: _Operand) -> "_Value":
        """The result of an instruction on values of this type."""
        return _Value(self.builder, instruction(*(self.operand(operand) for operand in operands)))

    def __add__(self, other: _Operand) -> "_Value":
        return self.apply(self.builder.add if self.is_integer else self.builder.fadd, self, other)

    def __sub__(self, other: _Operand) -> "_Value":
        return self.apply(self.builder.sub if self.is_integer else self.builder.fsub, self, other)

    def __rsub__(self, other: _Operand) -> "_Value":
        return self.apply(self.builder.sub if self.is_integer else self.builder.fsub, other, self)

    def __mul__(self, other: _Operand) -> "_Value":
        return self.apply(self.builder.fmul, self, other)

    def __truediv__(self, other: _Operand) -> "_Value":
        return self.apply(self.builder.fdiv, self, other)

    def __rtruediv__(self, other: _Operand) -> "_Value":
        return self.apply(self.builder.fdiv, other, self)

    def __neg__(self) -> "_Value":
        return self.apply(self.builder.fneg, self)

    def __lshift__(self, count: int) -> "_Value":
        return self.apply(self.builder.shl, self, count)

    def __rshift__(self, count: int) -> "_Value":
        return self.apply(self.builder.ashr, self, count)

    def __and__(self, other: _Operand) -> "_Value":
        return self.apply(self.builder.and_, self, other)

    def __xor__(self, other: _Operand) -> "_Value":
        return self.apply(self.builder.xor, self, other)

    def where(self, relation: str, bound: _Operand, yes: _Operand, no: _Operand) -> "_Value":
        """Lane by lane ``yes`` where ``self relation bound`` holds (never for NaN), else ``no``."""
        compare = self.builder.icmp_signed if self.is_integer else self.builder.fcmp_ordered
        mask = compare(relation, self.value, self.operand(bound))
        like = yes if isinstance(yes, _Value) else self
        return like.apply(partial(self.builder.select, mask), yes, no)

    def at_most(self, high: float) -> "_Value":
        """The smaller of the two; NaN stays."""
        return self.where(">", high, high, self)

    def at_least(self, low: float) -> "_Value":
        """The larger of the two; NaN stays."""
        return self.where("<", low, low, self)

    def bits(self) -> "_Value":
        """The bit patterns as integers."""
        return self._cast(ir.IntType(self.format.width))

    def from_bits(self) -> "_Value":
        """The numbers with these bit patterns."""
        return self._cast(ir.FloatType() if self.format is _FLOAT32 else ir.DoubleType())

    def _cast(self, element: ir.Type) -> "_Value":
        vector = ir.VectorType(element, self.value.type.count)
        return _Value(self.builder, self.builder.bitcast(self.value, vector))

    def _intrinsic(self, name: str, *others: _Operand) -> "_Value":
        values = [self.operand(operand) for operand in (self, *others)]
        result = llvm.call(self.builder, f"llvm.{name}.{llvm.suffix(values[0].type)}", values[0].type, values)
        return _Value(self.builder, result)

    def absolute(self) -> "_Value":
        """The magnitude."""
        return self._intrinsic("fabs")

    def with_sign_of(self, other: "_Value") -> "_Value":
        """Its magnitude, the other's sign."""
        return self._intrinsic("copysign", other)

    def times_plus(self, factor: _Operand, summand: _Operand) -> "_Value":
        """self · factor + summand with one rounding."""
        return self._intrinsic("fma", factor, summand)

    def polynomial(self, coefficients: tuple[float, ...]) -> "_Value":
        """c₀ + c₁·self + c₂·self² + … ."""
        *lower, last, highest = coefficients
        value = self.times_plus(highest, last)
        for coefficient in reversed(lower):
            value = value.times_plus(self, coefficient)
        return value


# --- parts of formulas --------------------------------------------------------------------------------------


def _round(x: _Value, factor: float) -> tuple[_Value, _Value]:
    """The integer next to x · factor, as an integer (any, where x is not finite) and as a number."""
    shift = x.format.shift
    shifted = x.times_plus(factor, shift)
    return shifted.bits() - x.format.shift_bits, shifted - shift


def _as_number(k: _Value) -> _Value:
    """A small integer as a number, by way of the bits of shift + k."""
    return (k + k.format.shift_bits).from_bits() - k.format.shift


def _power_of_2(k: _Value) -> _Value:
    """2^k for the exponents of normal numbers."""
    return ((k + k.format.bias) << k.format.mantissa).from_bits()


def _reduce(x: _Value) -> tuple[_Value, _Value, _Value]:
    """n, near and c, where x = n·ln2 + near + c, |near| ≤ ln2/2 and c is tiny."""
    high, low = x.format.ln2
    n, number = _round(x, _LOG2_E)
    return n, number.times_plus(-high, x), number * -low


def _exp_slope(r: _Value) -> _Value:
    """(e^r − 1)/r, its terms in pairs: a shorter chain of instructions that wait for each other."""
    terms = (1.0, *r.format.exp)
    square = r * r
    pairs = [r.times_plus(odd, even) for even, odd in zip(terms[::2], terms[1::2], strict=False)]
    value: _Operand = terms[-1] if len(terms) % 2 else pairs.pop()
    for pair in reversed(pairs):
        value = square.times_plus(value, pair)
    return cast(_Value, value)


def _exp_parts(x: _Value) -> tuple[_Value, _Value, _Value]:
    """n, r and a slope, where e^x = 2^n · (1 + r·slope)."""
    n, near, c = _reduce(x)
    # e^(near + c) = 1 + (near + c·(1 + near/2))·slope(near), but for c²: the slope need not wait for c
    r = c.times_plus(near.times_plus(0.5, 1.0), near)
    return n, r, _exp_slope(near)


def _exp_normal(x: _Value) -> _Value:
    """exp where it is a normal number and n ≤ bias."""
    n, r, slope = _exp_parts(x)
    power = _power_of_2(n)
    return (r * power).times_plus(slope, power)


def _exp_factors(x: _Value) -> tuple[_Value, _Value]:
    """Two factors of exp between exp_low and exp_high, so that it overflows and underflows as it should."""
    n, r, slope = _exp_parts(x)
    half = n >> 1
    power = _power_of_2(half)
    return (r * power).times_plus(slope, power), _power_of_2(n - half)


def _expm1_bounded(x: _Value) -> _Value:
    """expm1 between expm1_low and exp_high, without a care for −0.0."""
    n, near, c = _reduce(x)
    r = near + c
    left = c + (near - r)
    rest = r + (r * r).times_plus(r.polynomial(r.format.exp), left)
    half = _power_of_2(n - 1)
    return half.times_plus(rest, half - 0.5) * 2.0


def _split(x: _Value) -> tuple[_Value, _Value]:
    """k and m, where x = 2^k · m and √½ ≤ m < √2, of a normal positive number."""
    k = (x.bits() - x.format.sqrt_half) >> x.format.mantissa
    return k, (x.bits() - (k << x.format.mantissa)).from_bits()


def _log_of_parts(k: _Value, f: _Value) -> _Value:
    """log(2^k · (1 + f)) where √½ ≤ 1 + f ≤ √2."""
    high, low = f.format.ln2
    square = f * f
    if f.format is _FLOAT32:
        rest = (f * square).times_plus(f.polynomial(f.format.log), k * low)
        return k.times_plus(high, f + square.times_plus(-0.5, rest))
    s = f / (f + 2.0)
    z = s * s
    rest = s.times_plus(square.times_plus(0.5, z * z.polynomial(f.format.log)), k * low)
    return k.times_plus(high, f - square.times_plus(0.5, -rest))


def _log_limits(x: _Value, value: _Value) -> _Value:
    """``value``, the logarithm of x, but what belongs there for infinity, NaN, zero and negative numbers."""
    value = x.where("<", math.inf, value, x)
    return x.where(">", 0.0, value, x.where("==", 0.0, x * 0.0 - math.inf, x * math.nan))


def _log1p_bounded(x: _Value, spare: int) -> _Value:
    """log1p where 1 + x < 2^(bias − 1 + spare); ``spare`` keeps the power of 2 a normal number."""
    k, _ = _split(x + 1.0)
    power = _power_of_2(spare - k)
    f = (x * 0.5**spare).times_plus(power, power * 0.5**spare - 1.0)
    return _log_of_parts(_as_number(k), f)


def _sine(x: _Value, quarter: int) -> _Value:
    """sin(x + quarter · π/2)."""
    high, middle, low = x.format.half_pi
    x = x.absolute().where("<=", x.format.sin_limit, x, math.nan)
    n, number = _round(x, _2_OVER_PI)
    r = number.times_plus(-low, number.times_plus(-middle, number.times_plus(-high, x)))
    n = n + quarter
    square = r * r
    sine = (square * r).times_plus(square.polynomial(r.format.sin), r)
    cosine = (square * square).times_plus(square.polynomial(r.format.cos), square.times_plus(-0.5, 1.0))
    value = (n & 1).where("==", 0, sine, cosine)
    return (value.bits() ^ ((n & 2) << (r.format.width - 2))).from_bits()


# --- the functions ------------------------------------------------------------------------------------------


def _lane_function(formula: Callable[[_Value], _Value]) -> Any:
    def typer(typingctx, z):  # type: ignore[no-untyped-def]
        def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
            return formula(_Value(builder, args[0])).value

        return z(z), codegen

    typer.__name__ = formula.__name__
    typer.__doc__ = formula.__doc__
    return intrinsic(typer)


@_lane_function
def exp(x: _Value) -> _Value:
    """e^x."""
    first, second = _exp_factors(x.at_most(x.format.exp_high).at_least(x.format.exp_low))
    return first * second


@_lane_function
def expm1(x: _Value) -> _Value:
    """e^x − 1."""
    value = _expm1_bounded(x.at_most(x.format.exp_high).at_least(x.format.expm1_low))
    return x.absolute().where("<", x.format.tiny, x, value)


@_lane_function
def log(x: _Value) -> _Value:
    """The natural logarithm: −∞ of 0, NaN of negative numbers."""
    smallest, mantissa = x.format.smallest, x.format.mantissa
    k, m = _split(x.where("<", smallest, x * 2.0**mantissa, x))
    k = _as_number(x.where("<", smallest, k - mantissa, k))
    return _log_limits(x, _log_of_parts(k, m - 1.0))


@_lane_function
def log1p(x: _Value) -> _Value:
    """log(1 + x)."""
    value = _log_limits(x + 1.0, _log1p_bounded(x, spare=2))
    return x.absolute().where("<", x.format.tiny, x, value)


@_lane_function
def tanh(x: _Value) -> _Value:
    """The hyperbolic tangent."""
    t = x.absolute()
    square = t * t
    near = (square * t).times_plus(square.polynomial(x.format.tanh), t)
    far = 1.0 - 2.0 / (_exp_normal((t * 2.0).at_most(2.0 * x.format.tanh_high)) + 1.0)
    return t.where("<", x.format.tanh_split, near, far).with_sign_of(x)


@_lane_function
def sigmoid(x: _Value) -> _Value:
    """1/(1 + e^−x), as 1 − d or e − e·d with e = e^−|x| and d = e/(1 + e): closer than one quotient."""
    first, second = _exp_factors((-x.absolute()).bits().at_most(x.format.bits(x.format.exp_low)).from_bits())
    e = first * second
    scale = x.where("<", 0.0, e, x.where(">=", 0.0, 1.0, x))
    return (-scale).times_plus(e / first.times_plus(second, 1.0), scale)


@_lane_function
def softplus(x: _Value) -> _Value:
    """log(1 + e^x) = max(x, 0) + log1p(e^−|x|)."""
    first, second = _exp_factors((-x.absolute()).at_least(x.format.exp_low))
    e = first * second
    return x.at_least(0.0) + _log1p_bounded(e, spare=0)


@_lane_function
def sin(x: _Value) -> _Value:
    """The sine; NaN beyond ``sin_limit``."""
    return x.where("==", 0.0, x, _sine(x, 0))


@_lane_function
def cos(x: _Value) -> _Value:
    """The cosine; NaN beyond ``sin_limit``."""
    return _sine(x, 1)


@_lane_function
def erf(x: _Value) -> _Value:
    """The error function, by a polynomial near 0 and as 1 − e^−g(|x|) elsewhere."""
    t = x.absolute()
    near = t.times_plus((t * t).polynomial(x.format.erf), t)
    t = t.at_most(x.format.erf_high)
    far = 1.0 - _exp_normal(-t.times_plus(t.polynomial(x.format.erfc), t))
    return t.where("<", x.format.erf_split, near, far).with_sign_of(x)

"""The optimisers: settings, integer code, and the update of one parameter as a scalar equation.

An optimiser object holds settings only; the state of a parameter (a velocity, running means) belongs to the
run and starts from zeros. ``reference_update`` is what the kernels must reproduce. sgd and momentum are L3's;
rmsprop, adam, adamw and rprop are PyTorch's, defaults included.

Order within one step: the gradient is reduced over samples, scaled by clip_norm, cut by clip_value; weight
decay is added (weights only); the optimiser moves the parameter.
"""

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

from neuronsim.basics.checked import real
from neuronsim.basics.listing import Listing, by_docstring
from neuronsim.errors import SettingError, choose

__all__ = ["OPTIMIZERS", "SGD", "Adam", "AdamW", "Momentum", "Nesterov", "Optimizer", "RMSprop", "Rprop", "available"]


State = list[float]  # what an optimiser keeps for one parameter

_ALLOWED = {"[0, 1)": "in [0, 1)", "[0, inf)": "finite and at least 0", "(0, inf)": "finite and above 0"}


def _within(interval: str, default: float) -> Any:
    """A setting of an optimiser, and where it has to lie."""
    return field(default=default, metadata={"interval": interval})


@dataclass(frozen=True)
class Optimizer:
    """What all optimisers share.

    Attributes
    ----------
    name, code : str, int
        How people and kernels name it.
    n_state : int
        State values per parameter, all 0 at the start of a run.
    """

    name: ClassVar[str]
    code: ClassVar[int]
    n_state: ClassVar[int] = 0

    def __post_init__(self) -> None:
        for f in fields(self):
            interval = f.metadata["interval"]
            message = f"{{name}} of {self.name!r} is {{value!r}}; it must be {_ALLOWED[interval]}"
            real(f.name, getattr(self, f.name), interval, message)

    def settings(self) -> tuple[float, ...]:
        """The numbers that the kernel needs, in the order of the fields."""
        return tuple(float(getattr(self, f.name)) for f in fields(self))

    def reference_update(self, w: float, g: float, state: State, rate: float, t: int) -> tuple[float, State]:
        """One parameter, one step.

        Parameters
        ----------
        w, g : float
            The parameter and ∂L/∂w, reduced, clipped and decayed.
        state : list of float
            ``n_state`` values as the last step left them.
        rate : float
            The learning rate μ, times the parameter's own factor.
        t : int
            Number of the step, from 1.

        Returns
        -------
        tuple
            The new parameter and the new state.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class SGD(Optimizer):
    """w := w - μ g (L3)."""

    name: ClassVar[str] = "sgd"
    code: ClassVar[int] = 0

    def reference_update(self, w: float, g: float, state: State, rate: float, t: int) -> tuple[float, State]:
        return w - rate * g, []


@dataclass(frozen=True)
class Momentum(Optimizer):
    """v := β v - μ g, w := w + v (L3).

    Attributes
    ----------
    momentum : float
        β, in [0, 1).
    """

    momentum: float = _within("[0, 1)", 0.9)

    name: ClassVar[str] = "momentum"
    code: ClassVar[int] = 1
    n_state: ClassVar[int] = 1

    def reference_update(self, w: float, g: float, state: State, rate: float, t: int) -> tuple[float, State]:
        v = self.momentum * state[0] - rate * g
        return w + v, [v]


@dataclass(frozen=True)
class Nesterov(Optimizer):
    """v := β v - μ g, w := w + β v - μ g.

    Attributes
    ----------
    momentum : float
        β, in [0, 1).
    """

    momentum: float = _within("[0, 1)", 0.9)

    name: ClassVar[str] = "nesterov"
    code: ClassVar[int] = 2
    n_state: ClassVar[int] = 1

    def reference_update(self, w: float, g: float, state: State, rate: float, t: int) -> tuple[float, State]:
        v = self.momentum * state[0] - rate * g
        return w + self.momentum * v - rate * g, [v]


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """s := α s + (1 - α) g², w := w - μ g / (√s + ε).

    Attributes
    ----------
    alpha : float
        α, in [0, 1).
    eps : float
        ε, 0 or more.
    """

    alpha: float = _within("[0, 1)", 0.99)
    eps: float = _within("[0, inf)", 1e-8)

    name: ClassVar[str] = "rmsprop"
    code: ClassVar[int] = 3
    n_state: ClassVar[int] = 1

    def reference_update(self, w: float, g: float, state: State, rate: float, t: int) -> tuple[float, State]:
        s = self.alpha * state[0] + (1.0 - self.alpha) * g * g
        return w - rate * _divide(g, math.sqrt(s) + self.eps), [s]


@dataclass(frozen=True)
class Adam(Optimizer):
    """Running means of g and g², each divided by 1 - β^t; w := w - μ m̂ / (√ŝ + ε).

    Attributes
    ----------
    beta1, beta2 : float
        Of the two running means, in [0, 1).
    eps : float
        ε, 0 or more.
    """

    beta1: float = _within("[0, 1)", 0.9)
    beta2: float = _within("[0, 1)", 0.999)
    eps: float = _within("[0, inf)", 1e-8)

    name: ClassVar[str] = "adam"
    code: ClassVar[int] = 4
    n_state: ClassVar[int] = 2

    def reference_update(self, w: float, g: float, state: State, rate: float, t: int) -> tuple[float, State]:
        m = self.beta1 * state[0] + (1.0 - self.beta1) * g
        s = self.beta2 * state[1] + (1.0 - self.beta2) * g * g
        step_size = rate / (1.0 - self.beta1**t)
        denominator = math.sqrt(s) / math.sqrt(1.0 - self.beta2**t) + self.eps
        return w - step_size * _divide(m, denominator), [m, s]


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay: weights first shrink by 1 - μ·weight_decay.

    Attributes
    ----------
    beta1, beta2 : float
        Of the two running means, in [0, 1).
    eps : float
        ε, 0 or more.
    weight_decay : float
        0 or more; the ``weight_decay`` of ``fit`` goes before it.
    """

    weight_decay: float = _within("[0, inf)", 0.01)

    name: ClassVar[str] = "adamw"
    code: ClassVar[int] = 5

    def settings(self) -> tuple[float, ...]:
        """β₁, β₂, ε; the decay travels by itself (`effective_weight_decay`)."""
        return self.beta1, self.beta2, self.eps


@dataclass(frozen=True)
class Rprop(Optimizer):
    """Only the gradient's sign counts: a parameter's step size grows while the sign stays, shrinks if not.

    The state is (the previous gradient, the step size). The step size starts as the learning rate, which is
    not read again; a rate of 0 leaves the parameter alone.

    Attributes
    ----------
    eta_minus, eta_plus : float
        What a step size is multiplied by: below 1 where the sign has changed, above 1 where it has stayed.
    step_min, step_max : float
        The bounds of a step size.
    """

    eta_minus: float = _within("(0, inf)", 0.5)
    eta_plus: float = _within("(0, inf)", 1.2)
    step_min: float = _within("(0, inf)", 1e-6)
    step_max: float = _within("(0, inf)", 50.0)

    name: ClassVar[str] = "rprop"
    code: ClassVar[int] = 6
    n_state: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.eta_minus < 1.0 < self.eta_plus:
            raise SettingError(
                f"rprop needs eta_minus < 1 < eta_plus, not eta_minus={self.eta_minus}, eta_plus={self.eta_plus}"
            )
        if self.step_min > self.step_max:
            raise SettingError(f"rprop needs step_min <= step_max, not {self.step_min} and {self.step_max}")

    def reference_update(self, w: float, g: float, state: State, rate: float, t: int) -> tuple[float, State]:
        if rate == 0.0:
            return w, state
        previous, step_size = state
        if step_size == 0.0:
            step_size = rate
        agreement = g * previous
        if math.isnan(agreement):
            return math.nan, [math.nan, math.nan]
        if agreement > 0.0:
            step_size *= self.eta_plus
        elif agreement < 0.0:
            step_size *= self.eta_minus
            g = 0.0
        step_size = min(max(step_size, self.step_min), self.step_max)
        if g > 0.0:
            w -= step_size
        elif g < 0.0:
            w += step_size
        return w, [g, step_size]


_CLASSES: tuple[type[Optimizer], ...] = (SGD, Momentum, Nesterov, RMSprop, Adam, AdamW, Rprop)

OPTIMIZERS: dict[str, type[Optimizer]] = {cls.name: cls for cls in _CLASSES}


def resolve(optimizer: str | Optimizer, *, momentum: float | None = None) -> Optimizer:
    """The optimiser meant, by name or as an object.

    Parameters
    ----------
    optimizer : str or Optimizer
        "sgd", "momentum", ... or an object with settings of its own.
    momentum : float, optional
        β, for those that take it.

    Raises
    ------
    SettingError
        For an unknown name (it names the nearest), and for a momentum that the optimiser does not take.
    """
    if isinstance(optimizer, type):
        raise SettingError(
            f"unknown optimizer {optimizer.__name__}: it is a class; give an object of it, {optimizer.__name__}(), or "
            f"a name; allowed: {', '.join(OPTIMIZERS)}"
        )
    if isinstance(optimizer, Optimizer) and type(optimizer) not in _CLASSES:
        # kernels know an optimiser by its code: one of another class would be computed as the one it was made from
        known = ", ".join(cls.__name__ for cls in _CLASSES)
        raise SettingError(
            f"{type(optimizer).__name__} is none of neuronsim's optimisers; those of ns.optimizers: {known}"
        )
    chosen = optimizer if isinstance(optimizer, Optimizer) else choose("optimizer", optimizer, OPTIMIZERS)()
    if momentum is None:
        return chosen
    if not isinstance(chosen, (Momentum, Nesterov)):
        takers = ", ".join(repr(cls.name) for cls in _CLASSES if issubclass(cls, (Momentum, Nesterov)))
        raise SettingError(f"the optimizer {chosen.name!r} takes no momentum; those that do: {takers}")
    if isinstance(optimizer, Optimizer) and momentum != chosen.momentum:
        raise SettingError(
            f"momentum was given twice: {chosen.momentum} in the optimizer and momentum={momentum}; give it once"
        )
    return replace(chosen, momentum=momentum)


def effective_weight_decay(optimizer: Optimizer, weight_decay: float) -> float:
    """The decay that acts: the one given, or else the optimiser's own (AdamW has 0.01).

    Raises
    ------
    SettingError
        If it is negative or not finite, or the optimiser takes none.
    """
    message = "{name} is {value!r}; it must be a finite number, at least 0"
    given = real("weight_decay", weight_decay, message=message)
    if given and isinstance(optimizer, Rprop):
        raise SettingError("the optimizer 'rprop' takes no weight_decay: it reads only the gradient's sign")
    return given or float(getattr(optimizer, "weight_decay", 0.0))


def decayed(optimizer: Optimizer, w: float, g: float, rate: float, weight_decay: float) -> tuple[float, float]:
    """A weight and its gradient after decay: g + decay·w, or (adamw) w·(1 - μ·decay)."""
    if isinstance(optimizer, AdamW):
        return w * (1.0 - rate * weight_decay), g
    return w, g + weight_decay * w


def _divide(a: float, b: float) -> float:
    """a / b as IEEE 754 has it: a gradient that was always 0 with eps=0 gives NaN."""
    if b != 0.0:
        return a / b
    return math.nan if a == 0.0 or math.isnan(a) else math.copysign(math.inf, a)


def available() -> Listing:
    """Every optimiser with its update, a line each."""
    return by_docstring(OPTIMIZERS)


def __dir__() -> list[str]:
    return __all__

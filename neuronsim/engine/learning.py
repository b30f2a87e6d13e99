"""How a session changes parameters, as people set it and as kernels take it."""

from dataclasses import dataclass, field

import numpy as np

from neuronsim.basics.arrays import Array
from neuronsim.engine.engine import Engine
from neuronsim.formulas.optimizers import SGD, Optimizer
from neuronsim.kernels import codes
from neuronsim.kernels.arguments import Learning, Rule
from neuronsim.kernels.batch.steps import BLOCK_SAMPLES
from neuronsim.kernels.update import (
    CLIP,
    CORRECTION_1,
    CORRECTION_2,
    EPSILON,
    FIRST,
    FIRST_REST,
    HIGHEST,
    LOWEST,
    N_RULE,
    SECOND,
    SECOND_REST,
    UPDATE,
)


@dataclass(frozen=True)
class SessionSettings:
    """How a session changes parameters.

    Attributes
    ----------
    optimizer : Optimizer
    batch_size : int
    mean : bool
        Gradients are means over a batch, else sums.
    weight_decay : float
    clip_norm, clip_value : float or None
    initial_rate : float
        Of the first step: rprop's step sizes start with it.
    threads : int or None
        None: as many as the work is worth.
    """

    optimizer: Optimizer = field(default_factory=SGD)
    batch_size: int = 1
    mean: bool = True
    weight_decay: float = 0.0
    clip_norm: float | None = None
    clip_value: float | None = None
    initial_rate: float = 0.0
    threads: int | None = None


def make_learning(engine: Engine, settings: SessionSettings, buffered: bool = False) -> Learning:
    """The optimiser, its numbers, and its state at the start; gradients are kept where that is asked for, or needed."""
    optimizer, none = settings.optimizer, engine.no_parameters()
    buffered |= settings.clip_norm is not None or settings.batch_size > BLOCK_SAMPLES
    numbers = _numbers(settings)
    learning = Learning(
        rule=Rule(optimizer.code, numbers.astype(engine.dtype), engine.dtype.type(settings.weight_decay)),
        settings=numbers,
        powers=np.ones(2),
        mode=np.full(1, UPDATE),
        parameters=engine.parameters,
        first_state=engine.like_parameters() if optimizer.n_state > 0 else none,
        second_state=engine.like_parameters() if optimizer.n_state > 1 else none,
        rates=engine.rates,
        gradient=engine.like_parameters() if buffered else none,
    )
    if optimizer.code == codes.RPROP:
        for sizes, factors in zip(learning.second_state, learning.rates, strict=True):
            sizes[:] = settings.initial_rate
            if factors.size:
                sizes *= np.maximum(factors, 0)
    return learning


def _numbers(settings: SessionSettings) -> Array:
    """The numbers of a step, by place."""
    optimizer = settings.optimizer
    numbers = np.zeros(N_RULE)
    numbers[CLIP] = np.inf if settings.clip_value is None else settings.clip_value
    numbers[CORRECTION_1] = numbers[CORRECTION_2] = 1.0
    values = optimizer.settings()
    if optimizer.code == codes.RPROP:
        places: tuple[int, ...] = (FIRST, SECOND, LOWEST, HIGHEST)
    elif optimizer.code == codes.RMSPROP:
        places = (FIRST, EPSILON)
    else:
        places = (FIRST, SECOND, EPSILON)[: len(values)]
    numbers[list(places)] = values
    numbers[FIRST_REST], numbers[SECOND_REST] = 1.0 - numbers[FIRST], 1.0 - numbers[SECOND]
    return numbers

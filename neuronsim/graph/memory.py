"""What neurons keep from one step to the next: leaks and initial states. Nothing is stored until one is set."""

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from neuronsim.basics.arrays import Array, Integers, Marks, Reals
from neuronsim.kernels.codes import LEAK_OF_OUTPUT, LEAK_OF_POTENTIAL, NO_LEAK

LEAKS_OF: dict[str, int] = {"output": LEAK_OF_OUTPUT, "potential": LEAK_OF_POTENTIAL}
"""What may leak, and the code of it."""

MemoryArray = Literal["leaks", "initials"]

_FILL = {"leaks": 1.0, "leak_codes": NO_LEAK, "initials": 0.0, "learned_leaks": False, "learned_initials": False}


@dataclass(eq=False)
class Memory:
    """Leaks and initial states of n neurons. Arrays have the shape (n_neurons,), and are None until one is used.

    Attributes
    ----------
    n : int
    dtype : dtype
        Of leaks and initial states.
    leaks : array or None
        α, the part of what is new in a step; 1 where there is no leak.
    leak_codes : int8 array or None
        What leaks, as `LEAKS_OF` has it.
    initials : array or None
        The output before the first step; of a neuron whose potential leaks, that potential.
    learned_leaks, learned_initials : bool array or None
        What is trained; None: nothing is. They are frozen unless asked for.
    """

    n: int
    dtype: np.dtype[np.floating]
    leaks: Reals | None = None
    leak_codes: NDArray[np.int8] | None = None
    initials: Reals | None = None
    learned_leaks: Marks | None = None
    learned_initials: Marks | None = None

    def arrays(self) -> dict[str, Array]:
        """Those in use, by name."""
        found = {field.name: getattr(self, field.name) for field in fields(self)[2:]}
        return {name: values for name, values in found.items() if values is not None}

    def copy(self) -> "Memory":
        """An independent copy."""
        return Memory(self.n, self.dtype, **{name: values.copy() for name, values in self.arrays().items()})

    def in_dtype(self, dtype: np.dtype[np.floating]) -> "Memory":
        """The same in another dtype."""
        arrays = self.arrays()
        for name in ("leaks", "initials"):
            if name in arrays:
                arrays[name] = arrays[name].astype(dtype)
        return Memory(self.n, dtype, **arrays)

    def leak(self, neuron: int) -> tuple[float, int]:
        """α and what leaks; (1, 0) without a leak."""
        if self.leaks is None or self.leak_codes is None:
            return 1.0, NO_LEAK
        return float(self.leaks[neuron]), int(self.leak_codes[neuron])

    def initial(self, neuron: int) -> float:
        """The initial state of one neuron."""
        return 0.0 if self.initials is None else float(self.initials[neuron])

    def leaking(self) -> Marks:
        """Which neurons leak, shape (n_neurons,)."""
        return np.zeros(self.n, np.bool_) if self.leak_codes is None else self.leak_codes != NO_LEAK

    def set_leak(self, neurons: int | Integers, leak: float, code: int) -> None:
        """Let neurons leak, or with the code 0 no more."""
        self._array("leaks")[neurons] = leak
        self._array("leak_codes")[neurons] = code
        if code == NO_LEAK and self.learned_leaks is not None:
            self.learned_leaks[neurons] = False
        self._forget_neutral()

    def set_initial(self, neurons: int | Integers, value: float) -> None:
        """Give neurons an initial state."""
        self._array("initials")[neurons] = value
        self._forget_neutral()

    def learned(self, what: MemoryArray) -> Marks:
        """Which leaks or initial states are trained, shape (n_neurons,)."""
        marks = self.learned_leaks if what == "leaks" else self.learned_initials
        return np.zeros(self.n, np.bool_) if marks is None else marks

    def learn(self, what: MemoryArray, neurons: Integers, on: bool) -> None:
        """Train leaks or initial states, or freeze them."""
        if len(neurons) and (on or self.learned(what).any()):
            self._array(what)
            self._array(f"learned_{what}")[neurons] = on
            self._forget_neutral()

    def merge(self, leaks: list[float], codes: list[int], alive: Marks) -> None:
        """Append neurons, then keep the rows that are ``alive``, shape (n_rows,), new ones included."""
        if any(codes):
            self._array("leaks"), self._array("leak_codes")
        added = {"leaks": leaks, "leak_codes": codes}
        for name, old in self.arrays().items():
            new = np.array(added.get(name, [_FILL[name]] * len(codes)), old.dtype)
            setattr(self, name, np.append(old, new)[alive])
        self.n = int(np.count_nonzero(alive))
        self._forget_neutral()

    def _array(self, name: str) -> Array:
        """One of the arrays, which is used from now on."""
        if getattr(self, name) is None:
            dtype = np.int8 if name == "leak_codes" else np.bool_ if name.startswith("learned") else self.dtype
            setattr(self, name, np.full(self.n, _FILL[name], dtype))
        values: Array = getattr(self, name)
        return values

    def _forget_neutral(self) -> None:
        """Store nothing where nothing leaks, all begins at 0, or nothing is learned."""
        for what in ("learned_leaks", "learned_initials"):
            if getattr(self, what) is not None and not getattr(self, what).any():
                setattr(self, what, None)
        if self.leak_codes is not None and not self.leak_codes.any():
            self.leaks = self.leak_codes = self.learned_leaks = None
        if self.initials is not None and self.learned_initials is None and not self.initials.any():
            self.initials = None

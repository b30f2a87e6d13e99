"""What was measured, as plain values that go to JSON and to the report."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

OURS = "neuronsim"


@dataclass(frozen=True)
class Measurement:
    """One system at one case of a work.

    Attributes
    ----------
    rounds : list of float
        In ``unit``, a value for each round.
    more_is_better : bool
        Of the unit: samples a second, or microseconds a sample.
    first : float, optional
        Seconds of the first call: compilation and one pass.
    limit : float, optional
        The part of the machine's own limit that the median reaches.
    limit_name : str
        Which limit that is.
    """

    work: str
    case: str
    system: str
    unit: str
    rounds: list[float]
    more_is_better: bool = False
    first: float | None = None
    limit: float | None = None
    limit_name: str = ""
    note: str = ""

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return median(self.rounds)

    @property
    def spread(self) -> float:
        """Half the distance from the least to the greatest round, as a part of the median."""
        return (max(self.rounds) - min(self.rounds)) / 2 / self.median if self.median else 0.0


@dataclass
class Results:
    """Everything that a run of the benchmarks found out."""

    machine: dict[str, Any]
    settings: dict[str, Any]
    limits: dict[str, float]
    missing: dict[str, str] = field(default_factory=dict)
    agreement: dict[str, dict[str, float]] = field(default_factory=dict)
    measurements: list[Measurement] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> "Results":
        """From JSON."""
        return cls(**plain | {"measurements": [Measurement(**m) for m in plain["measurements"]]})


def advantage(ours: Measurement, peer: Measurement) -> float:
    """How many times as fast ours is: the median over rounds of the ratios within a round."""
    pairs = zip(ours.rounds, peer.rounds, strict=False)
    return median(a / b if ours.more_is_better else b / a for a, b in pairs)


def converted(passes: list[float], unit: Callable[[float], float]) -> list[float]:
    """Seconds of a pass in another unit."""
    return [unit(seconds) for seconds in passes]

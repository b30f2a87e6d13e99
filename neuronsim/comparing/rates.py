"""Which learning rates are worth a long run: a short one for each, from the same starts."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neuronsim.basics.arrays import Floats
from neuronsim.basics.checked import real, whole
from neuronsim.basics.silence import silenced
from neuronsim.basics.words import counted
from neuronsim.documents.explanation import Explained
from neuronsim.documents.notation import number
from neuronsim.documents.section import Section
from neuronsim.errors import SettingError
from neuronsim.network import Network
from neuronsim.replicas import fit_many
from neuronsim.seeds import SPLITS, generator

_RATES = tuple(float(f"{rate:.3g}") for rate in np.geomspace(1e-5, 10.0, 13))
_BATCH = 32
# The range: where at least this part of the best improvement is made.
_PART = 0.5


@dataclass(frozen=True, eq=False)
class RateRange(Explained):
    """What `neuronsim.learning_rate_range` returns.

    Attributes
    ----------
    rates : float64 array (n_rates,)
        Ascending.
    losses : float64 array (n_rates, n_seeds)
        After the steps, on all samples; NaN where the run diverged.
    start : float
        The median loss before.
    steps : int
        How many each run made.
    """

    rates: Floats
    losses: Floats
    start: float
    steps: int

    @property
    def medians(self) -> Floats:
        """The median over the seeds, infinite where at least half of them diverged; shape (n_rates,)."""
        return np.median(np.where(np.isnan(self.losses), np.inf, self.losses), axis=1)

    @property
    def range(self) -> tuple[float, float] | None:
        """The rates around the best one with at least half of its improvement; None where none improves."""
        gains = self.start - self.medians
        best = int(gains.argmax())
        if not gains[best] > 0:
            return None
        good = gains >= _PART * gains[best]
        low = high = best
        while low > 0 and good[low - 1]:
            low -= 1
        while high < len(good) - 1 and good[high + 1]:
            high += 1
        return float(self.rates[low]), float(self.rates[high])

    def figure(self, ax: Any = None) -> Any:
        """The loss by rate: median, band from 25 to 75 %, seeds as thin lines, the range shaded.

        Parameters
        ----------
        ax : Axes, optional
        """
        from neuronsim.plots.bands import bands

        curves = {f"after {counted(self.steps, 'step')}": [(self.rates, column) for column in self.losses.T]}
        picture = bands(curves, "learning rate", "loss", ax)
        picture.ax.set_xscale("log")
        picture.ax.axhline(self.start, color="#6b6b6b", linewidth=1, linestyle=":")
        if self.range is not None:
            picture.ax.axvspan(*self.range, color="#009e73", alpha=0.12, linewidth=0)
        return picture

    def _explanation(self) -> Section:
        rows: list[tuple[str, ...]] = [("rate", "median loss", "25 to 75 %", "diverged")]
        for rate, median, losses in zip(self.rates, self.medians, self.losses, strict=True):
            there = losses[np.isfinite(losses)]
            band = " to ".join(number(v, 4) for v in np.quantile(there, [0.25, 0.75])) if len(there) else ""
            shown = number(median, 4) if math.isfinite(median) else "∞"
            rows.append((number(rate, 4), shown, band, f"{len(losses) - len(there)} of {len(losses)}"))
        found = self.range
        said = "no rate made the loss smaller; look at other ones, or at the data's scale"
        if found is not None:
            said = (
                f"rates from {number(found[0], 4)} to {number(found[1], 4)} make at least half of the best improvement"
            )
        heading = f"loss after {counted(self.steps, 'step')}, {number(self.start, 4)} before"
        return Section(heading, tuple(rows), (said,))


def learning_rate_range(
    net: Network,
    X: ArrayLike,
    T: ArrayLike,
    *,
    rates: Sequence[float] | None = None,
    seeds: Iterable[int] = range(8),
    steps: int = 100,
    **fit: Any,
) -> RateRange:
    """Try learning rates by a short run each, from the same starts for all; the network is left as it is.

    Parameters
    ----------
    net : Network
        Its wiring; each seed draws weights of its own for a copy.
    X, T : array
        As for ``net.fit``.
    rates : list of float, optional
        None: 13 from 1e-5 to 10.
    seeds : iterable of int
    steps : int
        Of each run; with fewer samples than they take, whole epochs until there are so many.
    **fit : object
        Other arguments of ``net.fit``; ``batch_size`` is 32 unless given.

    Returns
    -------
    RateRange
        ``print`` it; ``.range``, ``.figure()``.

    Raises
    ------
    SettingError, DataError
        As ``net.fit``, before anything runs.
    """
    if not isinstance(net, Network):
        raise SettingError(f"learning_rate_range takes a network, not {net!r:.60}")
    for name, several in (("rates", rates), ("seeds", seeds)):
        if several is not None and not isinstance(several, Iterable):
            raise SettingError(f"{name}={several!r}: several are needed, in a list")
    chosen = np.array(sorted({real("rates", rate, "(0, inf)") for rate in (_RATES if rates is None else rates)}))
    listed = [whole("seeds", seed, 0) for seed in seeds]
    taken = [name for name in ("learning_rate", "epochs", "rng") if name in fit]
    if taken or not listed or not len(chosen):
        what = f"{taken[0]} is chosen here" if taken else "at least one rate and one seed are needed"
        raise SettingError(f"learning_rate_range: {what}")
    x, t, loss = net.runtime.data(X, T, fit.pop("loss", None))
    batch = min(fit.pop("batch_size", _BATCH) or len(x), len(x))
    whole("batch_size", batch)
    n = min(len(x), whole("steps", steps) * batch)
    epochs = -(-steps // -(-n // batch))
    fit = {name: value for name, value in fit.items() if name != "snapshots"}  # each run's end is looked at
    losses, before = np.full((len(chosen), len(listed)), np.nan), []
    made = epochs * -(-n // batch)
    for k, seed in enumerate(listed):
        rows = np.sort(generator(seed, SPLITS).permutation(len(x))[:n])
        start = net.copy()
        start.initialise(rng=seed)
        before.append(start.evaluate(x, t, loss=loss).loss)
        with silenced():
            runs = fit_many(
                net, x[rows], t[rows], seeds=[seed] * len(chosen), learning_rate=chosen.tolist(), loss=loss,
                batch_size=batch, epochs=epochs, progress=False, **fit,
            )  # fmt: skip
        for r, run in enumerate(runs):
            if run.status != "diverged":
                losses[r, k] = run.network.evaluate(x, t, loss=loss).loss
    losses[~np.isfinite(losses)] = np.nan
    return RateRange(chosen, losses, float(np.median(before)), made)

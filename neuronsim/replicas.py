"""Many fits of one wiring at once: seeds, rates and other settings side by side, each as it would be alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neuronsim.basics.checked import whole
from neuronsim.basics.words import counted
from neuronsim.errors import SettingError, suggest
from neuronsim.network import Network
from neuronsim.run import Run
from neuronsim.training.replicas import Replica, fit_replicas
from neuronsim.training.settings import FitSettings

# A list of these means something else.
_LISTS = ("monitors", "stop", "validation")
_NOT_HERE = {
    "rng": "each replica's is its seed",
    "monitors": "monitors look at one run; give them to net.fit",
    "checkpoint": "a checkpoint is of one run; use net.fit, or a sweep",
    "resume": "a run that goes on is one; use net.fit",
}


class Runs(list[Run]):
    """What `neuronsim.fit_many` returns: the runs in the order of their seeds.

    Attributes
    ----------
    alone : dict of int to str
        Which of them could not be trained in lanes, by place, and why.
    """

    alone: dict[int, str]

    def __init__(self, runs: Iterable[Run] = (), alone: dict[int, str] | None = None) -> None:
        super().__init__(runs)
        self.alone = alone or {}

    def __repr__(self) -> str:
        """How many, how they ended, and how they were made."""
        ends = [run.status for run in self]
        said = ", ".join(f"{ends.count(status)} {status}" for status in dict.fromkeys(ends))
        how = f"{len(self) - len(self.alone):,} in lanes"
        for why in dict.fromkeys(self.alone.values()):
            how += f", {list(self.alone.values()).count(why):,} alone ({why})"
        return f"<{counted(len(self), 'run')}: {said}; {how}>"


def fit_many(net: Network, X: ArrayLike, T: ArrayLike, *, seeds: Iterable[int] = range(16), **fit: Any) -> Runs:
    """Train one wiring from many seeds at once, a replica a lane of the processor's vectors; ``net`` is left alone.

    The replica of seed s is ``n = net.copy(); n.initialise(rng=s); n.fit(X, T, rng=s, …)``, bit for bit. Networks of a
    few hundred edges gain most; docs/performance.md says where it ends.

    Parameters
    ----------
    net : Network
    X : array (n_samples, n_inputs)
    T : array (n_samples, n_outputs), or class numbers (n_samples,)
    seeds : iterable of int
        One for each replica; the same one may come again, with other settings.
    **fit : object
        Other arguments of `Network.fit`, but for ``rng``, ``monitors``, ``checkpoint`` and ``resume``. A list goes in
        step with ``seeds``: ``learning_rate=[0.01, 0.1]`` with two seeds. ``threads`` is how many groups of lanes are
        trained at once.

    Returns
    -------
    Runs
        A list of `Run`; ``.alone`` says which were fitted one by one, and why: those that diverge, those with
        ``clip_norm``, with ``StepSize`` or with batches above 1,024.

    Raises
    ------
    SettingError, DataError
        As `Network.fit`, before anything is trained; or lists that are not as long as ``seeds``.

    Examples
    --------
    >>> import neuronsim as ns
    >>> net = ns.wiring.layered([2, 3, 1], rng=0)
    >>> ns.fit_many(net, *ns.data.load("xor"), seeds=range(3), epochs=10, learning_rate=0.1)
    <3 runs: 3 finished; 3 in lanes>
    """
    if not isinstance(net, Network):
        raise SettingError(f"fit_many takes a network, not {net!r:.60}")
    if not isinstance(seeds, Iterable) or isinstance(seeds, str):
        raise SettingError(f"seeds={seeds!r}: several are needed, as in range(16)")
    listed = [whole("seeds", seed, 0) for seed in seeds]
    if not listed:
        raise SettingError("seeds is empty: at least one is needed, as in range(16)")
    replicas: list[Replica[Run]] = []
    for seed, settings in zip(listed, _settings(fit, len(listed)), strict=True):
        own = net.copy()
        own.initialise(rng=seed)
        replicas.append(Replica(own.runtime, FitSettings(rng=seed, **settings)))
    fit_replicas(replicas, X, T, Run, None if fit.get("threads") is None else whole("threads", fit["threads"]))
    runs = [replica.run for replica in replicas if replica.run is not None]
    return Runs(runs, {k: replica.alone for k, replica in enumerate(replicas) if replica.alone})


def _is_listed(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim == 1)


def _settings(fit: dict[str, Any], n: int) -> list[dict[str, Any]]:
    """The settings of each replica: lists taken apart."""
    known = [field.name for field in fields(FitSettings)]
    for name in fit:
        if name not in known:
            raise SettingError(f"fit_many knows no {name!r}{suggest(name, known) or ';'} fit takes: {', '.join(known)}")
        if name in _NOT_HERE:
            raise SettingError(f"fit_many takes no {name}: {_NOT_HERE[name]}")
    several = {k: list(v) for k, v in fit.items() if _is_listed(v) and k not in _LISTS}
    for name, values in several.items():
        if len(values) != n:
            raise SettingError(
                f"{name} has {counted(len(values), 'value')} for {counted(n, 'seed')}; as many are needed"
            )
    return [fit | {name: values[k] for name, values in several.items()} for k in range(n)]

"""Grading: a function is asked for random networks, and its answers are judged part by part."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from neuronsim.basics.checked import real, whole
from neuronsim.errors import NeuronsimError, SettingError, choose
from neuronsim.formulas import activations
from neuronsim.formulas.losses import Loss
from neuronsim.grading import calling, cases, sandbox
from neuronsim.grading.answers import Reader
from neuronsim.grading.calling import Signature, UnknownSignature, signature_of
from neuronsim.grading.cases import LEARNING_RATE, N_SAMPLES, Case
from neuronsim.grading.judging import NOT_FINITE, PARTS, Call, Judge, Mark
from neuronsim.grading.lectures import line_of, line_of_part
from neuronsim.grading.report import NO_ANSWER, NOT_SHOWN, Grade, Mistake, Part
from neuronsim.seeds import RandomSource, seed_of
from neuronsim.verifying.verdict import RIGHT, UNKNOWN

_SIZES = ((2, 3, 1), (3, 4, 2), (2, 4, 3, 2))
_ACTIVATIONS = ("sigmoid", "tanh", "relu")
_PRODUCTS = {"W @ x": False, "x @ W": True}  # whether W is (n_in, n_out)


def grade(
    function: Callable[..., Any],
    *,
    activation: str | Sequence[str] | None = None,
    output: str | None = None,
    loss: str | Loss | None = None,
    reduction: str = "mean",
    sizes: Iterable[Sequence[int]] | None = None,
    product: str = "W @ x",
    samples: str | None = None,
    points: float | Mapping[str, float] | None = None,
    time_limit: float | None = 10.0,
    rng: RandomSource = 0,
) -> Grade:
    """Grade somebody's backpropagation: points by part, the mistake, the line of the lecture that it breaks.

    The function is called with random networks, with each of three samples alone and with all three together. What
    it gets is told by the names of its parameters:

    - ``weights``, ``biases``: lists of arrays by layer; or ``parameters`` (``params``): a dictionary of W1, b1, W2, …;
      or ``W1, b1, W2, b2``, each by itself; or ``layers``: a list of (W, b).
    - ``X`` (``inputs``): a table, one row a sample; or ``x``: one sample. ``T`` (``Y``, ``targets``) or ``t`` (``y``).
    - ``learning_rate`` (``lr``, ``eta``, ``alpha``): then it makes a step, and returns the new parameters or changes
      its arguments; without it, it returns gradients. Without targets it returns the outputs.
    - ``activation``: the name of f.

    What it returns is read by its shapes and names: gradients or parameters by layer in any order and nesting, the
    loss (a number) and the outputs beside them. Each part is judged by itself: what follows rightly from an own earlier
    mistake is right. Parts that it does not show are not asked, unless ``points`` names them.

    Parameters
    ----------
    function : callable
        Gets copies, of float64. Whatever it does or returns, the grade says it.
    activation : str or list of str, optional
        Of the hidden neurons. None: sigmoid; sigmoid, tanh and relu for a function that takes it.
    output : str, optional
        Of the outputs; None: the same.
    loss : str or Loss, optional
        None: cross_entropy where the outputs are softmax, else half_squared_error.
    reduction : {"mean", "sum"}
        Over the samples.
    sizes : list of lists of int, optional
        The networks: neurons of each layer, the inputs first. None: two with one hidden layer and one with two; as
        many layers as the function has names for, if it takes W1, W2.
    product : {"W @ x", "x @ W"}
        Whether W is (n_out, n_in) or (n_in, n_out).
    samples : {"rows", "columns", "one"}, optional
        How it gets samples. None: one where the parameter is called x, else rows.
    points : float or mapping, optional
        All points, or those of each part: forward, loss, output delta, hidden delta, weights, biases, averaging. None:
        one for each.
    time_limit : float or None
        Seconds for each call, which is made in a child process on Linux and macOS: there nothing that a function does
        ends the grading. On Windows, and where JAX or TensorFlow is loaded, a thread makes it: one that hangs is left
        behind, and ``os._exit`` is not survived. None: no limit, and calls in this very thread, as debuggers need it.
    rng : int, Generator or None
        The seed of the networks: the same for everybody unless told.

    Returns
    -------
    Grade
        ``.points``, ``.parts``, ``.mistakes``; text when printed; ``.to_json()``; ``.assert_ok("hidden delta")``.

    Raises
    ------
    SettingError
        For a setting that is not allowed, or something that cannot be called. Never for what the function does.
    """
    if not callable(function):
        raise SettingError(f"grade takes a function, not {type(function).__name__}")
    if reduction not in ("mean", "sum"):
        raise SettingError(f"unknown reduction {reduction!r}; allowed: mean, sum")
    turned = choose("product", product, _PRODUCTS)
    if samples is not None:
        choose("samples", samples, dict.fromkeys(calling.SAMPLES))
    limit = None if time_limit is None else real("time_limit", time_limit, "(0, inf)")
    shares = _shares(points)
    seed = seed_of(rng)
    name = getattr(function, "__name__", type(function).__name__)
    try:
        signature = signature_of(function, samples)
    except UnknownSignature as problem:
        return _nothing(name, shares, f"{name} cannot be called: {problem}")
    drawn = list(_drawn(signature, activation, output, loss, sizes, seed))
    calls = _called(function, signature, drawn, turned, limit)
    with np.errstate(all="ignore"):  # whatever numbers there are
        marks = _marks(calls, turned, reduction == "mean")
    problems = _problems(calls)
    parts = _parts(marks, shares, signature, calls)
    mistakes = () if all(part.ok for part in parts) else tuple(_mistakes(calls, parts, signature, reduction))
    return Grade(name, parts, mistakes, problems)


# ── settings ──


def _shares(points: float | Mapping[str, float] | None) -> float | dict[str, float] | None:
    """All points, or those of each part."""
    if points is None:
        return None
    if isinstance(points, Mapping):
        known = {part: part for part in PARTS}
        return {choose("part", name, known): real(f"points of {name}", value) for name, value in points.items()}
    return real("points", points, "(0, inf)")


def _drawn(
    signature: Signature,
    activation: str | Sequence[str] | None,
    output: str | None,
    loss: str | Loss | None,
    sizes: Iterable[Sequence[int]] | None,
    seed: int,
) -> Iterator[Case]:
    names = [activation] if isinstance(activation, str) else list(activation or ())
    if not names:
        names = list(_ACTIVATIONS) if signature.takes("activation") else ["sigmoid"]
    for kind in (*names, *([output] if output else [])):
        activations.resolve(kind)
    if len(names) > 1 and not signature.takes("activation"):
        raise SettingError("several activations need a function that takes activation; else grade it once for each")
    for j, each in enumerate(sizes if sizes is not None else _sizes(signature.n_layers)):
        layers = [whole("size of a layer", n) for n in each]
        if len(layers) < 2:
            raise SettingError(f"sizes {layers}: at least two layers are needed, inputs and outputs")
        for k, kind in enumerate(names):
            yield cases.draw(layers, kind, output, loss, (seed, j, k))


def _sizes(n_layers: int | None) -> Sequence[Sequence[int]]:
    if n_layers is None:
        return _SIZES
    hidden = [(3, 4, 3, 2)[k % 4] for k in range(n_layers - 1)]
    return ((2, *hidden, 1), (3, *[n + 1 for n in hidden], 2), (4, *hidden, 2))


def _nothing(name: str, shares: float | dict[str, float] | None, problem: str) -> Grade:
    """The grade of what cannot even be called."""
    asked = list(shares) if isinstance(shares, dict) else [part for part in PARTS if part not in ("forward", "loss")]
    return Grade(name, tuple(_part(p, [], _most(shares, p, len(asked))) for p in asked), (), (problem,))


# ── calls ──


def _called(
    function: Callable[..., Any], signature: Signature, drawn: list[Case], turned: bool, limit: float | None
) -> list[list[Call]]:
    """For each network its calls: each sample alone, then all together, unless the function takes one at a time."""
    alone = [slice(k, k + 1) for k in range(N_SAMPLES)]
    rows = alone if signature.samples == "one" else [*alone, slice(0, N_SAMPLES)]
    asked = [(case, each) for case in drawn for each in rows]
    given = [_arguments(signature, case, each, turned) for case, each in asked]
    reader = Reader(signature, turned)
    made = [
        Call(case, each, reader.read(case, each.stop - each.start, arguments, outcome))
        for (case, each), arguments, outcome in zip(asked, given, sandbox.calls(function, given, limit), strict=True)
    ]
    return [made[k : k + len(rows)] for k in range(0, len(made), len(rows))]


def _arguments(signature: Signature, case: Case, rows: slice, turned: bool) -> dict[str, Any]:
    pairs = [(w.T.copy() if turned else w, b) for w, b in case.pairs]
    return calling.arguments(signature, pairs, case.X[rows], case.T[rows], LEARNING_RATE, case.functions[0])


def _marks(calls: list[list[Call]], turned: bool, mean: bool) -> list[tuple[Call, dict[str, Mark]]]:
    found = []
    for made in calls:
        judge, singles = Judge(made[0].case, turned, mean), made[:N_SAMPLES]
        found += [(call, judge.one(call)) for call in singles if not call.answer.problem]
        found += [(call, judge.many(call, singles)) for call in made[N_SAMPLES:] if not call.answer.problem]
    return found


def _problems(calls: list[list[Call]]) -> tuple[str, ...]:
    """What went wrong, each once, with where it did first."""
    alike: dict[str, list[Call]] = {}
    for call in (call for made in calls for call in made if call.answer.problem):
        alike.setdefault(re.sub(r"\d+", "", call.answer.problem), []).append(call)  # sizes aside
    n = sum(map(len, calls))
    return tuple(
        f"in {len(group)} of {n} calls {group[0].answer.problem} (first: {group[0].where})" for group in alike.values()
    )


# ── points ──


def _parts(
    marks: list[tuple[Call, dict[str, Mark]]],
    shares: float | dict[str, float] | None,
    signature: Signature,
    calls: list[list[Call]],
) -> tuple[Part, ...]:
    """The parts that are asked, each with its marks; calls that gave nothing count as wrong."""
    n_alone = sum(bool(call.answer.problem) for made in calls for call in made[:N_SAMPLES])
    n_together = sum(bool(call.answer.problem) for made in calls for call in made[N_SAMPLES:])
    together = [(call, m) for call, m in marks if call.rows.stop - call.rows.start > 1]
    n_failed = dict.fromkeys(PARTS, n_alone) | {"averaging": n_together}
    for part in ("forward", "loss"):
        n_failed[part] += n_together * any(part in m for _, m in together)
    seen = {part for _, found in marks for part in found}
    if "weights" in seen and signature.samples != "one":
        seen.add("averaging")  # asked, too, where no call with all samples gave an answer
    if isinstance(shares, dict):
        asked = [part for part in PARTS if part in shares]
    elif seen:
        asked = [part for part in PARTS if part in seen]
    elif not signature.takes("t"):
        asked = ["forward"]
    else:
        asked = [p for p in PARTS if p not in ("forward", "loss", *["averaging"][: signature.samples == "one"])]
    return tuple(
        _part(
            part, [(call, m[part]) for call, m in marks if part in m], _most(shares, part, len(asked)), n_failed[part]
        )
        for part in asked
    )


def _most(shares: float | dict[str, float] | None, part: str, n_asked: int) -> float:
    if isinstance(shares, dict):
        return shares[part]
    return 1.0 if shares is None else shares / n_asked


def _part(name: str, marks: list[tuple[Call, Mark]], most: float, n_failed: int = 0) -> Part:
    right, n = sum(mark.ok for _, mark in marks), len(marks) + n_failed
    wrong = [mark for _, mark in marks if not mark.ok]
    notes = Counter(mark.note for mark in wrong if mark.note)
    note = notes.most_common(1)[0][0] if notes else _one_kind(marks)
    if n_failed and not wrong:
        note = NO_ANSWER
    if not marks and not (n_failed and name == "averaging"):
        note, n = NOT_SHOWN, max(n, 1)
    difference = next((mark.difference for mark in wrong if mark.difference), None)
    return Part(name, most * right / n, most, right, n, note, line_of_part(name), difference)


def _one_kind(marks: list[tuple[Call, Mark]]) -> str:
    """Which activations are wrong, if they always are and others never."""
    wrong, right = ({call.case.functions[0] for call, mark in marks if mark.ok is ok} for ok in (False, True))
    return f"with {', '.join(sorted(wrong))}" if wrong and right and not wrong & right else ""


# ── mistakes ──


def _mistakes(
    calls: list[list[Call]], parts: tuple[Part, ...], signature: Signature, reduction: str
) -> Iterator[Mistake]:
    """What explains the wrong parts: their own notes, and the rule that all single samples followed."""
    said: set[str] = set()
    notes = [(p.note, p.name) for p in parts if p.name in ("forward", "loss", "weights", "averaging")]
    for note, part in notes:
        if note not in ("", NOT_SHOWN, NO_ANSWER, NOT_FINITE):
            said.add(note)
            yield Mistake(f"{part}: {note}", line_of_part(part))
    if all(p.ok for p in parts if p.name in ("output delta", "hidden delta", "weights", "biases")):
        groups = [[made[-1] for made in calls]] if not any(note and part == "averaging" for note, part in notes) else []
    else:
        groups = [[call for made in calls for call in made[:2]]]
    for group in groups:
        for rule in _common_rules(group, signature, reduction):
            if rule not in said:
                said.add(rule)
                yield Mistake(_in_gradients(rule, signature), line_of(rule))
    unnamed = next((p for p in parts if p.difference and p.note != NOT_FINITE), None)
    if unnamed and not said:
        yield Mistake(f"{unnamed.name}: not one of those known", unnamed.line)


def _in_gradients(rule: str, signature: Signature) -> str:
    """A rule as it is said of a function that knows no learning rate."""
    return rule if signature.takes("learning_rate") else rule.replace("learning rate off", "gradients off")


_OF_UPDATES = ("first step of", "momentum", "weight decay")


def _common_rules(group: list[Call], signature: Signature, reduction: str) -> list[str]:
    """The rule that fits in all calls, or, in most of those that are not right, the first one that fits there."""
    fits = [found for call in group if (found := _fits(call, signature, reduction))]
    if not fits:
        return []
    common = [rule for rule in fits[0] if all(rule in found for found in fits)]
    if common:
        return [] if RIGHT in common else common[:1]
    wrong = [found for found in fits if RIGHT not in found]
    return [rule for rule, _ in Counter(rule for found in wrong for rule in found).most_common(1)]


def _fits(call: Call, signature: Signature, reduction: str) -> list[str]:
    """The rules that a call followed; none where it is unknown."""
    gradients = call.answer.gradients
    if gradients is None:
        return []
    net, case = call.case.network, call.case
    rate = LEARNING_RATE if signature.takes("learning_rate") else None
    given: list[Any] = [a for pair in gradients for a in pair if a is not None]
    try:
        verdict = net.check_foreign(
            case.X[call.rows], case.T[call.rows], gradients=given, learning_rate=rate, loss=case.loss,
            reduction=reduction, dtype="float32" if call.answer.coarse else None,
        )  # fmt: skip
    except NeuronsimError:  # numbers that are not finite
        return []
    if verdict.rule == UNKNOWN:
        return []
    # gradients are asked for: numbers of an update rule, fitted to them, say nothing of a student's mistake
    return [rule for rule in verdict.fits if not any(part in rule for part in _OF_UPDATES)]

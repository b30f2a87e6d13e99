"""From measurements to a table in Markdown and a picture."""

import json
import math
import re
from itertools import groupby
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.results import OURS, Measurement, Results, advantage

# Okabe and Ito's colours, told apart by everybody, and a marker each besides.
_LOOKS = {
    "PyTorch": ("#d55e00", "o"),
    "JAX": ("#0072b2", "s"),
    "scikit-learn": ("#009e73", "^"),
    "FANN": ("#cc79a7", "D"),
}
_OTHER = ("#555555", "v")
_BAR = "#56b4e9"


def write(results: Results, folder: Path) -> list[Path]:
    """Write JSON, table and picture, named by date and processor; returns where."""
    folder.mkdir(parents=True, exist_ok=True)
    slug = re.sub(r"[^a-z0-9]+", "-", str(results.machine["processor"]).lower()).strip("-")
    stem = f"{str(results.settings['date'])[:10]}-{slug}" + ("-quick" if results.settings["quick"] else "")
    paths = [folder / f"{stem}.{ending}" for ending in ("json", "md", "png")]
    paths[0].write_text(json.dumps(results.plain(), indent=1, ensure_ascii=False) + "\n")
    figure = picture(results)
    paths[1].write_text(table(results, paths[2].name if figure else None))
    if figure is None:
        return paths[:2]
    figure.savefig(paths[2], dpi=110)
    scale = scale_picture(results)
    if scale is not None:
        paths.append(folder / f"{stem}-scale.png")
        scale.savefig(paths[-1], dpi=110)
    return paths


# --- the table ---------------------------------------------------------------------------------------------------


def table(results: Results, image: str | None = None) -> str:
    """Everything, in Markdown."""
    kind = "a quick run: do not quote its figures" if results.settings["quick"] else "a whole run"
    parts = [
        "# Benchmarks",
        f"{results.settings['date']}, {kind}: {results.settings['rounds']} rounds in turn. Values are medians over "
        "rounds, ± half the distance from the least to the greatest. *times as fast* is the median over rounds of the "
        "ratio within a round: above 1, neuronsim is faster. *first* is the first call, in seconds: compilation and "
        "one pass over the data (neuronsim's kernels come from its cache where an earlier run left them there).",
    ]
    if results.settings.get("warning"):
        parts.append(f"**Warning:** {results.settings['warning']}.")
    if image:
        parts.append(f"![How many times as fast as each peer, and which part of the machine's limit]({image})")
    parts += [_facts("machine", results.machine), _facts("the machine's own limit", results.limits)]
    if results.missing:
        parts.append("Not here: " + "; ".join(f"{name} ({why})" for name, why in results.missing.items()) + ".")
    for work, found in groupby(results.measurements, key=lambda m: m.work):
        parts.append(f"## {work}\n\n{_work(list(found))}")
    if results.agreement:
        parts.append(f"## Do all do the same work?\n\n{_agreement(results.agreement)}")
    return "\n\n".join(parts) + "\n"


def _facts(title: str, facts: dict[str, Any]) -> str:
    rows = [[name, f"{value:,.0f}" if isinstance(value, float) else str(value)] for name, value in facts.items()]
    return _rows([title, ""], rows)


def _work(found: list[Measurement]) -> str:
    rows = []
    has_limit = any(m.limit is not None for m in found)
    has_first = any(m.first is not None for m in found)
    has_peers = any(m.system != OURS for m in found)
    for (case, unit), group in groupby(found, key=lambda m: (m.case, m.unit)):
        entrants = list(group)
        ours = next((m for m in entrants if m.system == OURS), None)
        for i, m in enumerate(entrants):
            row = [case if i == 0 else "", m.system, f"{_number(m.median)} {unit}", f"± {m.spread:.0%}"]
            if has_peers:
                row.append(f"**{_number(advantage(ours, m))}**" if ours is not None and m is not ours else "")
            if has_limit:
                row.append("" if m.limit is None else f"{m.limit:.0%}")
            if has_first:
                row.append("" if m.first is None else f"{m.first:.2g}")
            rows.append(row)
    head = ["case", "system", "median", "spread"]
    head += ["times as fast"] * has_peers + ["of the limit"] * has_limit + ["first, s"] * has_first
    limits = sorted({m.limit_name for m in found if m.limit_name})
    notes = [f"The limit: {', '.join(limits)}."] if limits else []
    notes += sorted({f"{m.system}: {m.note}." for m in found if m.note})
    return "\n\n".join([_rows(head, rows), *([" ".join(notes)] if notes else [])])


def _agreement(agreement: dict[str, dict[str, float]]) -> str:
    peers = sorted({peer for found in agreement.values() for peer in found})
    rows = [[rule] + [f"{found[p]:.0e}" if p in found else "" for p in peers] for rule, found in agreement.items()]
    return (
        "An epoch of small nets from equal parameters over equal samples: the largest difference between a peer's "
        "parameters and ours after it, as a part of the largest change.\n\n" + _rows(["rule", *peers], rows)
    )


def _rows(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _number(value: float) -> str:
    """Three figures, without an exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.1e}"


# --- the picture -------------------------------------------------------------------------------------------------


def picture(results: Results) -> Figure | None:
    """Left, how many times as fast as each peer; right, which part of the machine's limit. None: nothing to show."""
    ratios, fractions = _ratios(results.measurements), _fractions(results.measurements)
    cases = [case for case in dict.fromkeys(m.case for m in results.measurements) if case in ratios | fractions]
    if not cases:
        return None
    figure = Figure(figsize=(14, 1.9 + 0.38 * max(len(cases), 3)), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=[5, 2], sharey=True)
    _draw_ratios(left, ratios, cases)
    _draw_fractions(right, fractions, cases)
    left.set_yticks(range(len(cases)), [case.removesuffix(", float32") for case in cases], fontsize=8.5)
    left.set_ylim(len(cases) - 0.4, -0.7)
    right.tick_params(left=False, labelleft=False)
    quick = ", quick" if results.settings["quick"] else ""
    facts = results.machine
    figure.suptitle(
        f"{facts['processor']}, {facts['threads']} threads, {str(results.settings['date'])[:10]}{quick}", fontsize=11
    )
    return figure


def scale_picture(results: Results) -> Figure | None:
    """What an edge costs, by the number of edges: flat where the cost is linear. None: not two sizes measured."""
    costs: dict[str, list[tuple[int, float]]] = {}
    for m in results.measurements:
        size = re.search(r"random graph, ([\d,]+) edges, online", m.case)
        if size and m.unit.startswith("ns/edge"):
            costs.setdefault(m.unit.removeprefix("ns/edge "), []).append((int(size[1].replace(",", "")), m.median))
    if not any(len(points) > 1 for points in costs.values()):
        return None
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    ax = figure.subplots()
    for (what, points), (color, marker) in zip(costs.items(), [*_LOOKS.values(), _OTHER], strict=False):
        ax.plot(*zip(*sorted(points), strict=True), color=color, marker=marker, label=what)
    ax.set(xscale="log", yscale="log", xlabel="edges", ylabel="ns an edge", title="Random graphs, 32 edges a neuron")
    ax.legend(frameon=False, fontsize=8.5)
    ax.grid(color="#dddddd", linewidth=0.8)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    return figure


def _ratios(found: list[Measurement]) -> dict[str, dict[str, float]]:
    """Case → peer → times as fast; of a peer that took part in several ways, its best."""
    ratios: dict[str, dict[str, float]] = {}
    ours = {(m.case, m.unit): m for m in found if m.system == OURS}
    for m in found:
        if m.system != OURS and (m.case, m.unit) in ours:
            peer, row = m.system.partition(" (")[0], ratios.setdefault(m.case, {})
            row[peer] = min(row.get(peer, math.inf), advantage(ours[m.case, m.unit], m))
    return ratios


def _fractions(found: list[Measurement]) -> dict[str, float]:
    return {m.case: m.limit for m in found if m.system == OURS and m.limit is not None}


def _draw_ratios(ax: Axes, ratios: dict[str, dict[str, float]], cases: list[str]) -> None:
    peers = list(dict.fromkeys(peer for found in ratios.values() for peer in found))
    for peer in peers:
        color, marker = _LOOKS.get(peer, _OTHER)
        points = [(found[peer], cases.index(case)) for case, found in ratios.items() if peer in found]
        x, y = [p[0] for p in points], [p[1] for p in points]
        ax.scatter(x, y, s=70, color=color, edgecolors="white", marker=marker, label=peer, zorder=3)
    for case, found in ratios.items():
        _write_beside(ax, cases.index(case), sorted(found.values()))
    ax.axvline(1, color="#222222", linewidth=1)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:g}×")
    ax.set_title("how many times as fast as …  (right of the line: neuronsim is faster)", fontsize=10)
    _tidy(ax)
    if peers:
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=len(peers), fontsize=9, frameon=False)


def _write_beside(ax: Axes, row: int, values: list[float]) -> None:
    """The figures above their markers, or beneath where the figure of the one before is near."""
    above, before = True, 0.0
    for x in values:
        above = not above if x < 1.5 * before else True
        place: dict[str, Any] = {"xytext": (0, 5), "va": "bottom"} if above else {"xytext": (0, -6), "va": "top"}
        text = f"{x:,.1f}" if x < 10 else f"{x:,.0f}"
        ax.annotate(text, (x, row), textcoords="offset points", ha="center", fontsize=7.5, **place)
        before = x


def _draw_fractions(ax: Axes, fractions: dict[str, float], cases: list[str]) -> None:
    rows = [cases.index(case) for case in fractions]
    ax.barh(rows, list(fractions.values()), color=_BAR, edgecolor="#222222", height=0.55, zorder=2)
    for row, value in zip(rows, fractions.values(), strict=True):
        ax.annotate(f"{value:.0%}", (value, row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8)
    ax.axvline(1, color="#222222", linewidth=1, linestyle="--")
    ax.set_xlim(0, max([1.1, *(1.15 * value for value in fractions.values())]))
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:.0%}")
    ax.set_title("part of the machine's own limit", fontsize=10)
    _tidy(ax)


def _tidy(ax: Axes) -> None:
    ax.grid(axis="x", color="#dddddd", zorder=0)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)

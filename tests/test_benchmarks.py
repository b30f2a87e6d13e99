"""The benchmarks' own parts: rounds in turn, medians, a report, every work; no peer is needed."""

import json
import sys
from collections import defaultdict
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))  # `pytest` alone does not look there

from benchmarks import report, works
from benchmarks.results import OURS, Measurement, Results, advantage
from benchmarks.timing import Times, in_turn
from benchmarks.works.race import Setup


class Clock:
    """Time that passes only when a system says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[tuple[str, int]] = []

    def __call__(self) -> float:
        return self.now

    def system(self, name: str, seconds: list[float]) -> Callable[[int], None]:
        """A system that takes these seconds a pass, call after call."""
        left = iter(seconds)

        def train(passes: int) -> None:
            self.calls.append((name, passes))
            self.now += passes * next(left)

        return train


def test_systems_take_turns_and_medians_are_taken():
    clock = Clock()
    calls = {
        "A": clock.system("A", [9.0, 1.0, 3.0, 1.0, 2.0]),  # the first call compiles
        "B": clock.system("B", [0.5, 0.25, 0.25, 4.0, 0.5]),
    }
    times = in_turn(calls, rounds=3, least=1.0, clock=clock, pause=0.0)
    assert clock.calls[:4] == [("A", 1), ("A", 1), ("B", 1), ("B", 1)]
    # B is four times as quick: four passes fill a turn
    assert clock.calls[4:] == [("A", 1), ("B", 4)] * 3
    assert times == {"A": Times(9.0, [3.0, 1.0, 2.0]), "B": Times(0.5, [0.25, 4.0, 0.5])}
    assert [times[name].median for name in "AB"] == [2.0, 0.5]


def measurement(system: str, rounds: list[float], **more: object) -> Measurement:
    return Measurement("Work", "case | 1", system, "µs/sample", rounds, **more)


@pytest.mark.parametrize(("more_is_better", "factor"), [(False, 3.0), (True, 1 / 3)])
def test_the_advantage_is_the_median_of_the_rounds_ratios(more_is_better, factor):
    ours = measurement("neuronsim", [1.0, 10.0, 1.0], more_is_better=more_is_better)
    # the machine was slow in the second round, for both
    peer = measurement("JAX", [3.0, 30.0, 4.0], more_is_better=more_is_better)
    assert advantage(ours, peer) == pytest.approx(factor)


def made_up(quick: bool = False) -> Results:
    found = [
        measurement("neuronsim", [2.0, 1.0, 3.0], limit=0.8, limit_name="of something", first=0.5),
        measurement("JAX", [4.0, 2.0, 9.0], limit=0.3, limit_name="of something", first=7.0),
        measurement("PyTorch (masked)", [20.0, 10.0, 30.0], note="full matrices"),
        Measurement("Other work", "alone", "neuronsim", "s", [0.1]),
    ]
    return Results(
        {"processor": "A Processor (TM)", "threads": 2},
        {"date": "2001-02-03T04:05+00:00", "rounds": 3, "quick": quick},
        {"multiply-adds": 123.4},
        {"FANN": "not found"},
        {"online": {"JAX": 1e-6}},
        found,
    )


def test_the_report_of_made_up_results(tmp_path):
    paths = report.write(made_up(), tmp_path)
    assert [path.name for path in paths] == [f"2001-02-03-a-processor-tm.{ending}" for ending in ("json", "md", "png")]
    text = paths[1].read_text()
    for part in (
        "| case \\| 1 | neuronsim | 2 µs/sample | ± 50% |  | 80% | 0.5 |",
        "|  | JAX | 4 µs/sample | ± 88% | **2** | 30% | 7 |",
        "|  | PyTorch (masked) | 20 µs/sample | ± 50% | **10** |  |  |",
        "| alone | neuronsim | 0.1 s | ± 0% |",
        "The limit: of something. PyTorch (masked): full matrices.",
        "Not here: FANN (not found).",
        "(2001-02-03-a-processor-tm.png)",
    ):
        assert part in text, part
    assert paths[2].read_bytes().startswith(b"\x89PNG")
    assert Results.of_plain(json.loads(paths[0].read_text())) == made_up()


def test_a_quick_report_says_so(tmp_path):
    paths = report.write(made_up(quick=True), tmp_path)
    assert "do not quote" in paths[1].read_text()
    assert all(path.stem.endswith("-quick") for path in paths)


def test_without_peers_and_limits_there_is_no_picture(tmp_path):
    results = made_up()
    results.measurements = results.measurements[-1:]
    assert [path.suffix for path in report.write(results, tmp_path)] == [".json", ".md"]


def test_what_an_edge_costs_is_drawn_by_the_number_of_edges(tmp_path):
    results = made_up()
    title = "Scale: random graphs"
    for edges, seconds in ((10_000, 2.0), (1_000_000, 3.0)):
        case = f"random graph, {edges:,} edges, online, float32"
        results.measurements.append(Measurement(title, case, OURS, "ns/edge to step", [seconds]))
    (line,) = report.scale_picture(results).axes[0].get_lines()
    assert [list(values) for values in line.get_data()] == [[10_000, 1_000_000], [2.0, 3.0]]
    assert report.write(results, tmp_path)[-1].name.endswith("-scale.png")
    assert report.scale_picture(made_up()) is None


@pytest.mark.parametrize("name", works.names())
def test_every_work_runs(name, monkeypatch):
    """As `--quick` without peers and one round, turns as short as they can be; no process is started."""
    work = works.work(name)
    if name == "start":
        monkeypatch.setattr(work, "_process", lambda code, cache: bool(compile(code, "a process", "exec")) + len(code))
    if name == "scale":
        memory = count(1, 10**6)
        monkeypatch.setattr(work, "_resident", memory.__next__)
        monkeypatch.setattr(work, "_most_resident", memory.__next__)
        monkeypatch.setattr(work.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=measured))
        measured = json.dumps(work._measure(2_000, 0.0))
    limits = defaultdict(lambda: 1e9)
    found = list(work.run(Setup(rounds=1, least=0.0, quick=True, huge=False, threads=1, peers={}, limits=limits)))
    assert len({(m.case, m.unit) for m in found}) == len(found) >= 2
    assert {(m.work, m.system) for m in found} == {(work.TITLE, OURS)}
    assert all(len(m.rounds) == 1 and m.rounds[0] > 0.0 for m in found)

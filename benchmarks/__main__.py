"""``python -m benchmarks``: measure the machine, then each work on every system that is here; write the report."""

import argparse
import datetime
import json
import sys
import warnings
from pathlib import Path

from benchmarks import works
from benchmarks.environment import prepare


def main() -> int:
    """Parse, prepare the process, then load what is measured."""
    given = _arguments()
    prepare(given.threads)
    from benchmarks import agreement, machine, peers, report
    from benchmarks.results import Results
    from benchmarks.works.race import Setup

    rounds = given.rounds or (3 if given.quick else 9)
    least = 0.1 if given.quick else 0.5
    found, missing = peers.available(given.peers)
    for name, why in missing.items():
        _say(f"{name} is skipped: {why}")
    facts = machine.describe(given.threads) | {name: peer.VERSION for name, peer in found.items()}
    settings = {
        "date": datetime.datetime.now().astimezone().isoformat(timespec="minutes"),
        "rounds": rounds,
        "quick": given.quick,
        "works": given.only or works.names(),
    }
    _say("the machine's own limits …")
    limits = machine.limits(given.threads, rounds, least / 4)
    settings["warning"] = machine.warning(limits, given.threads)
    if settings["warning"]:
        _say(f"warning: {settings['warning']}")
    results = Results(facts, settings, limits, missing)
    if found:
        _say("whether all do the same work …")
        results.agreement = agreement.check(found, given.threads)
    setup = Setup(rounds, least, given.quick, given.huge, given.threads, found, limits)
    for name in settings["works"]:
        work = works.work(name)
        _say(f"{work.TITLE} …")
        for m in work.run(setup):
            results.measurements.append(m)
            _say(f"  {m.case}: {m.system} {m.median:,.4g} {m.unit}")
    paths = report.write(results, given.results)
    if given.json:
        given.json.write_text(json.dumps(results.plain(), indent=1, ensure_ascii=False) + "\n")
        paths.append(given.json)
    print(report.table(results))
    _say("written: " + ", ".join(map(str, paths)))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=works.names(), help="a work; may be given several times")
    parser.add_argument("--peers", nargs="*", metavar="PEER", help="these peers only; none: neuronsim alone")
    parser.add_argument("--rounds", type=int, help="how often each system has its turn (9; quick: 3)")
    parser.add_argument("--quick", action="store_true", help="small data, short turns: whether it works, not how fast")
    parser.add_argument("--huge", action="store_true", help="scale up to 100 million edges")
    parser.add_argument("--threads", type=int, default=2, help="of every system (2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    parser.add_argument(
        "--results", type=Path, metavar="FOLDER", default=Path(__file__).parent / "results", help="for the report"
    )
    return parser.parse_args()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    warnings.simplefilter("default")
    sys.exit(main())

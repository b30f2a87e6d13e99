"""What each command does: a function each, from its arguments to its exit code."""

import argparse
import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from neuronsim import comparing, experiment, grading, sweeps
from neuronsim.basics.atomic import replacing
from neuronsim.basics.csvtext import csv_text
from neuronsim.commands import demo as demonstration
from neuronsim.commands import info as known
from neuronsim.commands.models import Model, model_of
from neuronsim.commands.output import CHECK_FAILED, DIVERGED, INTERRUPTED, OK, say, show, wrong_usage
from neuronsim.data import read_csv
from neuronsim.documents.worksheets import Worksheets
from neuronsim.errors import FileError, SettingError, suggest
from neuronsim.grading.programs import Program
from neuronsim.network import Network
from neuronsim.step import Step
from neuronsim.storage import load
from neuronsim.storage.runs import load_run
from neuronsim.verifying.checks import Check
from neuronsim.verifying.verdict import Verdict

_HTML = """\
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>neuronsim</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 24px auto; max-width: 60em; padding: 0 16px; }}
h5 {{ font-size: 15px; margin: 24px 0 4px; }}
table {{ border-collapse: collapse; display: block; overflow-x: auto; }}
td {{ padding: 2px 18px 2px 0; vertical-align: top; font-variant-numeric: tabular-nums; }}
</style>
{body}
</html>"""
_PICTURES = (".png", ".svg", ".pdf")


def new(options: argparse.Namespace) -> int:
    """Write an experiment file to begin with."""
    targets = options.targets.split(",") if options.targets else [-1]
    given = {name: getattr(options, name) for name in ("features", "classes", "delimiter")}
    given["header"] = _header(options)
    samples = experiment.new(options.file, options.data, options.wiring, targets=targets, **given)
    names = (*samples.features, *samples.targets)
    is_unnamed = all(name[:1] == "c" and name[1:].isdecimal() for name in names)
    if is_unnamed and options.header is None:  # a first line of numbers may be names all the same, such as years
        say(f"note: the first line of {options.data} holds numbers, and is taken as data; --header yes: as names")
    show({"experiment": options.file} if options.json else f"{options.file}\nneuronsim run {options.file}")
    return OK


def run(options: argparse.Namespace) -> int:
    """Train as an experiment file says, and write a run directory."""
    if options.resume and options.overwrite:
        return wrong_usage("--resume goes on with what is there, --overwrite replaces it: give one of them")
    plan = experiment.read(options.experiment, options.overrides, seed=options.seed)
    if "sweep" in plan.settings:
        say("this is one run, of the settings outside [sweep]; `neuronsim sweep` makes all of them")
    if options.output:
        outcome = experiment.run(plan, options.output, overwrite=options.overwrite, resume=options.resume)
    elif options.resume and (Path("runs") / plan.name).exists():
        outcome = experiment.run(plan, Path("runs") / plan.name, resume=True)
    else:
        with _new_directory(plan.name) as directory:
            outcome = experiment.run(plan, directory)
    show(outcome.as_dict() if options.json else str(outcome))
    return {"diverged": DIVERGED, "interrupted": INTERRUPTED}.get(outcome.status, OK)


def sweep(options: argparse.Namespace) -> int:
    """Make the runs of a sweep."""
    how = {field.name: getattr(options, field.name) for field in fields(sweeps.Options) if field.name != "tell"}
    overrides = options.overrides + ([] if options.seed is None else [f"seed={options.seed}"])
    found = sweeps.sweep(
        options.file,
        options.output,
        executor=options.executor,
        threads=options.threads,
        overrides=overrides,
        options=sweeps.Options(**how, tell=_tell_progress if sys.stderr.isatty() else lambda progress: None),
    )
    facts = {"directory": str(found.directory), "stopped": found.stopped, "runs": found.table}
    show(facts if options.json else str(found))
    if found.stopped == "interrupted":
        return INTERRUPTED
    k, n = options.part or (1, 1)
    wanted = [] if options.dry or options.collect else found.runs[k - 1 :: n]
    return CHECK_FAILED if any(run.status in sweeps.NO_RESULT for run in wanted) else OK


def compare(options: argparse.Namespace) -> int:
    """Compare runs; a page and a picture where a directory is given."""
    given = {name: getattr(options, name) for name in ("metric", "target", "where", "bits")}
    folder = Path(options.output or "")
    if options.output:
        for name in ("comparison.html", "comparison.png"):
            _claim(folder / name, options)
    found = comparing.compare(*options.runs, **given)
    files = []
    if options.output:
        folder.mkdir(parents=True, exist_ok=True)
        files = [str(found.to_html(folder / "comparison.html"))]
        if found.has_curves:
            files.append(str(folder / "comparison.png"))
            found.figure(options.x).save(files[1])
    show(found.as_dict() | {"files": files} if options.json else "\n".join([str(found), *files]))
    return CHECK_FAILED if found.bits else OK


def predict(options: argparse.Namespace) -> int:
    """Answer for each row of a CSV file."""
    if options.output:
        _claim(Path(options.output), options, Path(options.data))
    answers = load_run(options.run).predict(options.data, delimiter=options.delimiter)
    columns = {name: values.tolist() for name, values in answers.items()}
    text = csv_text(columns, zip(*columns.values(), strict=True))
    if options.output:
        with replacing(options.output) as path:
            path.write_text(text, encoding="utf-8")
        show({"answers": options.output} if options.json else options.output)
    else:
        show(columns if options.json else text.rstrip("\n"))
    return OK


def _tell_progress(progress: sweeps.Progress) -> None:
    """One line on a terminal, written over and over."""
    left = progress.left()
    time_left = "" if math.isnan(left) else f", {left:,.0f} s of computing left"
    counts = f"{progress.done:,} of {progress.n:,} done, {progress.running} running, {progress.failed} failed"
    end = "\n" if progress.done + progress.lost >= progress.n else ""
    print(f"\r{counts}, {progress.lost} lost{time_left}\x1b[K", end=end, file=sys.stderr, flush=True)


@contextmanager
def _new_directory(name: str) -> Iterator[Path]:
    """A directory that was not there: ``runs/name``, or the first of ``runs/name-2``, …; left empty, it goes again."""
    runs, number = Path("runs"), 1
    made = not runs.exists()
    runs.mkdir(exist_ok=True)
    while True:
        directory = runs / (name if number == 1 else f"{name}-{number}")
        try:
            directory.mkdir()  # which succeeds for one of several processes that try
            break
        except FileExistsError:
            number += 1
    try:
        yield directory
    finally:
        with suppress(OSError):  # it is not empty
            directory.rmdir()
            if made:
                runs.rmdir()


def report(options: argparse.Namespace) -> int:
    """Train once more, and write the page of the run."""
    given = Path(options.run)
    is_directory = given.is_dir()
    if not given.exists() and not given.suffix:
        raise FileError(f"there is no run directory {given}, and no experiment file of that name")
    file = given / "experiment.toml" if is_directory else given
    plan = experiment.read(file, options.overrides, seed=options.seed)
    page = Path(options.output) if options.output else _page_of(given)
    as_it_was = is_directory and not options.overrides and options.seed is None
    if options.output or not as_it_was:  # else it is the page of the run that is there
        _claim(page, options, file)
    net, run = experiment.again(plan)
    kept = given / "network.safetensors"
    if as_it_was and kept.exists() and not _same_parameters(net, kept):
        if not options.output:
            _claim(page, options)
        say(
            f"warning: this run came out otherwise than {kept}, with the settings of experiment.toml; "
            f"it {run.status} after {run.n_steps:,} steps. The page shows this run"
        )
    name = given.resolve().name if is_directory else plan.name
    run.to_html(page, steps=options.steps, neurons=options.neurons, title=options.title or name)
    facts = {"page": str(page), "bytes": page.stat().st_size, "n_steps": run.n_steps, "status": run.status}
    show(facts if options.json else str(page))
    return OK


def _page_of(given: Path) -> Path:
    """Where the page goes: into a run directory, or beside an experiment file, which it is called after."""
    return given / "report.html" if given.is_dir() else given.with_name(f"{given.stem}-report.html")


def _same_parameters(net: Network, path: Path) -> bool:
    """Whether a network file holds the same weights, biases and slopes, bit for bit."""
    kept = load(path)
    pairs = ((net.weights, kept.weights), (net.biases, kept.biases), (net.slopes, kept.slopes))
    return all(ours.tobytes() == theirs.tobytes() for ours, theirs in pairs)


def info(options: argparse.Namespace) -> int:
    """Say what is installed here, what a network file holds, or what there is of a kind."""
    if options.what in known.KINDS:
        listing = known.KINDS[options.what]()
        show(dict(listing) if options.json else str(listing))
        return OK
    if options.what is None:
        facts = known.installation()
        width = max(map(len, facts))
        lines = (f"{name.replace('_', ' '):<{width}}  {value}" for name, value in facts.items())
        show(facts if options.json else "\n".join(lines))
        return OK
    if not Path(options.what).suffix and not Path(options.what).is_dir():
        near = suggest(options.what, known.KINDS) or ";"
        raise SettingError(
            f"info knows no {options.what!r}{near} a network file, a run directory, or one of: {', '.join(known.KINDS)}"
        )
    net = model_of(options.what).net
    show(known.network_facts(net) if options.json else str(net))
    return OK


def explain(options: argparse.Namespace) -> int:
    """Write out one step: the formulas of a neuron, of an edge or of the loss."""
    if options.json and (options.latex or options.html):
        return wrong_usage("--json goes with neither --latex nor --html")
    if options.blanks is not None and not options.worksheet:
        return wrong_usage("--blanks goes with --worksheet")
    if options.digits is not None and not 1 <= options.digits <= 17:
        return wrong_usage(f"--digits {options.digits}: from 1 to 17 are possible")
    ends = (end for end in (options.neuron, options.sink) if end is not None)
    show(_written(_step(options).explain(*ends), options))
    return OK


def worksheet(options: argparse.Namespace) -> int:
    """Write worksheets of one step, with other numbers in each."""
    if options.json and (options.latex or options.html or options.moodle):
        return wrong_usage("--json goes with neither --latex, --html nor --moodle")
    ends = [end for end in (options.neuron, options.sink) if end is not None] or ["*"]
    blanks = "all" if options.blanks is None else options.blanks
    step, how = _step(options), {"blanks": blanks, "digits": options.digits}
    if options.variants == 1:
        sheets = Worksheets((step.explain(*ends).worksheet(**how),))
    else:
        sheets = step.worksheets(*ends, variants=options.variants, rng=options.seed, **how)
    written = _worksheets(sheets, options)
    if not options.output:
        show(written)
        return OK
    _claim(Path(options.output), options, Path(options.network))
    with replacing(options.output) as path:
        path.write_text(written if isinstance(written, str) else json.dumps(written), encoding="utf-8")
    show(options.output)
    return OK


def _worksheets(sheets: Worksheets, options: argparse.Namespace) -> str | dict[str, Any]:
    """Worksheets in the form that was asked for."""
    if options.json:
        return sheets.as_dict()
    if options.moodle:
        return sheets.moodle().rstrip("\n")
    if options.latex:
        return sheets.latex(key=options.key, document=True).rstrip("\n")
    return _HTML.format(body=sheets.html(key=options.key)) if options.html else sheets.text(key=options.key)


def grade(options: argparse.Namespace) -> int:
    """Grade functions in files and notebooks."""
    names = ("activation", "output", "loss", "reduction", "product", "samples", "points", "time_limit")
    how = {name: getattr(options, name) for name in names}
    if how["activation"] and len(how["activation"]) == 1:
        how["activation"] = how["activation"][0]
    if len(options.programs) == 1:
        alone = grading.grade(Program(options.programs[0]), rng=options.seed, **how)
        show(alone.as_dict() if options.json else str(alone))
        return OK if alone.ok else CHECK_FAILED
    grades: dict[str, grading.Grade | FileError] = {}
    for place in options.programs:
        try:
            grades[place] = grading.grade(Program(place), rng=options.seed, **how)
        except FileError as problem:  # of one among many: the others are graded all the same
            grades[place] = problem
    if options.json:
        show({place: {"error": str(g)} if isinstance(g, FileError) else g.as_dict() for place, g in grades.items()})
    else:
        show("\n\n".join(f"{place}\n{g}" for place, g in grades.items()))
    return OK if all(not isinstance(g, FileError) and g.ok for g in grades.values()) else CHECK_FAILED


def draw(options: argparse.Namespace) -> int:
    """Draw a network file, or a step with one sample."""
    if (options.x is None) != (options.t is None):
        return wrong_usage("--x and --t go together: a step needs both")
    output = Path(options.output or f"{Path(options.network).resolve().stem}.png")
    if output.suffix.lower() not in _PICTURES:
        return wrong_usage(f"-o {output}: a picture ends in {', '.join(_PICTURES)}")
    _claim(output, options, Path(options.network))
    shown = model_of(options.network).net if options.x is None else _step(options)
    from neuronsim import plots  # matplotlib is slow to load: where something is drawn only

    color = options.color or ("bias" if options.x is None else "delta")
    plots.network(shown, color).save(output)
    show({"picture": str(output)} if options.json else str(output))
    return OK


def _step(options: argparse.Namespace) -> Step:
    """The network's step with the sample of the command line."""
    model = model_of(options.network)
    x, t = model.sample(options.x if isinstance(options.x, list) else [options.x], options.t)
    if model.scales:
        say(f"as {options.network} scales its table: {model.said(x, t)}")
    step: Step = model.net.step(x, t, loss=options.loss, learning_rate=options.learning_rate)
    return step


def _written(explanation: Any, options: argparse.Namespace) -> str | dict[str, Any]:
    """An explanation, or its worksheet, in the form that was asked for."""
    digits = {"digits": options.digits} if options.digits else {}
    if options.worksheet:
        blanks = "all" if options.blanks is None else options.blanks
        explanation, digits = explanation.worksheet(blanks, **digits), {}
    if options.json:
        facts: dict[str, Any] = explanation.as_dict(**digits)
        return facts
    if options.latex:
        latex: str = explanation.latex(document=True, **digits)
        return latex.rstrip("\n")
    if options.html:
        return _HTML.format(body=explanation.html(**digits))
    text: str = explanation.text(**digits)
    return text


def check(options: argparse.Namespace) -> int:
    """Check gradients against central differences, or the step that another program made."""
    if (options.after is None) != (options.learning_rate is None):
        return wrong_usage("--after and --learning-rate go together")
    if options.rows is not None and options.rows < 1:
        return wrong_usage(f"--rows {options.rows}: at least 1 is needed")
    model = model_of(options.network)
    net = model.net
    X, T = _samples(options, model)
    given = {"loss": options.loss, "reduction": options.reduction}
    found: Check | Verdict
    if options.after is None:
        found = net.check(X, T, **given)
    else:
        found = net.check_foreign(X, T, load(options.after), learning_rate=options.learning_rate, **given)
    show(found.as_dict() if options.json else str(found))
    return OK if found.ok else CHECK_FAILED


def _samples(options: argparse.Namespace, model: Model) -> tuple[Any, Any]:
    """The first samples of a CSV file: columns as in a run's table; else the last are the targets if none is named."""
    how = {"delimiter": options.delimiter, "header": _header(options)}
    if model.columns is not None and not (options.targets or options.features or options.classes):
        X, T = model.columns.pairs(options.data, **how)
    else:
        last = range(-1, 0) if options.classes else range(-model.net.n_outputs, 0)
        targets = options.targets.split(",") if options.targets else list(last)
        X, T = read_csv(options.data, targets, features=options.features, classes=options.classes, **how)
    most = options.rows or (10 if options.after is None else len(X))
    if len(X) > most and not options.rows:
        say(f"the first {most} of {len(X)} samples are used; --rows takes more")
    return X[:most], T[:most]


def _header(options: argparse.Namespace) -> bool | None:
    """Whether a CSV file's first line holds names; None: as it looks."""
    return None if options.header is None else options.header == "yes"


def _claim(path: Path, options: argparse.Namespace, source: Path | None = None) -> None:
    """Refuse to write over a file, unless it was said; over what is read in any case."""
    if not path.exists():
        return
    if source is not None and source.exists() and path.samefile(source):
        raise FileError(f"{path} is what is to be read; give another file to write to")
    if path.is_file() and not options.overwrite:
        raise FileError(
            f"{path} is there already; give another name with -o, or say that it may be replaced: --overwrite"
        )


def demo(options: argparse.Namespace) -> int:
    """Show the lectures' numbers beside ours, then train."""
    tell = (lambda line: None) if options.json else show
    rows, trained = demonstration.lectures(tell), demonstration.spirals(options.output, tell)
    failed = [row for row in rows if not row.ok]
    if options.json:
        show({"lectures": [row.as_dict() for row in rows], "spirals": trained, "ok": not failed})
    if failed:
        say(f"error: {len(failed)} of {len(rows)} numbers differ from the lectures'")
    return CHECK_FAILED if failed else OK

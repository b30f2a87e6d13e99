"""The command line: data on stdout, messages and progress on stderr, an exit code that says what happened."""

import argparse
import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from neuronsim import __version__
from neuronsim.errors import CheckError, CompileWarning, DivergenceWarning, NeuronsimError

__all__ = ["main"]

OK, CHECK_FAILED, WRONG_USAGE, BAD_INPUT, DIVERGED, INTERRUPTED = 0, 1, 2, 3, 4, 130

_EXIT_CODES = """\
exit codes: 0 ok, 1 a check failed, 2 wrong usage, 3 bad or missing input, 4 diverged, 130 interrupted"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows the program's name; None takes them from the process.
    """
    options = _parser().parse_args(_joined(sys.argv[1:] if arguments is None else arguments))
    with warnings.catch_warnings():
        for ours in (CompileWarning, DivergenceWarning):
            warnings.simplefilter("always", ours)
        warnings.showwarning = _show_warning
        try:
            code: int = options.act(options)
            sys.stdout.flush()
            return code
        except NeuronsimError as problem:
            _say(f"error: {problem}")
            return CHECK_FAILED if isinstance(problem, CheckError) else BAD_INPUT
        except BrokenPipeError:
            # Whoever read our output has gone; Python would complain once more when it closes stdout.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return OK
        except OSError as problem:
            _say(f"error: {problem.filename or 'a file'} cannot be used: {problem.strerror or problem}")
            return BAD_INPUT
        except KeyboardInterrupt:
            _say("interrupted")
            return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="neuronsim",
        description="Simulate and train neural networks one neuron at a time.",
        epilog=_EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"neuronsim {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = _command(commands, "demo", _demo, "the lectures' worked numbers beside ours, then a training run")
    demo.add_argument("-o", "--output", metavar="DIR", default=".", help="where picture and page go (default: here)")

    run = _command(commands, "run", _run, "train as an experiment file says, and write a run directory")
    run.add_argument("experiment", metavar="EXPERIMENT.toml")
    run.add_argument("-o", "--output", metavar="DIR", help="the run directory (default: a new one in runs/)")
    run.add_argument(
        "--set",
        metavar="KEY=VALUE",
        type=_setting,
        action="append",
        default=[],
        dest="overrides",
        help="replace a setting, as in --set training.epochs=3; may be repeated",
    )
    run.add_argument("--seed", type=_seed, help="replace the file's seed")
    run.add_argument("--resume", action="store_true", help=argparse.SUPPRESS)

    info = _command(commands, "info", _info, "this installation, or a network file")
    info.add_argument("network", metavar="NETWORK", nargs="?", help="a .safetensors or .json file")

    _add_report(commands)
    _add_explain(commands)
    _add_check(commands)
    _add_draw(commands)
    return parser


def _add_report(commands: Any) -> None:
    what = (
        "train once more as a run directory or an experiment file says, and write one offline page that shows the run"
    )
    report = _command(commands, "report", _report, what)
    report.add_argument("run", metavar="RUN", help="a run directory, or an experiment file")
    report.add_argument("-o", "--output", metavar="PAGE.html", help="the page (default: report.html in the directory)")
    report.add_argument("--title", help="its heading (default: the name of the directory or file)")
    report.add_argument("--steps", metavar="Q1,Q2,…", type=_steps, help="steps to show (default: spread over the run)")


def _add_explain(commands: Any) -> None:
    what = "one step with one sample: every formula of a neuron, of an edge or of the loss, with its numbers"
    explain = _command(commands, "explain", _explain, what)
    explain.add_argument("network", metavar="NETWORK", help="a .safetensors or .json file; it is left as it is")
    explain.add_argument("neuron", metavar="NEURON", nargs="?", help="whose formulas; left out: the loss")
    explain.add_argument("sink", metavar="SINK", nargs="?", help="then the edge from NEURON to SINK")
    explain.add_argument("--x", type=_numbers, required=True, metavar="X1,X2,…", help="the inputs")
    explain.add_argument("--t", type=_numbers, required=True, metavar="T1,…", help="the targets, or one class number")
    _add_loss(explain)
    explain.add_argument("--learning-rate", type=float, default=0.01, metavar="RATE", help="μ (default: 0.01)")
    explain.add_argument("--worksheet", action="store_true", help="with blanks to be worked out, and the key")
    explain.add_argument("--blanks", type=int, metavar="N", help="so many blanks (default: every result)")
    explain.add_argument("--digits", type=int, metavar="N", help="significant digits (default: 9; of a worksheet 4)")
    forms = explain.add_mutually_exclusive_group()
    forms.add_argument("--latex", action="store_true", help="a LaTeX document")
    forms.add_argument("--html", action="store_true", help="an HTML page")


def _add_draw(commands: Any) -> None:
    draw = _command(commands, "draw", _draw, "a picture of a network file, or of a step with one sample")
    draw.add_argument("network", metavar="NETWORK", help="a .safetensors or .json file; it is left as it is")
    draw.add_argument("-o", "--output", metavar="FILE", help="a .png, .svg or .pdf (default: NETWORK.png, here)")
    draw.add_argument("--x", type=_numbers, metavar="X1,X2,…", help="inputs: draw the step made with them")
    draw.add_argument("--t", type=_numbers, metavar="T1,…", help="then the targets, or one class number")
    draw.add_argument(
        "--color", metavar="FIELD", help="delta, y, z, bias, slope, db (default: delta of a step, else bias)"
    )
    _add_loss(draw)
    draw.add_argument("--learning-rate", type=float, default=0.01, metavar="RATE", help="μ (default: 0.01)")


def _add_check(commands: Any) -> None:
    what = "the gradients of a network file against central differences; or the step that another program made of it"
    check = _command(commands, "check", _check, what)
    check.add_argument("network", metavar="NETWORK", help="a .safetensors or .json file; it is left as it is")
    check.add_argument("--data", required=True, metavar="FILE.csv", help="samples, a line each")
    check.add_argument(
        "--targets", metavar="NAME,…", help="the columns that are targets (default: the last, one for each output)"
    )
    check.add_argument("--classes", action="store_true", help="one target column holds class numbers 0, 1, …")
    check.add_argument(
        "--rows", type=int, metavar="N", help="the first so many samples (default: 10; with --after all)"
    )
    _add_loss(check)
    check.add_argument("--reduction", choices=("mean", "sum"), default="mean", help="over samples (default: mean)")
    check.add_argument(
        "--after", metavar="NETWORK", help="the same network after one step elsewhere: say which rule it followed"
    )
    check.add_argument("--learning-rate", type=float, metavar="RATE", help="of that step")


def _add_loss(command: argparse.ArgumentParser) -> None:
    command.add_argument("--loss", metavar="NAME", help="default: cross_entropy for softmax, else half_squared_error")


def _command(commands: Any, name: str, act: Callable[[argparse.Namespace], int], what: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=what, description=what, epilog=_EXIT_CODES)
    command.add_argument("--json", action="store_true", help="one JSON value on stdout, for programs")
    command.set_defaults(act=act)
    return command


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no seed; give a whole number from 0 on")
    return int(text)


def _joined(arguments: Sequence[str]) -> list[str]:
    """``--x -1,2`` as ``--x=-1,2``: else argparse takes the numbers for an option."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] in ("--x", "--t") and argument[:1] == "-" and argument[1:2] in "0123456789.":
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def _numbers(text: str) -> Any:
    """Numbers between commas; one alone stays alone, whole if it is written so."""
    try:
        if text.strip().isdecimal():
            return int(text)
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers; write them as in 0.05,0.1") from None
    return numbers if "," in text else numbers[0]


def _steps(text: str) -> list[int]:
    if not all(part.isdecimal() for part in text.split(",")):
        raise argparse.ArgumentTypeError(f"{text!r}: write steps as in 0,1,500")
    return [int(part) for part in text.split(",")]


def _setting(text: str) -> str:
    key, equals, _ = text.partition("=")
    if not equals or not all(part.strip() for part in key.split(".")):
        raise argparse.ArgumentTypeError(f"{text!r}: write table.key=value, as in training.epochs=3")
    return text


def _run(options: argparse.Namespace) -> int:
    from neuronsim import experiment

    if options.resume:
        return _wrong_usage("--resume is not possible in this version: runs write no checkpoints yet")
    _announce_compiling()
    plan = experiment.read(options.experiment, options.overrides, seed=options.seed)
    directory = Path(options.output) if options.output else _new_directory(plan.name)
    outcome = experiment.run(plan, directory)
    _print(outcome.as_dict() if options.json else str(outcome))
    return {"diverged": DIVERGED, "interrupted": INTERRUPTED}.get(outcome.status, OK)


def _new_directory(name: str) -> Path:
    """``runs/name``, or the first of ``runs/name-2``, … that is not there yet."""
    directory, number = Path("runs", name), 1
    while directory.exists():
        number += 1
        directory = Path("runs", f"{name}-{number}")
    return directory


def _report(options: argparse.Namespace) -> int:
    from neuronsim import experiment

    _announce_compiling()
    given = Path(options.run)
    directory = given if given.is_dir() else given.parent
    plan = experiment.read(given / "experiment.toml" if given.is_dir() else given)
    net, run = experiment.again(plan)
    kept = given / "network.safetensors"
    if given.is_dir() and kept.exists() and not _same_parameters(net, kept):
        _say(
            f"warning: this run came out otherwise than {kept}, with the settings of experiment.toml; "
            f"it {run.status} after {run.n_steps:,} steps. The page shows this run"
        )
    page = Path(options.output) if options.output else directory / "report.html"
    name = given.resolve().name if given.is_dir() else plan.name
    run.to_html(page, steps=options.steps, title=options.title or name)
    facts = {"page": str(page), "bytes": page.stat().st_size, "n_steps": run.n_steps, "status": run.status}
    _print(facts if options.json else str(page))
    return OK


def _same_parameters(net: Any, path: Path) -> bool:
    """Whether a network file holds the same weights, biases and slopes, bit for bit."""
    from neuronsim.storage import load

    kept = load(path)
    pairs = ((net.weights, kept.weights), (net.biases, kept.biases), (net.slopes, kept.slopes))
    return all(ours.tobytes() == theirs.tobytes() for ours, theirs in pairs)


def _info(options: argparse.Namespace) -> int:
    from neuronsim.commands import info

    if options.network is None:
        facts = info.installation()
        _print(facts if options.json else _aligned(facts))
        return OK
    from neuronsim.storage import load

    net = load(options.network)
    _print(info.network_facts(net) if options.json else str(net))
    return OK


def _explain(options: argparse.Namespace) -> int:
    from neuronsim.storage import load

    if options.json and (options.latex or options.html):
        return _wrong_usage("--json goes with neither --latex nor --html")
    if options.blanks is not None and not options.worksheet:
        return _wrong_usage("--blanks goes with --worksheet")
    if options.digits is not None and not 1 <= options.digits <= 17:
        return _wrong_usage(f"--digits {options.digits}: from 1 to 17 are possible")
    _announce_compiling()
    net = load(options.network)
    x = options.x if isinstance(options.x, list) else [options.x]
    step = net.step(x, options.t, loss=options.loss, learning_rate=options.learning_rate)
    explanation = step.explain(*(end for end in (options.neuron, options.sink) if end is not None))
    _print(_written(explanation, options))
    return OK


def _draw(options: argparse.Namespace) -> int:
    from neuronsim import plots
    from neuronsim.storage import load

    if (options.x is None) != (options.t is None):
        return _wrong_usage("--x and --t go together: a step needs both")
    net = load(options.network)
    shown: Any = net
    if options.x is not None:
        _announce_compiling()
        x = options.x if isinstance(options.x, list) else [options.x]
        shown = net.step(x, options.t, loss=options.loss, learning_rate=options.learning_rate)
    output = Path(options.output or Path(options.network).with_suffix(".png").name)
    color = options.color or ("bias" if options.x is None else "delta")
    try:
        plots.network(shown, color).save(output)
    except ValueError as problem:
        if isinstance(problem, NeuronsimError):
            raise
        return _wrong_usage(f"{output}: {problem}")
    _print({"picture": str(output)} if options.json else str(output))
    return OK


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
        return f'<!DOCTYPE html>\n<meta charset="utf-8">\n<title>neuronsim</title>\n{explanation.html(**digits)}'
    text: str = explanation.text(**digits)
    return text


def _check(options: argparse.Namespace) -> int:
    from neuronsim.storage import load

    if (options.after is None) != (options.learning_rate is None):
        return _wrong_usage("--after and --learning-rate go together")
    if options.rows is not None and options.rows < 1:
        return _wrong_usage(f"--rows {options.rows}: at least 1 is needed")
    _announce_compiling()
    net = load(options.network)
    X, T = _samples(options, net.n_outputs)
    given = {"loss": options.loss, "reduction": options.reduction}
    if options.after is None:
        found = net.check(X, T, **given)
    else:
        found = net.check_foreign(X, T, load(options.after), learning_rate=options.learning_rate, **given)
    _print(found.as_dict() if options.json else str(found))
    return OK if found.ok else CHECK_FAILED


def _samples(options: argparse.Namespace, n_outputs: int) -> tuple[Any, Any]:
    """The first samples of a CSV file, whose last columns are targets unless others are named."""
    from neuronsim.data import read_csv

    last = range(-1, 0) if options.classes else range(-n_outputs, 0)
    targets = options.targets.split(",") if options.targets else list(last)
    X, T = read_csv(options.data, targets, classes=options.classes)
    most = options.rows or (10 if options.after is None else len(X))
    if len(X) > most and not options.rows:
        _say(f"the first {most} of {len(X)} samples are used; --rows takes more")
    return X[:most], T[:most]


def _wrong_usage(why: str) -> int:
    _say(f"error: {why}")
    return WRONG_USAGE


def _demo(options: argparse.Namespace) -> int:
    from neuronsim.commands import demo

    _announce_compiling()
    show = (lambda line: None) if options.json else _print
    rows, trained = demo.lectures(show), demo.spirals(options.output, show)
    failed = [row for row in rows if not row.ok]
    if options.json:
        _print({"lectures": [row.as_dict() for row in rows], "spirals": trained, "ok": not failed})
    if failed:
        _say(f"error: {len(failed)} of {len(rows)} numbers differ from the lectures'")
    return CHECK_FAILED if failed else OK


def _announce_compiling() -> None:
    """One line on stderr if kernels have to be compiled, which is so once on a machine."""
    from neuronsim.kernels import jit

    if _say_compiling not in jit.compile_listeners:
        jit.compile_listeners.append(_say_compiling)


def _say_compiling() -> None:
    _say("compiling kernels, once on this machine, for some seconds …")


def _aligned(facts: dict[str, Any]) -> str:
    width = max(map(len, facts))
    return "\n".join(f"{name.replace('_', ' '):<{width}}  {value}" for name, value in facts.items())


def _print(what: str | dict[str, Any]) -> None:
    print(what if isinstance(what, str) else json.dumps(what, ensure_ascii=False, indent=1), flush=True)


def _say(message: str) -> None:
    print(f"neuronsim: {message}", file=sys.stderr, flush=True)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    _say(f"warning: {message}")

"""The arguments of the command line: which commands there are, what each takes, how values are written."""

import argparse
from collections.abc import Sequence
from math import inf
from typing import Any

from neuronsim import __version__
from neuronsim.commands.info import KINDS
from neuronsim.errors import suggest

RETRY = ("failed", "lost")
_NETWORK = "a .safetensors or .json file, or a run directory, whose scales then hold for raw samples; it stays as it is"

_EXIT_CODES = """\
exit codes: 0 ok, 1 a check failed, 2 wrong usage, 3 bad or missing input, 4 diverged, 130 interrupted"""


def read(arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments that follow the program's name; ``command`` is one of the functions in `actions`."""
    parser = argparse.ArgumentParser(
        prog="neuronsim", description="Simulate and train neural networks one neuron at a time.", epilog=_EXIT_CODES
    )
    parser.add_argument("--version", action="version", version=f"neuronsim {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    training = _add_new, _add_run, _add_sweep, _add_compare, _add_predict, _add_report
    for add in (_add_demo, *training, _add_info, _add_explain, _add_worksheet, _add_check, _add_grade, _add_draw):
        add(commands)
    first = next((argument for argument in arguments if not argument.startswith("-")), None)
    if first is not None and first not in commands.choices:
        parser.error(
            f"no command {first!r}{suggest(first, commands.choices) or ';'} commands: {', '.join(commands.choices)}"
        )
    options, left = parser.parse_known_args(_joined(arguments))
    if options.command in ("explain", "worksheet"):
        left = _taken_as_names(options, left)
    if left:
        parser.error(f"unrecognized arguments: {' '.join(left)}")
    return options


def _taken_as_names(options: argparse.Namespace, left: list[str]) -> list[str]:
    """Names of ``explain`` and ``worksheet`` may stand behind options, where argparse takes none; others are left."""
    names = [name for name in (options.neuron, options.sink, *left) if name is not None]
    if len(names) > 2 or any(word.startswith("-") for word in left):
        return left
    options.neuron, options.sink = (*names, None, None)[:2]
    return []


def _add_demo(commands: Any) -> None:
    demo = _command(commands, "demo", "the lectures' worked numbers beside ours, then a training run")
    demo.add_argument("-o", "--output", metavar="DIR", default=".", help="where picture and page go (default: here)")


def _add_new(commands: Any) -> None:
    new = _command(commands, "new", "write an experiment file that runs as it is, with every key explained in it")
    new.add_argument("file", metavar="FILE", nargs="?", default="experiment.toml", help="default: experiment.toml")
    new.add_argument(
        "--data", metavar="NAME", default="moons", help="a built-in data set (default: moons), or a CSV file"
    )
    new.add_argument(
        "--targets", metavar="NAME,…", help="the columns of the CSV file that are targets (default: the last)"
    )
    new.add_argument(
        "--features", metavar="NAME,…", type=_names, help="the columns to predict from (default: all but the targets)"
    )
    new.add_argument("--classes", action="store_true", help="its one target column holds classes, by number or name")
    _add_header(new)
    _add_delimiter(new)
    new.add_argument("--wiring", metavar="NAME", default="layered", help="how it is wired (default: layered)")


def _add_run(commands: Any) -> None:
    run = _command(commands, "run", "train as an experiment file says, and write a run directory")
    run.add_argument("experiment", metavar="EXPERIMENT.toml")
    run.add_argument("-o", "--output", metavar="DIR", help="the run directory (default: a new one in runs/)")
    run.add_argument("--overwrite", action="store_true", help="replace the run that is in DIR")
    _add_overrides(run)
    run.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint in DIR (default: runs/NAME), if there is one"
    )


def _add_sweep(commands: Any) -> None:
    sweep = _command(commands, "sweep", "make every run of an experiment file's [sweep] that is not done yet")
    sweep.add_argument("file", metavar="EXPERIMENT.toml|DIR", help="a file with a [sweep]; or a sweep that goes on")
    sweep.add_argument("-o", "--output", metavar="DIR", help="where its files go (default: sweeps/NAME)")
    sweep.add_argument(
        "--executor",
        metavar="WHERE",
        help="threads:4, processes:4, loky:4, dask://host:8786, mpi, or module:function (default: a thread a core)",
    )
    sweep.add_argument("--part", metavar="K/N", type=_part, help="the K-th of N parts, where there is no engine")
    sweep.add_argument("--threads", type=int, default=1, metavar="N", help="of each run (default: 1)")
    sweep.add_argument("--attempts", type=int, default=3, metavar="N", help="of a run that gets lost (default: 3)")
    sweep.add_argument(
        "--timeout", type=float, default=inf, metavar="SECONDS", help="a run that takes longer is lost (default: none)"
    )
    sweep.add_argument("--keep", default="history", help="of each run: outcome, history or network (default: history)")
    sweep.add_argument("--dry-run", action="store_true", dest="dry", help="plan and check alone")
    sweep.add_argument("--retry", choices=RETRY, help="make runs again that failed, or that were lost too often")
    sweep.add_argument(
        "--verify", type=float, default=0.0, metavar="PART", help="make this part of the runs twice, and compare bits"
    )
    sweep.add_argument("--collect", action="store_true", help="write the table of what is there, and run nothing")
    _add_overrides(sweep)


def _add_compare(commands: Any) -> None:
    compare = _command(commands, "compare", "runs grouped by their settings, told by their seeds, tested in pairs")
    compare.add_argument("runs", metavar="DIR", nargs="+", help="directories of runs and of sweeps")
    compare.add_argument("--metric", metavar="NAME", help="what counts (default: val_loss, else loss)")
    compare.add_argument("--target", metavar="NAME=VALUE", help="how many runs reach it, and when: val_accuracy=0.98")
    compare.add_argument("--where", metavar="CONDITION", help="these runs alone: 'training.learning_rate < 0.1'")
    compare.add_argument(
        "--x", choices=("epochs", "samples", "seconds"), default="epochs", help="of the picture (default: epochs)"
    )
    compare.add_argument(
        "--bits", action="store_true", help="which runs should be the same and are not, and where first"
    )
    compare.add_argument("-o", "--output", metavar="DIR", help="write comparison.html and comparison.png there")
    _add_overwrite(compare)


def _add_predict(commands: Any) -> None:
    predict = _command(commands, "predict", "what a trained network says of the raw rows of a CSV file")
    predict.add_argument("run", metavar="RUN", help="a run directory")
    predict.add_argument("data", metavar="NEW.csv", help="columns by name, in any order; others are passed over")
    predict.add_argument("-o", "--output", metavar="FILE.csv", help="where the answers go (default: stdout)")
    _add_overwrite(predict)
    _add_delimiter(predict)


def _add_info(commands: Any) -> None:
    info = _command(commands, "info", "this installation, a network file, or what there is of a kind")
    kinds = ", ".join(KINDS)
    what = f"a .safetensors or .json file, a run directory, or one of: {kinds}"
    info.add_argument("what", metavar="WHAT", nargs="?", help=what)


def _add_report(commands: Any) -> None:
    what = (
        "train once more as a run directory or an experiment file says, and write one offline page that shows the run"
    )
    report = _command(commands, "report", what)
    report.add_argument("run", metavar="RUN", help="a run directory, or an experiment file")
    report.add_argument(
        "-o",
        "--output",
        metavar="PAGE.html",
        help="the page (default: report.html in the run directory, or FILE-report.html)",
    )
    _add_overwrite(report)
    _add_overrides(report)
    report.add_argument("--title", help="its heading (default: the name of the directory or file)")
    report.add_argument("--steps", metavar="Q1,Q2,…", type=_steps, help="steps to show (default: spread over the run)")
    report.add_argument("--neurons", metavar="N1,N2,…", type=_names, help="neurons or patterns to draw in any case")


def _add_explain(commands: Any) -> None:
    what = "one step with one sample: every formula of a neuron, of an edge or of the loss, with its numbers"
    explain = _command(commands, "explain", what)
    _add_step(explain, "whose formulas; '*': the whole step; left out: the loss")
    explain.add_argument("--worksheet", action="store_true", help="with blanks to be worked out, and the key")
    explain.add_argument("--blanks", type=int, metavar="N", help="so many blanks (default: every result)")
    explain.add_argument("--digits", type=int, metavar="N", help="significant digits (default: 9; of a worksheet 4)")
    forms = explain.add_mutually_exclusive_group()
    forms.add_argument("--latex", action="store_true", help="a LaTeX document")
    forms.add_argument("--html", action="store_true", help="an HTML page")


def _add_worksheet(commands: Any) -> None:
    what = "worksheets of one step, with other numbers for everybody: as text, LaTeX, HTML, or questions for Moodle"
    worksheet = _command(commands, "worksheet", what)
    _add_step(worksheet, "whose formulas; left out: the whole step")
    worksheet.add_argument(
        "--variants", type=int, default=1, metavar="N", help="so many, other numbers in each (default: 1, as given)"
    )
    worksheet.add_argument("--seed", type=_seed, default=0, help="of the numbers (default: 0)")
    worksheet.add_argument("--blanks", type=int, metavar="N", help="so many blanks (default: every result)")
    worksheet.add_argument("--digits", type=int, default=4, metavar="N", help="significant digits (default: 4)")
    worksheet.add_argument("--no-key", action="store_false", dest="key", help="without the answers")
    forms = worksheet.add_mutually_exclusive_group()
    forms.add_argument("--latex", action="store_true", help="a LaTeX document")
    forms.add_argument("--html", action="store_true", help="an HTML page")
    forms.add_argument("--moodle", action="store_true", help="Moodle XML: a question with embedded answers for each")
    worksheet.add_argument("-o", "--output", metavar="FILE", help="where it goes (default: stdout)")
    _add_overwrite(worksheet)


def _add_grade(commands: Any) -> None:
    what = "points for somebody's backpropagation, its mistake, and the line of the lecture that it breaks"
    grade = _command(commands, "grade", what)
    grade.add_argument(
        "programs", metavar="FILE:FUNCTION", nargs="+", help="solution.py:backprop, solution.ipynb:backprop"
    )
    grade.add_argument("--activation", metavar="NAME,…", type=_names, help="of hidden neurons (default: sigmoid)")
    grade.add_argument("--output", metavar="NAME", help="activation of the outputs (default: the same)")
    _add_loss(grade)
    grade.add_argument("--reduction", choices=("mean", "sum"), default="mean", help="over samples (default: mean)")
    grade.add_argument(
        "--product", choices=("W @ x", "x @ W"), default="W @ x", help="W is (n_out, n_in), or (n_in, n_out)"
    )
    grade.add_argument("--samples", choices=("rows", "columns", "one"), help="how samples are handed over")
    grade.add_argument("--points", type=float, metavar="N", help="all points (default: one for each part)")
    grade.add_argument("--time-limit", type=float, default=10.0, metavar="SECONDS", help="of a call (default: 10)")
    grade.add_argument("--seed", type=_seed, default=0, help="of the networks (default: 0)")


def _add_step(command: argparse.ArgumentParser, neuron: str) -> None:
    """A network and one sample, and what of that step is meant."""
    command.add_argument("network", metavar="NETWORK", help=_NETWORK)
    command.add_argument("neuron", metavar="NEURON", nargs="?", help=neuron)
    command.add_argument("sink", metavar="SINK", nargs="?", help="then the edge from NEURON to SINK")
    command.add_argument("--x", type=_numbers, required=True, metavar="X1,X2,…", help="the inputs")
    command.add_argument("--t", type=_target, required=True, metavar="T1,…", help="the targets, or one class")
    _add_loss(command)
    command.add_argument("--learning-rate", type=float, default=0.01, metavar="RATE", help="μ (default: 0.01)")


def _add_draw(commands: Any) -> None:
    draw = _command(commands, "draw", "a picture of a network file, or of a step with one sample")
    draw.add_argument("network", metavar="NETWORK", help=_NETWORK)
    draw.add_argument("-o", "--output", metavar="FILE", help="a .png, .svg or .pdf (default: NETWORK.png, here)")
    _add_overwrite(draw)
    draw.add_argument("--x", type=_numbers, metavar="X1,X2,…", help="inputs: draw the step made with them")
    draw.add_argument("--t", type=_target, metavar="T1,…", help="then the targets, or one class")
    draw.add_argument(
        "--color", metavar="FIELD", help="delta, y, z, bias, slope, db (default: delta of a step, else bias)"
    )
    _add_loss(draw)
    draw.add_argument("--learning-rate", type=float, default=0.01, metavar="RATE", help="μ (default: 0.01)")


def _add_check(commands: Any) -> None:
    what = "the gradients of a network file against central differences; or the step that another program made of it"
    check = _command(commands, "check", what)
    check.add_argument("network", metavar="NETWORK", help=_NETWORK)
    check.add_argument("--data", required=True, metavar="FILE.csv", help="samples, a line each")
    check.add_argument(
        "--targets", metavar="NAME,…", help="the columns that are targets (default: the last, one for each output)"
    )
    check.add_argument(
        "--features", metavar="NAME,…", type=_names, help="the columns to predict from (default: all but the targets)"
    )
    check.add_argument("--classes", action="store_true", help="one target column holds classes, by number or name")
    _add_header(check)
    _add_delimiter(check)
    check.add_argument(
        "--rows", type=int, metavar="N", help="the first so many samples (default: 10; with --after all)"
    )
    _add_loss(check)
    check.add_argument("--reduction", choices=("mean", "sum"), default="mean", help="over samples (default: mean)")
    check.add_argument(
        "--after", metavar="NETWORK", help="the same network after one step elsewhere: say which rule it followed"
    )
    check.add_argument("--learning-rate", type=float, metavar="RATE", help="of that step")


def _add_overrides(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--set",
        metavar="KEY=VALUE",
        type=_setting,
        action="append",
        default=[],
        dest="overrides",
        help="replace a setting, as in --set training.epochs=3; may be repeated",
    )
    command.add_argument("--seed", type=_seed, help="replace the file's seed")


def _add_overwrite(command: argparse.ArgumentParser) -> None:
    command.add_argument("--overwrite", action="store_true", help="replace what is there")


def _add_header(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--header",
        choices=("yes", "no"),
        help="whether the CSV file's first line holds names (default: if none of its cells is a number)",
    )


def _add_delimiter(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--delimiter",
        metavar="C",
        type=_character,
        default=",",
        help="between the cells of the CSV file: a comma, ';', '|', ':', ' ' or 'tab' (default: a comma)",
    )


def _add_loss(command: argparse.ArgumentParser) -> None:
    command.add_argument("--loss", metavar="NAME", help="default: cross_entropy for softmax, else half_squared_error")


def _command(commands: Any, name: str, what: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=what, description=what, epilog=_EXIT_CODES)
    command.add_argument("--json", action="store_true", help="one JSON value on stdout, for programs")
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
    """Numbers between commas as a list; a single one as it is, whole if it is written so."""
    try:
        if text.strip().isdecimal():
            return int(text)
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers; write them as in 0.05,0.1") from None
    return numbers if "," in text else numbers[0]


def _target(text: str) -> Any:
    """Numbers; or the name of a class."""
    try:
        return _numbers(text)
    except argparse.ArgumentTypeError:
        if "," in text:
            raise
        return text


def _part(text: str) -> tuple[int, int]:
    k, slash, n = text.partition("/")
    if not (slash and k.isdecimal() and n.isdecimal() and 1 <= int(k) <= int(n)):
        raise argparse.ArgumentTypeError(f"{text!r}: write a part as in 3/8")
    return int(k), int(n)


def _character(text: str) -> str:
    """A tab is hard to type in a shell."""
    return "\t" if text in ("tab", "\\t") else text


def _steps(text: str) -> list[int]:
    if not all(part.isdecimal() for part in text.split(",")):
        raise argparse.ArgumentTypeError(f"{text!r}: write steps as in 0,1,500")
    return [int(part) for part in text.split(",")]


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _setting(text: str) -> str:
    key, equals, _ = text.partition("=")
    if not equals or not all(part.strip() for part in key.split(".")):
        raise argparse.ArgumentTypeError(f"{text!r}: write table.key=value, as in training.epochs=3")
    return text

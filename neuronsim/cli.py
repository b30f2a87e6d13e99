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
    arguments
        What follows the program's name; None takes them from the process.
    """
    options = _parser().parse_args(arguments)
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
    demo.add_argument("-o", "--output", metavar="DIR", default=".", help="where the picture goes (default: here)")

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
    return parser


def _command(commands: Any, name: str, act: Callable[[argparse.Namespace], int], what: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=what, description=what, epilog=_EXIT_CODES)
    command.add_argument("--json", action="store_true", help="one JSON value on stdout, for programs")
    command.set_defaults(act=act)
    return command


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no seed; give a whole number from 0 on")
    return int(text)


def _setting(text: str) -> str:
    key, equals, _ = text.partition("=")
    if not equals or not all(part.strip() for part in key.split(".")):
        raise argparse.ArgumentTypeError(f"{text!r}: write table.key=value, as in training.epochs=3")
    return text


def _run(options: argparse.Namespace) -> int:
    from neuronsim import experiment

    if options.resume:
        _say("error: --resume is not possible in this version: runs write no checkpoints yet")
        return WRONG_USAGE
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


def _info(options: argparse.Namespace) -> int:
    from neuronsim import info

    if options.network is None:
        facts = info.installation()
        _print(facts if options.json else _aligned(facts))
        return OK
    from neuronsim.storage import load

    net = load(options.network)
    _print(info.network_facts(net) if options.json else str(net))
    return OK


def _demo(options: argparse.Namespace) -> int:
    from neuronsim import demo

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

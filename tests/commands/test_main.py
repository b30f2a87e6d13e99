"""The command line: wrong usage, help, and as a program."""

import subprocess
import sys
from pathlib import Path

import pytest

from neuronsim.commands import main as cli


class TestUsage:
    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["nur"],
            ["run"],
            ["run", "a.toml", "--sed", "x"],
            ["run", "a.toml", "--seed", "-1"],
            ["run", "a.toml", "--seed", "x"],
            ["run", "a.toml", "--set", "x"],
            ["explain", "a.json", "h1"],
            ["explain", "a.json", "h1", "--x", "1,b", "--t", "0"],
            ["explain", "a.json", "h1", "--x", "1", "--t", "0", "--latex", "--html"],
            ["check", "a.json"],
        ],
    )
    def test_wrong_usage(self, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        assert caught.value.code == 2
        output = capsys.readouterr()
        assert output.out == ""
        assert "usage: neuronsim" in output.err

    def test_help_lists_the_exit_codes(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            cli.main(["run", "--help"])
        assert "130 interrupted" in capsys.readouterr().out

    def test_as_a_program(self, tmp_path: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "neuronsim", "info", str(tmp_path / "none.json")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 3
        assert done.stderr.startswith("neuronsim: error: there is no network file")


def test_a_command_misspelt(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["rum", "a.toml"])
    assert end.value.code == 2
    assert "no command 'rum'; did you mean 'run'?" in capsys.readouterr().err


def test_too_little_memory_is_bad_input_in_a_sentence(monkeypatch, capsys):
    def fails(options: object) -> int:
        raise MemoryError

    monkeypatch.setattr("neuronsim.commands.actions.info", fails)
    assert cli.main(["info", "net.json"]) == 3
    assert "error: there is not enough memory: less data, or a smaller network, may fit" in capsys.readouterr().err

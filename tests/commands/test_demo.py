"""The demonstration: every worked number, to the digits printed."""

import json
from pathlib import Path

import pytest

from neuronsim.commands import demo
from neuronsim.commands import main as cli
from neuronsim.commands.demo import Row


class TestDemo:
    def test_every_number_of_the_lectures_comes_out(self) -> None:
        rows = list(demo.rows())
        assert len(rows) == 47
        assert [row for row in rows if not row.ok] == []

    def test_the_whole_demonstration(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["demo", "-o", str(tmp_path)]) == 0
        output = capsys.readouterr().out
        assert "47 of 47 numbers agree" in output
        assert "DIFFERS" not in output
        assert (tmp_path / "neuronsim-demo.png").read_bytes().startswith(b"\x89PNG")
        assert 100_000 < (tmp_path / "neuronsim-demo.html").stat().st_size < 2_000_000

    def test_a_number_that_differs_fails(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(demo, "rows", lambda: iter([Row("L4", "E", "0.298371109", 0.2983711)]))
        monkeypatch.setattr(demo, "spirals", lambda directory, show: {"accuracy": 1.0})
        assert cli.main(["demo", "--json"]) == 1
        output = capsys.readouterr()
        assert json.loads(output.out)["ok"] is False
        assert "1 of 1 numbers differ" in output.err

    @pytest.mark.parametrize(
        ("expected", "value", "ok"),
        [
            ("0.3775", 0.37749999999999995, True),
            ("0.3775", 0.3776, False),
            ("-8.84296e-07", -8.842961e-07, True),
            ("-8.84296e-07", -8.84297e-07, False),
            ("0.29102777369359933", 0.2910277736935993, True),
            ("0.29102777369359933", 0.29102777369360933, False),
            ("0.29102777369359933", 0.29102792390544197, False),
            ("13", 13, True),
            ("13", 12, False),
            ("0.5", float("nan"), False),
        ],
    )
    def test_numbers_are_compared_to_the_digits_printed(self, expected: str, value: float, ok: bool) -> None:
        assert Row("L4", "E", expected, value).ok is ok

    def test_a_known_misprint_is_said(self) -> None:
        row = Row("L4", "out", "0.98406427352", 0.984064273514624, "0.98406427351")
        assert row.ok
        assert "the text is off" in str(row)

"""Facts about the installation and a network."""

import json
from pathlib import Path

import numpy as np
import pytest

from neuronsim import wiring
from neuronsim.commands import main as cli


class TestInfo:
    def test_the_installation(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["info", "--json"]) == 0
        facts = json.loads(capsys.readouterr().out)
        assert facts["numpy"] == np.__version__
        assert facts["threads"] >= 1
        assert facts["threading_layer"] in ("omp", "tbb", "workqueue")
        assert cli.main(["info"]) == 0
        assert "threading layer" in capsys.readouterr().out

    def test_a_network(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        net = wiring.layered([3, 4, 2], rng=0)
        path = tmp_path / "net.json"
        net.save(path)
        assert cli.main(["info", str(path)]) == 0
        assert capsys.readouterr().out == f"{net}\n"
        assert cli.main(["info", str(path), "--json"]) == 0
        facts = json.loads(capsys.readouterr().out)
        assert (facts["n_edges"], facts["n_parameters"], facts["depth"]) == (20, 26, 2)
        assert facts["activations"] == {"tanh": 6}

"""A run's id changes with what decides its bits, and with nothing else."""

import copy
import hashlib

import numpy as np
import pytest

import neuronsim as ns
from neuronsim.errors import FileError
from neuronsim.sweeps.identity import NUMERICS, files, run_id

SETTINGS = {
    "seed": 0,
    "network": {"wiring": "layered", "sizes": [2, 3, 1]},
    "data": {"csv": "a.csv", "targets": ["t"], "test": 0.25},
    "training": {"epochs": 2, "learning_rate": 0.1},
}

# What training gives with each NUMERICS. If this digest changes, bits have changed: NUMERICS must change with it.
GOLDEN = {1: "02db7dfc13ce49b31f33114a405e147ae4e4c33b0ca31c6067caf478a7e6d4ce"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.csv").write_text("a,b,t\n0,1,1\n")
    return tmp_path


def changed(**tables):
    settings = copy.deepcopy(SETTINGS)
    for name, table in tables.items():
        settings[name] = settings[name] | table if isinstance(table, dict) else table
    return settings


def test_what_decides_no_bit(folder):
    own = run_id(SETTINGS, folder)
    assert len(own) == 16
    assert run_id(changed(training={"threads": 2}), folder) == own
    assert run_id(SETTINGS | {"trace": {"watch": ["y*"]}, "versions": {"numba": "1"}}, folder) == own
    (folder / "b").mkdir()
    (folder / "b" / "c.csv").write_text((folder / "a.csv").read_text())
    assert run_id(changed(data={"csv": "c.csv", "directory": "b"}), folder) == own


def test_what_decides_bits(folder):
    own = run_id(SETTINGS, folder)
    others = [
        changed(seed=1),
        changed(training={"epochs": 3}),
        changed(network={"activation": "relu"}),
        changed(data={"test": 0.5}),
    ]
    ids = {run_id(settings, folder) for settings in others}
    assert len(ids) == len(others)
    assert own not in ids
    (folder / "a.csv").write_text("a,b,t\n0,1,2\n")
    assert run_id(SETTINGS, folder) != own


def test_files_that_are_read(folder):
    idx = changed(data={"train": {"images": "i", "labels": "l"}, "directory": "d"}, network={"file": "n.json"})
    del idx["data"]["csv"]
    assert [path.relative_to(folder).as_posix() for path in files(idx, folder)] == ["n.json", "d/i", "d/l"]
    with pytest.raises(FileError, match=r"n\.json cannot be read"):
        run_id(idx, folder)


def trained_bits():
    """A digest of what is learned in a few ways."""
    found = hashlib.sha256()
    rng = np.random.default_rng(0)
    X, T = rng.normal(size=(40, 5)), rng.normal(size=(40, 3))
    for dtype in ("float32", "float64"):
        for batch, optimizer in ((1, "sgd"), (8, "momentum"), (None, "adam")):
            net = ns.wiring.random_dag(5, 20, 3, in_degree=4, dtype=dtype, rng=1)
            net.fit(X, T, batch_size=batch, optimizer=optimizer, epochs=3, rng=2)
            found.update(net.weights.tobytes() + net.biases.tobytes())
    return found.hexdigest()


def test_bits_and_numerics_change_together():
    assert trained_bits() == GOLDEN[NUMERICS]

"""Networks with memory in files: delays, leaks and initial states come back; files without them load as before."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from neuronsim.errors import FileError
from neuronsim.network import Network
from neuronsim.storage import load, save


def recurrent_net(dtype: str = "float64") -> Network:
    """Delays, parallel edges, both leaks, initial states, learned and frozen ones, a weight that is not drawn."""
    net = Network(dtype, rng=7)
    net.add_inputs("x")
    net.add_neuron("h1", {"x": 0.5, ("h1", 1): None, ("x", 12): 1 / 3}, activation="tanh", leak=0.2)
    net.add_neuron("h2", {"h1": 0.1, ("h1", 1): 0.2, ("h2", 3): 0.3}, leak=0.7, leak_of="potential")
    net.set_outputs("h2")
    net["h2"].initial = -0.1
    net["x"].initial = 2.0
    net.unfreeze(leaks="h1", initial="h*")
    net.freeze(edges=[("h1", "h2", 1)])
    net.scale_rate(("h2", "h2", 3), 0.5)
    return net


def facts(net: Network) -> object:
    graph, memory = net.graph, net.graph.memory
    rates = graph.rates("weights")
    wiring = [values.tobytes() for values in (graph.row_start, graph.sources, graph.delays, graph.weights)]
    kept = {name: (values.dtype, values.tobytes()) for name, values in memory.arrays().items()}
    return wiring, kept, rates.factors().tolist(), rates.frozen().tolist()


@pytest.mark.parametrize("ending", [".json", ".safetensors"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_everything_comes_back(tmp_path: Path, ending: str, dtype: str) -> None:
    net = recurrent_net(dtype)
    save(net, tmp_path / f"net{ending}")
    back = load(tmp_path / f"net{ending}")
    assert facts(back) == facts(net)
    assert back["h2"].leak_of == "potential"


def test_without_memory_a_file_says_nothing_of_it(tmp_path: Path) -> None:
    net = Network(rng=0)
    net.add_inputs("x")
    net.add_neuron("y", {"x": 1.0})
    net.set_outputs("y")
    save(net, tmp_path / "net.json")
    save(net, tmp_path / "net.safetensors")
    text = (tmp_path / "net.json").read_text()
    assert not any(word in text for word in ("delayed", "leak", "initial", "learned"))
    assert not {"delays", "leaks", "initials"} & set(load_file(tmp_path / "net.safetensors"))
    for ending in (".json", ".safetensors"):
        assert load(tmp_path / f"net{ending}").graph.delays is None


def test_text_reads_like_this(tmp_path: Path) -> None:
    save(recurrent_net(), tmp_path / "net.json")
    lines = (tmp_path / "net.json").read_text().splitlines()[-5:-2]
    assert lines == [
        '  {"name": "x", "initial": 2.0},',
        '  {"name": "h1", "activation": "tanh", "bias": 0.0, "weights": {"x": 0.5}, '
        '"delayed": {"1": {"weights": {"h1": null}}, "12": {"weights": {"x": 0.3333333333333333}}}, '
        '"leak": 0.2, "leak_of": "output", "learned": ["leak", "initial"]},',
        '  {"name": "h2", "activation": "tanh", "bias": 0.0, "weights": {"h1": 0.1}, '
        '"delayed": {"1": {"weights": {"h1": 0.2}, "frozen_weights": ["h1"]}, '
        '"3": {"weights": {"h2": 0.3}, "weight_rates": {"h2": 0.5}}}, '
        '"leak": 0.7, "leak_of": "potential", "initial": -0.1, "learned": ["initial"]}',
    ]


@pytest.mark.parametrize(
    ("bend", "message"),
    [
        (lambda h: h["delayed"].update({"0": {"weights": {"x": 1}}}), "'h1' has a delay '0'; it is a whole number"),
        (lambda h: h["delayed"].update({"70000": {"weights": {"x": 1}}}), "from 1 to 65535"),
        (lambda h: h["delayed"].update({"1": 3}), "has 3, it must be a table"),
        (lambda h: h["delayed"].update({"1": {"weihgts": {}, "weights": {}}}), "did you mean 'weights'"),
        (lambda h: h["delayed"].update({"1": {}}), "lacks 'weights'"),
        (lambda h: h["delayed"]["1"].update(frozen_weights=["x"]), "names 'x', which is none of its sources"),
        (lambda h: h["delayed"]["1"]["weights"].update(zz=1.0), "name a neuron 'zz' that is not there"),
        (lambda h: h.pop("leak_of"), "must say both how much leaks and what"),
        (lambda h: h.update(leak_of="potental"), "one of: output, potential"),
        (lambda h: h.update(leak=None), "'leak' of neuron 'h1' is None, it must be a number"),
        (lambda h: h.update(learned=["slope"]), "names 'slope'; allowed: leak, initial"),
        (lambda h: h["weights"].update(h1=1.0), "'h1' feeds itself"),
    ],
)
def test_a_wrong_edit_of_the_text_is_told(tmp_path: Path, bend, message: str) -> None:
    path = tmp_path / "net.json"
    save(recurrent_net(), path)
    content = json.loads(path.read_text())
    bend(content["neurons"][1])
    path.write_text(json.dumps(content))
    with pytest.raises(FileError, match=message):
        load(path)


@pytest.mark.parametrize(
    ("bend", "message"),
    [
        (lambda s: setattr(s.arrays, "delays", s.arrays.delays[:-1]), "delays has shape"),
        (lambda s: setattr(s.arrays, "delays", s.arrays.delays[::-1].copy()), "'h2' feeds itself"),
        (lambda s: s.arrays.delays.put([2, 5], 1), "not in order"),
        (lambda s: setattr(s.arrays.memory, "leaks", None), "leaks without what leaks"),
        (lambda s: s.arrays.memory.leak_codes.fill(3), "leak_codes are not all between 0 and 2"),
        (lambda s: s.arrays.memory.leak_codes.fill(1), "an input leaks"),
        (lambda s: s.arrays.memory.learned_leaks.fill(True), "learned where nothing leaks"),
        (lambda s: setattr(s.arrays.memory, "initials", np.zeros(1)), "initials has shape"),
    ],
)
def test_arrays_that_make_no_network(tmp_path: Path, bend, message: str) -> None:
    from neuronsim.storage import binary
    from neuronsim.storage.state import state_of

    state = state_of(recurrent_net())
    bend(state)
    binary.write(state, tmp_path / "net.safetensors")
    with pytest.raises(FileError, match=message):
        load(tmp_path / "net.safetensors")

"""Networks written to files and read back, and files that are damaged."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nets import small_net

from neuronsim.errors import FileError, NeuronsimError, SettingError
from neuronsim.formulas import activations
from neuronsim.graph.arrays import Arrays
from neuronsim.graph.graph import Graph
from neuronsim.graph.names import Names
from neuronsim.network import Network
from neuronsim.storage import load, save

FORMATS = (".safetensors", ".json")
BUILT_IN = [name for name in activations.ACTIVATIONS if name != "softmax"]


def facts(net: Network) -> dict[str, Any]:
    """Everything that makes a network, comparable bit for bit."""
    graph = net.graph
    rates = {kind: graph.rates(kind) for kind in ("weights", "biases", "slopes")}
    return {
        "dtype": net.dtype,
        "seed": (net.seed, net.init),
        "names": list(net.names),
        "arrays": [
            getattr(graph, name).tobytes()
            for name in ("row_start", "sources", "weights", "biases", "slopes", "activation_codes", "is_input")
        ],
        "inputs": graph.inputs.tolist(),
        "outputs": graph.outputs.tolist(),
        "factors": {kind: rate.factors().tolist() for kind, rate in rates.items()},
        "frozen": {kind: rate.frozen().tolist() for kind, rate in rates.items()},
    }


def there_and_back(net: Network, folder: Path, ending: str) -> Network:
    save(net, folder / f"net{ending}")
    return load(folder / f"net{ending}")


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Small networks with every kind of thing that a file has to keep."""
    net = Network(draw(st.sampled_from(["float32", "float64"])), rng=draw(st.integers(0, 2**70)))
    width = 32 if net.dtype == np.float32 else 64
    number = st.floats(allow_nan=False, allow_infinity=False, width=width)
    letters = st.characters(exclude_characters="*?[]", exclude_categories=["Cs"])
    names = draw(st.lists(st.text(letters, min_size=1, max_size=4), unique=True, min_size=2, max_size=9))
    n_inputs = draw(st.integers(1, len(names) - 1))
    net.add_inputs(*names[:n_inputs])
    for k, name in enumerate(names[n_inputs:], n_inputs):
        sources = draw(st.lists(st.sampled_from(names[:k]), unique=True))
        given = {source: draw(st.none() | number) for source in sources}
        net.add_neuron(name, given, activation=draw(st.sampled_from(BUILT_IN)), bias=draw(number))
    net.set_outputs(*draw(st.lists(st.sampled_from(names), unique=True, min_size=1)))
    if draw(st.booleans()):
        net.freeze(names[-1])
        net.scale_rate(names[n_inputs], draw(st.floats(0, 1e3, width=16)))
    if draw(st.booleans()):
        net.slopes[:] = draw(number)
    return net


@pytest.mark.parametrize("ending", FORMATS)
class TestThereAndBack:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_everything_comes_back(self, tmp_path: Path, ending: str, dtype: str) -> None:
        net = small_net(dtype)
        assert facts(there_and_back(net, tmp_path, ending)) == facts(net)

    @given(net=networks())
    @settings(max_examples=60, deadline=None)
    def test_any_network(self, tmp_path_factory: pytest.TempPathFactory, ending: str, net: Network) -> None:
        back = there_and_back(net, tmp_path_factory.getbasetemp(), ending)
        assert facts(back) == facts(net)

    def test_weights_not_drawn_yet_are_drawn_alike(self, tmp_path: Path, ending: str) -> None:
        net = small_net()
        back = there_and_back(net, tmp_path, ending)
        for network in (net, back):
            network.graph.draw_missing(network.seed, network.init)
        assert np.isfinite(net.graph.weights).all()
        assert facts(back) == facts(net)
        for network in (net, back):  # a second draw is another one, and still alike
            network.connect("i1", "o1")
            network.graph.draw_missing(network.seed, network.init)
        back = there_and_back(net, tmp_path, ending)
        for network in (net, back):
            network.connect("δ 'prelu' \"x\"", "o1")
            network.graph.draw_missing(network.seed, network.init)
        assert facts(back) == facts(net)

    def test_numbers_that_are_hard_to_write(self, tmp_path: Path, ending: str) -> None:
        for dtype in (np.float32, np.float64):
            hard = np.array(
                [-0.0, np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal, np.inf, -np.inf, np.nan, 1e16, 0.1],
                dtype,
            )
            net = Network(np.dtype(dtype).name)
            net.add_inputs("x")
            for k in range(len(hard)):
                net.add_neuron(f"h{k}", {"x": 1.0})
            net.weights[:] = hard
            back = there_and_back(net, tmp_path, ending)
            assert back.weights.tobytes() == hard.tobytes()

    def test_every_kind_of_float32_comes_back(self, tmp_path: Path, ending: str) -> None:
        bits = np.random.default_rng(0).integers(0, 2**32, 4000, dtype=np.uint32)
        values = bits.view(np.float32)
        values = values[np.isfinite(values)]
        names = Names()
        names.append_series("x", len(values))
        names.append("y")
        n = len(values)
        arrays = Arrays.of([0] * (n + 1) + [n], np.arange(n), 0, values)
        graph = Graph.assemble(names, np.arange(n)[::-1], [n], arrays)
        net = Network.from_graph(graph, rng=0)
        assert facts(there_and_back(net, tmp_path, ending)) == facts(net)

    def test_the_same_network_gives_the_same_bytes(self, tmp_path: Path, ending: str) -> None:
        save(small_net(), tmp_path / f"a{ending}")
        save(small_net(), tmp_path / f"b{ending}")
        assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()

    def test_others_can_read_it_as_any_file(self, tmp_path: Path, ending: str) -> None:
        save(small_net(), tmp_path / f"net{ending}")
        (tmp_path / "any").touch()
        assert (tmp_path / f"net{ending}").stat().st_mode == (tmp_path / "any").stat().st_mode

    def test_an_empty_network(self, tmp_path: Path, ending: str) -> None:
        net = Network(rng=0)
        assert facts(there_and_back(net, tmp_path, ending)) == facts(net)

    def test_activations_of_the_user_s_own(self, tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(activations, "ACTIVATIONS", dict(activations.ACTIVATIONS))
        monkeypatch.setattr(activations, "_BY_CODE", dict(activations._BY_CODE))
        activations.register("half", lambda z: 0.5 * z, lambda z: 0.5)
        net = Network(rng=0)
        net.add_inputs("x")
        net.add_neuron("y", ["x"], activation="half")
        assert facts(there_and_back(net, tmp_path, ending)) == facts(net)
        del activations.ACTIVATIONS["half"]
        with pytest.raises(FileError, match=r"activation 'half', which is not registered here.*register\('half'"):
            load(tmp_path / f"net{ending}")

    def test_a_crash_while_writing_leaves_the_old_file(
        self, tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / f"net{ending}"
        save(small_net(), path)
        before = path.read_bytes()

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(FileError, match="cannot be written: No space left on device"):
            save(Network(), path)
        assert path.read_bytes() == before
        assert [file.name for file in tmp_path.iterdir()] == [path.name]

    def test_cut_off_at_any_byte(self, tmp_path: Path, ending: str) -> None:
        path = tmp_path / f"net{ending}"
        save(small_net(), path)
        content = path.read_bytes()
        for length in range(len(content.rstrip())):
            path.write_bytes(content[:length])
            with pytest.raises(FileError, match="net"):
                load(path)

    def test_flipped_bits_never_end_otherwise_than_in_a_file_error(self, tmp_path: Path, ending: str) -> None:
        path = tmp_path / f"net{ending}"
        net = small_net()
        save(net, path)
        content, expected = path.read_bytes(), facts(net)
        for k in range(len(content)):
            bent = bytearray(content)
            bent[k] ^= 1 << (k * 5) % 8
            path.write_bytes(bent)
            try:
                back = load(path)
            except FileError as problem:
                assert path.name in str(problem)  # noqa: PT017  (some flips leave a valid file)
            else:
                assert ending == ".json" or facts(back) == expected

    def test_foreign_files(self, tmp_path: Path, ending: str) -> None:
        path = tmp_path / f"net{ending}"
        for content in (b"", b"{}", b"[]", b"null", b"\xff\xfe\0\0", b"PK\x03\x04" * 9, b"[" * 100_000):
            path.write_bytes(content)
            with pytest.raises(FileError, match=path.name):
                load(path)
        with pytest.raises(FileError, match="there is no network file"):
            load(tmp_path / f"none{ending}")
        with pytest.raises(FileError, match="cannot be written"):
            save(small_net(), tmp_path / "no such folder" / path.name)


def test_unknown_endings(tmp_path: Path) -> None:
    for act in (load, lambda path: save(small_net(), path)):
        with pytest.raises(SettingError, match=r"ends in \.safetensors or \.json, not in '\.h5'"):
            act(tmp_path / "net.h5")


def test_every_error_is_one_of_ours(tmp_path: Path) -> None:
    with pytest.raises(NeuronsimError):
        load(tmp_path)

"""Networks written to files and read back, and files that are damaged."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from neuronsim.errors import FileError, NeuronsimError, SettingError
from neuronsim.formulas import activations
from neuronsim.graph.graph import Graph
from neuronsim.graph.names import Names
from neuronsim.network import Network
from neuronsim.storage import load, save
from neuronsim.storage.namelist import named, short_names

FORMATS = (".safetensors", ".json")
BUILT_IN = [name for name in activations.ACTIVATIONS if name != "softmax"]


def small_net(dtype: str = "float64") -> Network:
    net = Network(dtype, rng=7, init="he")
    net.add_inputs("i1", "i2")
    net.add_neuron("h1", {"i1": 0.15, "i2": 0.20}, activation="sigmoid", bias=0.35)
    net.add_neuron("δ 'prelu' \"x\"", ["i1", "h1"], activation="prelu")
    net.add_neuron("o1", {"h1": 1 / 3}, activation="identity", bias=-0.0)
    net.connect("i2", "o1")
    net.set_outputs("o1", "h1")
    net.freeze("h1")
    net.freeze(edges=[("h1", "o1")])
    net.scale_rate("o1", 0.1)
    return net


def facts(net: Network) -> dict[str, Any]:
    """Everything that makes a network, comparable bit for bit."""
    graph = net.graph
    graph.consolidate()
    rates = {kind: graph.rates(kind) for kind in ("weights", "biases", "slopes")}
    return {
        "dtype": net.dtype,
        "seed": (net.seed, net.init),
        "names": list(net.names),
        "arrays": [
            getattr(graph, name).tobytes()
            for name in (
                "row_start",
                "sources",
                "weights",
                "biases",
                "slopes",
                "activation_codes",
                "is_input",
            )
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
                [
                    -0.0,
                    np.finfo(dtype).max,
                    np.finfo(dtype).smallest_subnormal,
                    np.inf,
                    -np.inf,
                    np.nan,
                    1e16,
                    0.1,
                ],
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
        graph = Graph.assemble(
            "float32",
            names,
            row_start=np.array([0] * (n + 1) + [n]),
            sources=np.arange(n),
            weights=values,
            activation_codes=0,
            inputs=np.arange(n)[::-1],
            outputs=[n],
        )
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


class TestText:
    def test_reads_like_this(self, tmp_path: Path) -> None:
        save(small_net("float32"), tmp_path / "net.json")
        assert (tmp_path / "net.json").read_text(encoding="utf-8") == TEXT

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ('"bias": 0.35', '"bais": 0.35', "neuron 'h1' has an unknown key 'bais'; did you mean 'bias'"),
            ('"bias": 0.35', '"bias": "0.35"', "'bias' of neuron 'h1' is '0.35', it must be a number"),
            ('"bias": 0.35', '"bias": true', "it must be a number"),
            ('"bias": 0.35', '"bias": 1e39', "too large for float32"),
            ('"bias": 0.35', '"bias": 1' + "0" * 400, "too large for float32"),
            ('"i2": 0.2}', '"i9": 0.2}', "names 'i2', which is none of its sources"),
            ('{"i1": null, "h1"', '{"i9": null, "h1"', "a neuron 'i9' that is not there"),
            ('{"i1": null, "h1": null}', '{"δ \'prelu\' \\"x\\"": 1}', "feeds itself"),
            ('"i1": 0.15', '"i2": 0.15', "'i2' is there twice in one table"),
            ('"i1": 0.15', '"i1": [0.15]', "must be a number or null"),
            ('"name": "h1", "act', '"name": "o1", "act', "the name 'o1' is there twice"),
            ('"name": "h1", "act', '"name": "h*", "act', "kept for patterns"),
            ('"name": "h1", "act', '"name": 3, "act', "neuron 2 has no name"),
            (
                '"sigmoid"',
                '"sigmiod"',
                "activation 'sigmiod', which is not registered here; did you mean 'sigmoid'",
            ),
            ('"activation": "sigmoid", ', "", "neuron 'h1' lacks 'activation'"),
            ('"outputs": ["o1", "h1"]', '"outputs": ["o1", "o1"]', "outputs name a neuron twice"),
            ('"outputs": ["o1", "h1"]', '"outputs": ["o1", 3]', "a neuron 3 that is not there"),
            ('"float32"', '"float16"', "allowed are float32 and float64"),
            ('"he"', '"hee"', "hee"),
            ('"seed": 7', '"seed": -7', "seed"),
            ('"seed": 7', '"sead": 7', "lacks 'seed'"),
            ('"format": 1', '"format": 2', "its format is 2"),
            ('"kind": "neuronsim network"', '"kind": "?"', "no network of neuronsim"),
            ('"frozen_weights": ["h1"]', '"frozen_weights": ["i1"]', "none of its sources"),
            ('"frozen": ["bias", "slope"]', '"frozen": ["weight"]', "allowed: bias, slope"),
            (
                '"rates": {"bias": 0.1',
                '"rates": {"bias": -1',
                "rates of biases are not all finite and 0 or more",
            ),
            ('{"name": "i2"}', '{"name": "i2", "weights": {"i1": 1}}', "is an input"),
            ('{"name": "i2"}', '{"name": "i2", "activation": "relu"}', "is an input"),
            ('"inputs": ["i1", "i2"]', '"inputs": ["i1", "i1"]', "'i2' lacks 'activation'"),
            ('"inputs": ["i1", "i2"]', '"inputs": ["i1", "i2", "i1"]', "inputs name a neuron twice"),
            ('"inputs": ["i1", "i2"]', '"inputs": ["i1", "i2", {}]', "that is not there"),
        ],
    )
    def test_edited_wrongly(self, tmp_path: Path, old: str, new: str, message: str) -> None:
        assert TEXT.count(old) == 1
        path = tmp_path / "net.json"
        path.write_text(TEXT.replace(old, new), encoding="utf-8")
        with pytest.raises(FileError, match=message) as caught:
            load(path)
        assert str(path) in str(caught.value)

    def test_edited_well(self, tmp_path: Path) -> None:
        path = tmp_path / "net.json"
        path.write_text(json.dumps(json.loads(TEXT.replace("0.35", "1"))), encoding="utf-8")
        assert load(path)["h1"].bias == 1


class TestBinary:
    @pytest.mark.parametrize(
        ("name", "change", "message"),
        [
            ("weights", lambda a: a[:-1], r"weights has shape"),
            ("weights", lambda a: a.astype(np.float16), "its array 'weights'"),
            ("sources", lambda a: a + 100, "sources are not all between"),
            ("sources", lambda a: a[::-1].copy(), "edge is there twice, or|feeds itself"),
            ("sources", lambda a: a.astype(np.int64), "its array 'sources'"),
            ("row_start", lambda a: a[::-1].copy(), "row_start"),
            ("codes", lambda a: a + 9, "codes are not all between"),
            ("outputs", lambda a: a - 9, "outputs are not all between"),
            ("inputs", lambda a: a * 0, "inputs name a neuron twice"),
            ("inputs", lambda a: a + 2, "which is an input"),
            ("names", lambda a: a[:-1], "metadata are damaged"),
            ("biases", None, "lacks the array 'biases'"),
            ("extra", lambda a: np.zeros(1), "an array 'extra' that no network has"),
        ],
    )
    def test_arrays_that_make_no_network(
        self, tmp_path: Path, name: str, change: Any, message: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "net.safetensors"
        monkeypatch.setattr("neuronsim.storage.binary._digest", lambda *_: "the same")
        save(small_net(), path)
        from safetensors import safe_open

        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata()
        arrays = load_file(path)
        if change is None:
            del arrays[name]
        else:
            arrays[name] = change(arrays.get(name))
        save_file(arrays, path, metadata)
        with pytest.raises(FileError, match=message):
            load(path)

    def test_another_program_s_file(self, tmp_path: Path) -> None:
        path = tmp_path / "net.safetensors"
        save_file({"weights": np.zeros(3)}, path)
        with pytest.raises(FileError, match="no network of neuronsim"):
            load(path)


class TestNames:
    @given(
        st.lists(
            st.builds("{}{}".format, st.sampled_from(["h", "h1.", "n0", ""]), st.integers(0, 400))
            | st.sampled_from(["h", "h007", "x-1"]),
            unique=True,
            max_size=40,
        ),
        st.integers(0, 40),
        st.integers(0, 30),
    )
    def test_come_back_by_name_and_by_row(self, single: list[str], at: int, first: int) -> None:
        run = [f"h{k}" for k in range(first, first + 30)]
        kept = [name for name in single if name not in run]
        names = [*kept[:at], *run, *kept[at:]]
        entries = list(short_names(names))
        back = named(entries, len(names))
        assert list(back) == names
        assert [back.row(name) for name in names] == list(range(len(names)))
        assert back.row("h4000") is None
        assert back.row("h" + str(first + 30)) == (names.index(f"h{first + 30}") if f"h{first + 30}" in names else None)

    def test_numbered_names_stay_short(self) -> None:
        names = [f"x{k}" for k in range(784)] + [f"h1.{k}" for k in range(256)] + ["out"]
        assert list(short_names(names)) == [("x", 0, 784), ("h1.", 0, 256), "out"]

    @pytest.mark.parametrize(
        ("entries", "n", "message"),
        [
            (["a", "a"], 2, "'a' is there twice"),
            ([("h", 0, 10), "h9"], 11, "'h9' is there twice"),
            ([("h", 0, 10), ("h", 9, 10)], 20, "'h9' is there twice"),
            ([""], 1, "empty"),
            ([("h*", 0, 10)], 10, "patterns"),
            ([("h", -1, 10)], 10, "negative"),
            ([("h", 0, 10)], 11, "10 names for 11 neurons"),
            ([("h", 0, 10**15)], 1, "names for 1 neurons"),
        ],
    )
    def test_impossible_lists(self, entries: list[Any], n: int, message: str) -> None:
        with pytest.raises(FileError, match=message):
            named(entries, n)

    def test_a_run_that_starts_high(self) -> None:
        assert list(named([("n", 10**12, 10)], 10))[:2] == [f"n{10**12}", f"n{10**12 + 1}"]


def test_every_error_is_one_of_ours(tmp_path: Path) -> None:
    with pytest.raises(NeuronsimError):
        load(tmp_path)


TEXT = """\
{
 "kind": "neuronsim network",
 "format": 1,
 "dtype": "float32",
 "seed": 7,
 "init": "he",
 "draws": 0,
 "inputs": ["i1", "i2"],
 "outputs": ["o1", "h1"],
 "neurons": [
  {"name": "i1"},
  {"name": "i2"},
  {"name": "h1", "activation": "sigmoid", "bias": 0.35, "weights": {"i1": 0.15, "i2": 0.2}, "frozen": ["bias", "slope"], "frozen_weights": ["i1", "i2"]},
  {"name": "δ 'prelu' \\"x\\"", "activation": "prelu", "bias": 0.0, "slope": 0.25, "weights": {"i1": null, "h1": null}},
  {"name": "o1", "activation": "identity", "bias": -0.0, "weights": {"i2": null, "h1": 0.33333334}, "rates": {"bias": 0.1, "slope": 0.1}, "frozen_weights": ["h1"], "weight_rates": {"i2": 0.1, "h1": 0.1}}
 ]
}
"""  # noqa: E501

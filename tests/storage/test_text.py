"""Networks as text: how a file reads, and what a wrong edit is told."""

import json
from pathlib import Path

import pytest
from nets import small_net

import neuronsim as ns
from neuronsim.errors import FileError
from neuronsim.storage import load, save


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
            ('"sigmoid"', '"sigmiod"', "activation 'sigmiod', which is not registered here; did you mean 'sigmoid'"),
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
            ('"rates": {"bias": 0.1', '"rates": {"bias": -1', "rates of biases are not all finite and 0 or more"),
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


@pytest.mark.parametrize("key", ["frozen", "frozen_weights"])
def test_lists_where_names_should_stand(tmp_path, key):
    ns.wiring.layered([2, 1], rng=0).save(tmp_path / "a.json")
    content = json.loads((tmp_path / "a.json").read_text())
    content["neurons"][2][key] = [["bias"]]
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(ns.errors.FileError, match=key):
        ns.load(tmp_path / "a.json")

"""What an experiment file may say: everything else is refused by name."""

from typing import Any

import pytest
from experiments import XOR

from neuronsim import experiment, wiring
from neuronsim.errors import SettingError
from neuronsim.experiment import format


class TestReading:
    def test_every_wiring_can_be_asked_for(self, write: Any) -> None:
        sizes = "sizes = [2, 3, 1]"
        for name, arguments in {
            "layered": sizes,
            "shortcut": sizes,
            "sparse_layered": sizes + "\ndensity = 0.9",
            "small_world": sizes + "\nneighbours = 2",
            "random_dag": "n_inputs = 2\nn_hidden = 5\nn_outputs = 1\nin_degree = 2",
            "from_edges": "n_neurons = 3\nsources = [0, 1]\nsinks = [2, 2]\ninputs = [0, 1]\noutputs = [2]",
        }.items():
            path = write(XOR.replace('"layered"', f'"{name}"').replace(sizes, arguments))
            assert experiment.read(path).build_network().n_inputs == 2
        assert set(wiring.__all__) >= {
            "layered",
            "shortcut",
            "sparse_layered",
            "small_world",
            "random_dag",
            "from_edges",
        }

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("epochs", "epcohs", "unknown key 'training.epcohs'; did you mean 'epochs'"),
            ("epochs = 4", 'epochs = "four"', r"training.epochs is 'four' \(a string\); it must be a whole number"),
            ("epochs = 4", "epochs = 4.5", "it must be a whole number"),
            ("epochs = 4", "epochs = true", "it must be a whole number"),
            ("epochs = 4", "batch_size = 'most'", "a whole number of at least 1 or 'all'"),
            ("epochs = 4", "stop = [3]", "training.stop"),
            ("epochs = 4", "checkpoint = 'x'", "training.checkpoint is not possible"),
            ("learning_rate = 0.5", "learning_rate = '0.5'", "it must be a number of at least 0 or a table"),
            ("[training]", "[trianing]", "unknown key 'trianing'; did you mean 'training'"),
            ("[training]", "[trace]\nwach = ['y*']\n[training]", "unknown key 'trace.wach'; did you mean 'watch'"),
            ("[training]", "[trace]\nevery = 5\n[training]", "trace lacks 'watch'"),
            ("[training]", "[trace]\nwatch = ['y*']\nfields = ['w']\n[training]", "'w' is a field of edges"),
            ("[training]", "[trace]\nwatch = ['y*']\nevery = 0\n[training]", "trace.every is 0"),
            ("seed = 3", "seed = 'x'", "seed is 'x'"),
            ("seed = 3", "seed = -1", "seed is -1 .* of at least 0"),
            ("seed = 3", "sede = 3", "unknown key 'sede'; did you mean 'seed'"),
            ('"layered"', '"layerd"', "unknown network.wiring 'layerd'; did you mean 'layered'"),
            ("sizes", "szies", "unknown key 'network.szies'; did you mean 'sizes'"),
            ("sizes = [2, 3, 1]", "", "network lacks 'sizes'"),
            ("sizes = [2, 3, 1]", "sizes = [2, 'x']", "it must be a list, each item a whole number"),
            ("sizes = [2, 3, 1]", "sizes = 2", "it must be a list"),
            ('wiring = "layered"', "", "network lacks what to build"),
            ('wiring = "layered"', 'file = "net.json"', "unknown key 'network.sizes'"),
            ('activation = "tanh"', "activation = 3", "network.activation is 3"),
            ('activation = "tanh"', "dtype = 32", "network.dtype is 32"),
            ('name = "xor"', 'name = "xro"', "unknown data set 'xro'; did you mean 'xor'"),
            ('name = "xor"', "", "one of name, csv and train .*none is given"),
            ('name = "xor"', 'name = "xor"\ncsv = "d.csv"', "name and csv are given"),
            ('name = "xor"', 'name = "xor"\nnoise = 1', "unknown key 'data.noise'"),
            ('name = "xor"', 'name = "moons"\nnoise = "1"', "data.noise is '1'"),
            ('name = "xor"', 'name = "xor"\nscale = "minimax"', "unknown data.scale 'minimax'; did you mean 'minmax'"),
            ('name = "xor"', 'train = { images = "a" }', "data.train lacks 'labels'"),
            ('name = "xor"', 'train = { images = "a", lables = "b" }', "'data.train.lables'; did you mean 'labels'"),
        ],
    )
    def test_errors_name_the_key(self, write: Any, old: str, new: str, message: str) -> None:
        assert old in XOR
        with pytest.raises(SettingError, match=message):
            experiment.read(write(XOR.replace(old, new)))

    @pytest.mark.parametrize(
        ("table", "message"),
        [
            ({"optimizer": {"name": "adma"}}, "unknown optimizer 'adma'; did you mean 'adam'"),
            ({"optimizer": {"name": "adam", "beta3": 1}}, "unknown key 'training.optimizer.beta3'"),
            ({"stop": {"name": "plateau"}}, "training.stop lacks 'patience'"),
            ({"stop": {"rule": "plateau"}}, "training.stop has rule, but no 'name', which says what stopping rule"),
            ({"learning_rate": {"rate": 1}}, "training.learning_rate has rate, but no 'schedule', which says what"),
            ({"learning_rate": {"schedule": "cosin"}}, "unknown schedule 'cosin'; did you mean 'cosine'"),
        ],
    )
    def test_errors_in_tables_of_objects(self, write: Any, table: dict[str, Any], message: str) -> None:
        plan = experiment.read(write())
        plan.settings["training"] = table
        with pytest.raises(SettingError, match=message):
            plan.fit_arguments()


def test_a_key_that_stands_outside_its_table():
    settings = {"network": {"wiring": "layered", "sizes": [2, 1]}, "data": {"name": "xor"}, "learning_rate": 0.1}
    with pytest.raises(SettingError, match=r"'learning_rate' is a key of \[training\].*training\.learning_rate"):
        format.check(settings)

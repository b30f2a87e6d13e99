"""Every key of an experiment file: this table checks the file; `neuronsim new` and the reference are made from it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from neuronsim import wiring
from neuronsim.data.csvfile import read_csv
from neuronsim.data.distortion import INTERVALS, Distortion
from neuronsim.data.sets import DATA_SETS
from neuronsim.experiment.preparation import SCALES, TARGET_SCALES
from neuronsim.experiment.settings import Key, keys_of
from neuronsim.formulas.activations import ACTIVATIONS
from neuronsim.formulas.losses import LOSSES
from neuronsim.formulas.optimizers import OPTIMIZERS
from neuronsim.formulas.schedules import SCHEDULES
from neuronsim.graph.initialisers import AUTO, INITIALISERS
from neuronsim.tracing.monitor import Monitor
from neuronsim.training.requests import EDGE_FIELDS, NEURON_FIELDS
from neuronsim.training.settings import FitSettings
from neuronsim.training.stop import STOPS

# The rows of an experiment are samples; networks with memory take sequences.
_WITH_MEMORY = ("recurrent", "elman", "jordan", "reservoir")
WIRINGS: dict[str, Callable[..., Any]] = {
    name: getattr(wiring, name) for name in wiring.__all__ if name not in _WITH_MEMORY
}


@dataclass(frozen=True)
class Objects:
    """What a table inside ``[training]`` becomes: an object with settings, chosen by its name.

    Attributes
    ----------
    key, kind : str
        The key of ``[training]``, and what the objects are, for messages.
    chooser : str
        The key in which the name stands.
    classes : mapping of str to class
        The objects by name.
    entries : tuple of Key
        What is said of their settings.
    """

    key: str
    kind: str
    chooser: str
    classes: Mapping[str, type[Any]]
    entries: tuple[Key, ...]

    def keys(self, name: str) -> tuple[Key, ...]:
        """The keys of the table whose object has this name."""
        chosen = Key(self.chooser, f"which {self.kind}", str, allowed=self.classes, required=True)
        return (chosen, *keys_of(self.classes[name], self.entries))


_SEED = Key("rng", "a seed of its own", int, without="that of the file", interval="[0, inf)", example=1)
_DIRECTORY = Key(
    "directory", "the folder of the files", str, without="the folder of the experiment file", example="data"
)
_HELD_OUT = "the part of the samples that is kept for the test"

TOP = (
    Key(
        "seed",
        "of all that is random: wiring, weights, the order of samples, noise, divisions",
        int,
        without="one is drawn, and kept in the run directory",
        interval="[0, inf)",
        example=0,
    ),
    Key("network", "what is trained", dict, required=True),
    Key("data", "what it is trained on", dict, required=True),
    Key("training", "the arguments of fit", dict, without="their defaults"),
    Key("trace", "what to record on the way", dict, without="nothing"),
    Key("sweep", "settings in many values, for `neuronsim sweep`; one run passes it over", dict, without="one run"),
    Key("versions", "what a run was made with; runs write it, nobody reads it", dict, without="fine"),
)

NETWORK_FILE = (Key("file", "a network that was saved, .safetensors or .json", str, required=True, example="net.json"),)

_ARGUMENTS = (
    Key("sizes", "neurons in each layer, the inputs first"),
    Key("n_inputs", "the columns of X", interval="[1, inf)"),
    Key("n_hidden", "neurons between", interval="[0, inf)"),
    Key("n_outputs", "the columns of Y", interval="[1, inf)"),
    Key("in_degree", "how many of those before it a neuron listens to", interval="[1, inf)"),
    Key("density", "the part of the layer before that a neuron listens to", interval="(0, 1]"),
    Key("neighbours", "how many of those opposite a neuron listens to", interval="[1, inf)"),
    Key("rewire", "the probability that an edge leads from anywhere before instead", interval="[0, 1]"),
    Key("n_neurons", "all of them, inputs included", interval="[1, inf)"),
    Key("sources", "the id at the start of each edge, from 0", list[int]),
    Key("sinks", "the id at the end of each edge, in step with sources", list[int]),
    Key("inputs", "ids of the inputs, as the columns of X", list[int]),
    Key("outputs", "ids of the outputs, as the columns of Y", list[int]),
    Key("weights", "of the edges, in step with sources", float | list[float], without="drawn", example=0.1),
    Key("biases", "one for all, or one for each neuron", float | list[float]),
    Key("activation", "of the neurons; softmax of outputs only", allowed=ACTIVATIONS),
    Key("output", "the activation of the outputs", without="the same", allowed=ACTIVATIONS, example="softmax"),
    Key("dtype", "of parameters and signals", str, allowed=("float64", "float32")),
    Key("init", "how weights are drawn (auto: as suits each activation)", allowed=(AUTO, *INITIALISERS)),
    _SEED,
)


def wiring_keys(name: str) -> tuple[Key, ...]:
    """The keys of a ``[network]`` that is wired by the function of this name."""
    chosen = Key("wiring", "a function of ns.wiring", str, allowed=WIRINGS, required=True)
    return (chosen, *keys_of(WIRINGS[name], _ARGUMENTS))


SCALING = (
    Key(
        "scale",
        "how X is scaled, by the statistics of the training data (images: divided by 255)",
        str,
        "none",
        allowed=SCALES,
    ),
    Key("scale_targets", "how T is scaled, where it holds numbers and not classes", str, "none", allowed=TARGET_SCALES),
    Key(
        "distort",
        "distorted copies of the images to train on, which are square: a table of copies, shift (pixels), rotate "
        "(degrees), elastic and smooth (pixels)",
        dict,
        without="none",
        example={"copies": 4, "shift": 1.0, "rotate": 10.0, "elastic": 20.0, "smooth": 4.0},
    ),
)
DISTORT = keys_of(
    Distortion,
    (
        Key("copies", "of each image, beside the image itself", interval="[1, inf)"),
        Key("shift", "pixels in either direction, at most", interval=INTERVALS["shift"]),
        Key("rotate", "degrees in either direction, at most", interval=INTERVALS["rotate"]),
        Key(
            "elastic",
            "how many times a smooth field of displacements from −1 to 1 is taken",
            interval=INTERVALS["elastic"],
        ),
        Key("smooth", "pixels: the deviation of the Gaussian that smooths it", interval=INTERVALS["smooth"]),
    ),
)
_SET_ARGUMENTS = (
    Key("n", "how many samples are generated", interval="[4, inf)"),
    Key("noise", "standard deviation of what is added to each coordinate", interval="[0, inf)"),
    Key("turns", "how often each spiral winds around the centre", interval="[0, inf)"),
    _SEED,
)


def set_keys(name: str) -> tuple[Key, ...]:
    """The keys of a ``[data]`` that names a data set."""
    chosen = Key("name", "a data set of ns.data.load", str, allowed=DATA_SETS, example="moons", required=True)
    test = Key("test", _HELD_OUT, float, without="no test", interval="(0, 1)", example=0.25)
    return (chosen, *keys_of(DATA_SETS[name], _SET_ARGUMENTS), test, *SCALING)


CSV = (
    Key("csv", "a table of numbers", str, required=True, example="data.csv"),
    _DIRECTORY,
    *keys_of(
        read_csv,
        (
            Key(
                "targets",
                "the columns to be predicted, by name or position",
                str | int | list[str | int],
                without="none",
                example=-1,
            ),
            Key(
                "features",
                "the columns that become X, by name or position; the rest of the file is not looked at",
                str | int | list[str | int],
                without="all but the targets",
                example=[0, 1],
            ),
            Key(
                "header", "whether the first line holds names", bool, without="if none of it is a number", example=True
            ),
            Key("delimiter", "the character between cells"),
            Key("classes", "whether the target column holds classes: numbers 0, 1, … or names"),
        ),
    ),
    Key(
        "test",
        f"{_HELD_OUT}, or a file that holds them",
        str | float,
        without="no test",
        interval="(0, 1)",
        example=0.25,
    ),
    *SCALING,
)

IDX_FILES = (
    Key("images", "a file of images, gzipped or not", str, required=True),
    Key("labels", "a file of their class numbers", str, required=True),
)
_EXAMPLE = {"images": "train-images-idx3-ubyte.gz", "labels": "train-labels-idx1-ubyte.gz"}
_TEST_EXAMPLE = {"images": "t10k-images-idx3-ubyte.gz", "labels": "t10k-labels-idx1-ubyte.gz"}

IDX = (
    Key("train", "IDX files, such as MNIST's: images and labels", dict, required=True, example=_EXAMPLE),
    _DIRECTORY,
    Key(
        "test",
        f"{_HELD_OUT}, or files that hold them",
        dict | float,
        without="no test",
        interval="(0, 1)",
        example=_TEST_EXAMPLE,
    ),
    *SCALING,
)

# The arguments of fit that a file can give.
TRAINING = keys_of(
    FitSettings,
    (
        Key(
            "loss",
            "what is made small",
            str,
            without="cross_entropy where the outputs are softmax, else half_squared_error",
            allowed=LOSSES,
            example="cross_entropy",
        ),
        Key("reduction", "over the samples of a batch", str, allowed=("mean", "sum")),
        Key("optimizer", "the rule of an update, or a table with its settings", str | dict, allowed=OPTIMIZERS),
        Key("learning_rate", "the step size μ, or a table: a schedule", float | dict, interval="[0, inf)"),
        Key(
            "momentum",
            "β, of momentum and nesterov",
            float,
            without="0.9 for these two",
            interval="[0, 1)",
            example=0.9,
        ),
        Key(
            "batch_size",
            'samples of one step: 1 is online, "all" is all of them',
            int | Literal["all"],
            interval="[1, inf)",
        ),
        Key("epochs", "how often all samples are gone through", int, interval="[1, inf)"),
        Key("shuffle", "whether each epoch has an order of its own", bool),
        _SEED,
        Key("weight_decay", "how much weights, not biases, are drawn towards 0", float, interval="[0, inf)"),
        Key(
            "clip_norm",
            "the norm of the whole gradient, at most",
            float,
            without="no limit",
            interval="(0, inf)",
            example=1.0,
        ),
        Key(
            "clip_value",
            "each element of the gradient, at most",
            float,
            without="no limit",
            interval="(0, inf)",
            example=1.0,
        ),
        Key(
            "validation",
            "what is looked at after each epoch: a part of the training data that is held out (true: the test data; "
            "false: nothing)",
            bool | float,
            without="the test data, if there are any",
            interval="(0, 1)",
            example=0.2,
        ),
        Key("evaluate", "whether the history gets data_loss, over all samples after each epoch", bool),
        Key(
            "average",
            "of so many last epochs the network gets the mean of the parameters after each",
            int,
            without="those after the last epoch",
            interval="[1, inf)",
            example=5,
        ),
        Key(
            "stop",
            "a table, or a list of them: rules that may end the run before its last epoch",
            dict | list[dict[str, Any]],
            without="none does",
            example={"name": "plateau", "patience": 10},
        ),
        Key(
            "threads",
            "how many compute at a time; the results do not depend on it",
            int,
            without="as many as the work is worth",
            interval="[1, inf)",
            example=1,
        ),
    ),
)

OBJECTS = {
    objects.key: objects
    for objects in (
        Objects(
            "optimizer",
            "optimizer",
            "name",
            OPTIMIZERS,
            (
                Key("momentum", "β, how much of the last change stays"),
                Key("alpha", "α, how much of the running mean stays"),
                Key("beta1", "β₁, of the running mean of g"),
                Key("beta2", "β₂, of the running mean of g²"),
                Key("eps", "ε, keeps the divisor from 0"),
                Key("weight_decay", "decoupled: weights shrink by 1 - μ · weight_decay"),
                Key("eta_minus", "η⁻, shrinks a step size when the sign changes"),
                Key("eta_plus", "η⁺, grows it while the sign stays"),
                Key("step_min", "the least step size"),
                Key("step_max", "the largest"),
            ),
        ),
        Objects(
            "learning_rate",
            "schedule",
            "schedule",
            SCHEDULES,
            (
                Key("rate", "the rate at the start", example=0.1),
                Key("every", "counts from one lowering to the next", example=10),
                Key("factor", "what the rate is multiplied with then"),
                Key("gamma", "what the rate is multiplied with at each count", example=0.95),
                Key("decay", "how fast it falls", example=0.01),
                Key("total", "counts until the final rate", example=100),
                Key("final", "the rate at the end"),
                Key("steps", "counts of the warm-up", example=100),
                Key("then", "a rate, or the table of another schedule", float | dict, example=0.1),
                Key("per", "what is counted", allowed=("epoch", "step")),
            ),
        ),
        Objects(
            "stop",
            "stopping rule",
            "name",
            STOPS,
            (
                Key("tolerance", "what the norm has to fall to, or below", example=1e-4),
                Key("patience", "epochs without a new best", example=10),
                Key("min_delta", "by how much a new best must be better"),
                Key("restore_best", "whether the network gets back the parameters after the best epoch"),
                Key("value", "what the monitored value has to reach", example=0.01),
                Key("monitor", "a column of the history"),
                Key("limit", "seconds", example=60.0),
            ),
        ),
    )
}

# The arguments of Monitor that a file can give.
TRACE = (
    Key(
        "watch",
        "neurons by name or glob, or edges as pairs [source, sink]",
        str | list[str | list[str]],
        required=True,
        example=["y*"],
    ),
    *keys_of(
        Monitor,
        (
            Key(
                "fields",
                "of neurons z, y, delta, b, db; of edges w, gradient, dw",
                str | list[str],
                without="z, y and delta; all three of edges",
                allowed=dict.fromkeys((*NEURON_FIELDS, *EDGE_FIELDS)),
                example=["y", "delta"],
            ),
            Key("every", "steps from one record to the next", interval="[1, inf)"),
            Key(
                "steps",
                'the steps to record instead; "log" is 0, 1, 2, 5, 10, 20, …',
                list[int] | Literal["log"],
                without="as every says",
                example="log",
            ),
            Key("samples", "rows of X whose own values are kept", list[int], without="means of batches", example=[0]),
            Key("keep_last", "so many records, the last ones", int, without="all", interval="[1, inf)", example=1000),
            Key("max_bytes", "a longer trace is refused", interval="(0, inf]"),
        ),
    ),
)

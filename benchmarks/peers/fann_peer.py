"""FANN through its C library (Debian: libfann2), float32, one thread: incremental training, which is online SGD."""

import ctypes
from ctypes import POINTER, c_float, c_int, c_uint, c_void_p
from ctypes.util import find_library
from typing import Any

import numpy as np

import neuronsim as ns
from benchmarks.problems import Array, Problem, flattened

# fann_data.h and fann_activation.h
_INCREMENTAL, _LINEAR_ERROR = 0, 0
_ACTIVATIONS = {"identity": (0, 1.0), "sigmoid": (3, 0.5)}  # number, and the steepness at which it is the usual one


class _Connection(ctypes.Structure):
    _fields_ = [("source", c_uint), ("sink", c_uint), ("weight", c_float)]


class _Data(ctypes.Structure):
    _fields_ = [
        ("errno_f", c_int),
        ("error_log", c_void_p),
        ("errstr", c_void_p),
        ("num_data", c_uint),
        ("num_input", c_uint),
        ("num_output", c_uint),
        ("input", POINTER(POINTER(c_float))),
        ("output", POINTER(POINTER(c_float))),
    ]


def _load() -> Any:
    name = find_library("floatfann")
    if name is None:
        raise ImportError("libfloatfann was not found (Debian: apt-get install libfann2)")
    library = ctypes.CDLL(name)
    signatures = {
        "fann_create_standard_array": (c_void_p, [c_uint, c_void_p]),
        "fann_create_sparse_array": (c_void_p, [c_float, c_uint, c_void_p]),
        "fann_create_train": (POINTER(_Data), [c_uint, c_uint, c_uint]),
        "fann_train_epoch": (c_float, [c_void_p, c_void_p]),
        "fann_get_total_connections": (c_uint, [c_void_p]),
        "fann_get_connection_array": (None, [c_void_p, c_void_p]),
        "fann_set_weight_array": (None, [c_void_p, c_void_p, c_uint]),
        "fann_destroy": (None, [c_void_p]),
        "fann_destroy_train": (None, [c_void_p]),
        "fann_set_learning_rate": (None, [c_void_p, c_float]),
        "fann_set_learning_momentum": (None, [c_void_p, c_float]),
    }
    for what in ("training_algorithm", "train_error_function", "activation_function_hidden"):
        signatures[f"fann_set_{what}"] = (None, [c_void_p, c_int])
    signatures["fann_set_activation_function_output"] = (None, [c_void_p, c_int])
    for layer in ("hidden", "output"):
        signatures[f"fann_set_activation_steepness_{layer}"] = (None, [c_void_p, c_float])
    for function, (result, arguments) in signatures.items():
        getattr(library, function).restype, getattr(library, function).argtypes = result, arguments
    return library


_FANN = _load()
VERSION = "2.2"


class _Trained:
    """A net of FANN's with the problem's data."""

    ann: int | None = None
    data: Any = None

    def __init__(self, problem: Problem, ann: int) -> None:
        self.problem, self.ann = problem, ann
        _FANN.fann_set_training_algorithm(ann, _INCREMENTAL)
        _FANN.fann_set_train_error_function(ann, _LINEAR_ERROR)
        _FANN.fann_set_learning_rate(ann, problem.rate)
        _FANN.fann_set_learning_momentum(ann, problem.momentum or 0.0)
        for layer, activation in (("hidden", problem.hidden), ("output", problem.output)):
            number, steepness = _ACTIVATIONS[activation]
            getattr(_FANN, f"fann_set_activation_function_{layer}")(ann, number)
            getattr(_FANN, f"fann_set_activation_steepness_{layer}")(ann, steepness)
        X, T = (np.ascontiguousarray(a, np.float32) for a in (problem.X, problem.T))
        self.data = _FANN.fann_create_train(len(X), X.shape[1], T.shape[1])
        for rows, values in ((self.data.contents.input, X), (self.data.contents.output, T)):
            for i, row in enumerate(values):
                ctypes.memmove(rows[i], row.ctypes.data, row.nbytes)

    def train(self, epochs: int, shuffle: bool = False) -> None:
        """In the order of the data: FANN shuffles by moving the data itself."""
        if shuffle:
            raise ValueError("FANN takes the samples in order")
        for _ in range(epochs):
            _FANN.fann_train_epoch(self.ann, self.data)

    def connections(self) -> Any:
        """FANN's own, bias neurons included."""
        found = (_Connection * _FANN.fann_get_total_connections(self.ann))()
        _FANN.fann_get_connection_array(self.ann, found)
        return found

    def __del__(self) -> None:
        if self.data:
            _FANN.fann_destroy_train(self.data)
        if self.ann:
            _FANN.fann_destroy(self.ann)


class Layered(_Trained):
    """Fully connected layers; each neuron's bias is its last weight."""

    def __init__(self, problem: Problem) -> None:
        if problem.batch != 1 or problem.classes:
            raise ValueError("FANN trains online, with squared errors")
        super().__init__(problem, _FANN.fann_create_standard_array(len(problem.sizes), _sizes(problem.sizes)))
        if problem.net.n_edges > 10_000:
            return  # FANN sets a weight by looking through all of them; its own random start costs the same
        values = np.concatenate([np.c_[w, b].ravel() for w, b in problem.layers()])
        connections = self.connections()
        for connection, value in zip(connections, values, strict=True):
            connection.weight = value
        _FANN.fann_set_weight_array(self.ann, connections, len(connections))

    def parameters(self) -> Array:
        """Copied back."""
        values = np.array([connection.weight for connection in self.connections()], np.float32)
        layers, at = [], 0
        for n_in, n_out in zip(self.problem.sizes, self.problem.sizes[1:], strict=False):
            rows = values[at : at + (n_in + 1) * n_out].reshape(n_out, n_in + 1)
            layers.append((rows[:, :-1], rows[:, -1]))
            at += rows.size
        return flattened(layers)


class SparseLayered(_Trained):
    """FANN's sparse layers, wired by FANN: its sparse update is wrong; what it costs is what is measured."""


def sparse_net(sizes: list[int], rate: float) -> tuple[int, ns.Network]:
    """A sparse net of FANN's, and the same wiring (biases apart) as a net of ours."""
    ann = _FANN.fann_create_sparse_array(rate, len(sizes), _sizes(sizes))
    found = (_Connection * _FANN.fann_get_total_connections(ann))()
    _FANN.fann_get_connection_array(ann, found)
    pairs = np.array([(c.source, c.sink) for c in found], np.int64)
    # each of FANN's layers ends with a bias neuron
    starts = np.concatenate([[0], np.cumsum(np.array(sizes) + 1)])
    own = np.full(starts[-1], -1)
    for start, first, size in zip(starts, np.concatenate([[0], np.cumsum(sizes)]), sizes, strict=False):
        own[start : start + size] = np.arange(first, first + size)
    sources, sinks = own[pairs[:, 0]], own[pairs[:, 1]]
    kept = (sources >= 0) & (sinks >= 0)
    n = sum(sizes)
    net = ns.wiring.from_edges(
        n,
        sources[kept],
        sinks[kept],
        inputs=np.arange(sizes[0]),
        outputs=np.arange(n - sizes[-1], n),
        activation="sigmoid",
        dtype="float32",
        rng=0,
    )
    return ann, net


def _sizes(sizes: Any) -> Any:
    return (c_uint * len(sizes))(*sizes)

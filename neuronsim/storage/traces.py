"""What a monitor recorded, as ``.safetensors``."""

import json
import os

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file

from neuronsim.basics.atomic import replacing
from neuronsim.tracing.monitor import Monitor

FORMAT = 1
_KEY = "neuronsim trace"


def save_trace(watch: Monitor, path: str | os.PathLike[str]) -> None:
    """Write what a monitor recorded; any reader of safetensors reads it.

    The arrays are ``step`` and ``sample``, shape (n_records,), and each field by its name, shape (n_records, n), with
    chosen samples ``present``, shape (n_records, n_chosen), and z, y, delta and gradient (n_records, n, n_chosen). The
    metadata, under "neuronsim trace", are JSON: the names of the n neurons, or pairs of names, and the chosen rows.
    """
    things = watch.edges or watch.neurons
    arrays = {"step": watch.step, "sample": watch.sample}
    for field in watch.fields:
        arrays[field] = np.stack([getattr(watch[thing], field) for thing in things], axis=1)
    if watch.samples is not None:
        arrays["present"] = watch.present.astype(np.uint8)
    facts = {
        "format": FORMAT,
        "edges" if watch.edges else "neurons": things,
        "samples": None if watch.samples is None else watch.samples.tolist(),
    }
    with replacing(path) as beside:
        try:
            arrays = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
            save_file(arrays, beside, {_KEY: json.dumps(facts, ensure_ascii=False)})
        except SafetensorError as problem:
            raise OSError(None, str(problem)) from problem

"""One network in several threads, in forked processes, and on as many threads as it may use."""

import copy
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import neuronsim as ns
from neuronsim.engine.turns import Turns
from neuronsim.errors import BusyError

RNG = np.random.default_rng(0)


def test_threads_that_read_get_what_each_would_alone():
    net = ns.wiring.layered([20, 60, 40, 5], activation="tanh", output="softmax", rng=0)
    Xs = [RNG.normal(size=(RNG.integers(1, 90), 20)) for _ in range(60)]
    Ts = [RNG.integers(0, 5, len(X)) for X in Xs]
    Y = [net.forward(X) for X in Xs]
    G = [net.gradients(X, T) for X, T in zip(Xs, Ts, strict=True)]
    with ThreadPoolExecutor(4) as pool:
        for ours, alone in zip(pool.map(net.forward, Xs), Y, strict=True):
            assert ours.tobytes() == alone.tobytes()
        for ours, alone in zip(pool.map(net.gradients, Xs, Ts), G, strict=True):
            assert ours.weights.tobytes() == alone.weights.tobytes()
            assert ours.delta.tobytes() == alone.delta.tobytes()


def test_reading_and_training_at_once_is_refused():
    net = ns.wiring.layered([2, 3, 1], rng=0)
    X, T = RNG.normal(size=(8, 2)), RNG.normal(size=(8, 1))
    inside, go_on = threading.Event(), threading.Event()

    class Waiting(ns.stop.TargetLoss):
        def reason(self, epoch):
            inside.set()
            go_on.wait(60)
            assert net.evaluate(X, T).loss >= 0  # the thread that trains may look

    with ThreadPoolExecutor(1) as pool:
        training = pool.submit(net.fit, X, T, epochs=1, stop=Waiting(0.0))
        assert inside.wait(60)
        before = net.weights.tobytes()
        for call in (net.forward, net.jacobian):
            with pytest.raises(BusyError, match=r"another thread trains this network.*copy"):
                call(X)
        for call in (net.gradients, net.evaluate, net.fit):
            with pytest.raises(BusyError, match="another thread trains"):
                call(X, T)
        with pytest.raises(BusyError, match="another thread trains"):
            net.step(X[0], T[0])
        assert net.weights.tobytes() == before
        go_on.set()
        assert training.result(60).status == "finished"
    net.forward(X)


def test_training_waits_for_nobody():
    turns = Turns()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(turns.begin_reading).result()
        with pytest.raises(BusyError, match="another thread reads"), turns.training:
            pass
        pool.submit(turns.end_reading).result()
    with turns.training, turns.training, turns.reading:
        pass
    with turns.reading:
        pass


def test_copies_have_turns_of_their_own():
    net = ns.wiring.layered([2, 3, 1], rng=0)
    with net.runtime.turns.training:
        for other in (copy.copy(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
            with ThreadPoolExecutor(1) as pool:
                pool.submit(other.forward, [[1.0, 2.0]]).result(60)


def test_a_copy_shares_nothing():
    net = ns.wiring.layered([2, 3, 1], rng=0)
    other = copy.copy(net)
    other.weights[:] = 7.0
    assert not (net.weights == 7.0).any()


def run(script: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, timeout=300, encoding="utf-8", check=False,
        env=os.environ | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


COMMON = """
import os, sys
import numpy as np
import neuronsim as ns
net = ns.wiring.layered([64, 256, 128, 10], activation="relu", output="softmax", dtype="float32", rng=0)
rng = np.random.default_rng(0)
X, T = rng.random((4000, 64), np.float32), rng.integers(0, 10, 4000)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
def test_one_thread_is_one_thread_everywhere():
    script = (
        COMMON
        + """
net.copy().fit(X[:640], T[:640], batch_size=64, threads=1, snapshots=False)  # loading kernels makes threads of its own
before = len(os.listdir("/proc/self/task"))
run = net.fit(X, T, batch_size=64, threads=1, evaluate=True, validation=(X, T), stop=ns.stop.GradientNorm(0.0))
run.at(20).check
print(len(os.listdir("/proc/self/task")) - before)
"""
    )
    assert run(script, NUMBA_NUM_THREADS="2") == "0"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_computes_the_same():
    script = (
        COMMON
        + """
def train():
    n = net.copy()
    n.fit(X, T, batch_size=64, threads=2, validation=(X, T), rng=0)
    return n.weights.tobytes() + n.forward(X).tobytes()
here = train()
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    os.write(writing, b"same" if train() == here else b"other")
    os._exit(0)
os.close(writing)
print(os.read(reading, 10).decode())
os.waitpid(child, 0)
"""
    )
    assert run(script, NUMBA_NUM_THREADS="2", PYTHONWARNINGS="ignore") == "same"

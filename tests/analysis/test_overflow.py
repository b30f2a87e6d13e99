"""Where signals leave the finite numbers, as diagnose names it."""

import numpy as np
from nets import blobs, chain_of, diverging

import neuronsim as ns


class TestOverflow:
    def test_the_first_product_with_its_operands_and_chain(self):
        net = chain_of([1e155, 3e154, 1.0])
        net.freeze("*")
        run = diverging(net, [[1e-200], [1.0]], [[0.0], [0.0]], shuffle=False)
        found = run.diagnose()[0]
        assert (found.kind, found.severity, found.step, found.neurons) == ("overflow", "error", 1, ("h1",))
        assert found.sentence == (
            "the first value that is not finite is z of neuron 'h1' at step 1 (epoch 0), sample 1: "
            "w[h0→h1] = 3e+154 · y[h0] = 1e+155 → inf."
        )
        assert found.details[0].endswith("x: y = 1 · w = 1e+155 → h0: y = 1e+155 · w = 3e+154 → h1")
        assert "smaller learning_rate" in found.advice

    def test_a_sum_that_is_no_number(self):
        net = ns.Network("float32")
        net.add_inputs("x")
        net.add_neuron("a", {"x": 3e38}, activation="identity")
        net.add_neuron("b", {"a": 1.0, "x": 3e38}, activation="identity")
        net.set_outputs("b")
        run = diverging(net, [[1.0]], [[0.0]])
        assert "3.00000001e+38 + w[a→b]·y[a] = 3.00000001e+38 → inf" in run.diagnose()[0].sentence

    def test_an_activation_that_overflows(self):
        cube = ns.activations.register("diagnose_test_cube", lambda z: z * z * z, lambda z: 3.0 * z * z)
        net = chain_of([1e110], cube.name)
        run = diverging(net, [[1.0]], [[0.0]])
        assert "y of neuron 'h0' at step 0" in run.diagnose()[0].sentence
        assert "diagnose_test_cube(z = 1e+110) → inf" in run.diagnose()[0].sentence

    def test_the_loss_alone(self):
        run = diverging(chain_of([1e160]), [[1.0]], [[0.0]])
        found = run.diagnose()[0]
        assert "is the loss at step 0 (epoch 0), sample 0: y[h0] = 1e+160 → loss = inf." in found.sentence

    def test_delta_on_the_way_back(self):
        net = ns.Network()
        net.add_inputs("x")
        net.add_neuron("a", {"x": 1e-160}, activation="identity")
        net.add_neuron("b", {"a": 1e160}, activation="identity")
        net.add_neuron("c", {"b": 1e150}, activation="identity")
        net.set_outputs("c")
        run = diverging(net, [[1.0]], [[0.0]])
        found = run.diagnose()[0]
        assert "δ of neuron 'a'" in found.sentence
        assert "w[a→b] = 1e+160 · δ[b] = 1e+300 → inf" in found.sentence

    def test_delta_of_the_loss_itself(self):
        run = diverging(chain_of([1e-320]), [[1.0]], [[1.0]], loss="binary_cross_entropy")
        found = run.diagnose()[0]
        assert "δ of neuron 'h0'" in found.sentence
        assert "the loss's own part of δ, at y[h0] = 9.99988867e−321 → δ[h0] = −inf" in found.sentence

    def test_the_update(self):
        run = diverging(chain_of([1.0]), [[1e100]], [[0.0]], learning_rate=1e120)
        found = run.diagnose()[0]
        assert found.neurons == ("h0",)
        assert (
            "the update of neuron 'h0' at step 0 (epoch 0), sample 0: δ[h0] = 1e+100 · y[x] = 1e+100" in found.sentence
        )
        assert "w[x→h0] = 1 → −inf" in found.sentence

    def test_a_rate_too_large_in_time(self):
        X, T = blobs()
        net = ns.wiring.layered([4, 6, 2], activation="identity", output="identity", rng=0)
        run = diverging(net, X, np.stack([T, T], axis=1).astype(float), learning_rate=1.0, epochs=50)
        found = run.diagnose()[0]
        assert found.step == run.n_steps
        assert found.details[-1].startswith("the largest |w|: ")
        assert "before step 0" in found.details[-1]

    def test_infinity_in_a_run_that_went_on(self):
        net = chain_of([1e155, 1e155], "identity")
        net.add_neuron("o", {"h1": 1e-3}, activation="sigmoid")
        net.set_outputs("o")
        net.freeze("*")
        run = net.fit([[1.0]], [[1.0]], learning_rate=0.0, rng=0)
        found = run.diagnose()[0]
        assert found.kind == "overflow"
        assert found.step is None
        assert "w[h0→h1] = 1e+155 · y[h0] = 1e+155 → inf" in found.sentence

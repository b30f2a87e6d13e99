"""Grading: programs of students, right and mistaken, in every form that they take."""

import json

import numpy as np
import pytest
from students import Student, sigmoid, sigmoid_step

import neuronsim as ns
from neuronsim.errors import CheckError, SettingError

right = Student()


def wrong_parts(found):
    return [part.name for part in found.parts if not part.ok]


MISTAKES = {
    "derivative missing (hidden)": (Student(slope=False), ["hidden delta"]),
    "weights missing in the hidden deltas": (Student(carried=False), ["hidden delta"]),
    "averaging: summed instead of averaged": (Student(average=False), ["averaging"]),
    "twice the gradient (the loss's ½ left out)": (Student(factor=2.0), ["output delta"]),
    "wrong sign": (Student(factor=-1.0), ["output delta"]),
    "gradients off by factor 7": (Student(factor=7.0), ["output delta"]),
    "bias not trained": (Student(biases=0.0), ["biases"]),
    "forward: the biases are left out": (Student(bias_used=0.0), ["forward"]),
    "forward: the biases are subtracted": (Student(bias_used=-1.0), ["forward"]),
    "delta times z instead of y of the source": (Student(signal="z"), ["weights"]),
    "weights: rows and columns of the matrices are exchanged": (Student(transposed=True), ["weights"]),
    "derivative missing at the output": (Student(output_slope=False), ["output delta"]),
}


class TestMistakes:
    def test_a_right_program_gets_all_points(self):
        found = ns.grade(right.gradients)
        assert found.ok
        assert (found.points, found.out_of, found.score) == (6.0, 6.0, 1.0)
        assert found.mistakes == found.problems == ()
        found.assert_ok()

    @pytest.mark.parametrize("rule", MISTAKES)
    def test_each_costs_its_own_part_and_breaks_a_line(self, rule):
        student, parts = MISTAKES[rule]
        found = ns.grade(student.gradients)
        assert [m.rule for m in found.mistakes] == [rule]
        assert found.mistakes[0].line.startswith("L")
        assert wrong_parts(found) == parts
        assert found.points == found.out_of - len(parts)
        assert not found.ok

    def test_two_at_once(self):
        found = ns.grade(Student(slope=False, average=False).gradients)
        assert wrong_parts(found) == ["hidden delta", "averaging"]
        assert [m.rule for m in found.mistakes] == [
            "averaging: summed instead of averaged",
            "derivative missing (hidden)",
        ]

    def test_updated_weights_of_a_step(self):
        found = ns.grade(sigmoid_step)
        assert wrong_parts(found) == ["hidden delta"]
        assert found.mistakes[0].rule == "hidden deltas from updated weights"
        assert "with the old weights" in found.mistakes[0].line

    def test_averaged_where_the_sum_is_meant(self):
        found = ns.grade(right.gradients, reduction="sum")
        assert found.mistakes[0].rule == "averaging: averaged instead of summed"
        assert ns.grade(Student(average=False).gradients, reduction="sum").ok

    def test_wrong_with_one_activation_is_said(self):
        found = ns.grade(Student(tanh_slope=lambda y: 1 - y).with_activation)
        assert found["output delta"].note == "with tanh"
        assert found["output delta"].points == pytest.approx(2 / 3)
        assert found.mistakes
        assert ns.grade(Student().with_activation).ok

    def test_numbers_that_differ_are_shown(self):
        first = ns.grade(Student(slope=False).gradients)["hidden delta"].difference
        assert first.name == "δ[h1.0]"
        assert first.where == "the 2-3-1 network of sigmoid, sample 0"
        assert first.found != first.right
        assert "W1[0, 0]" in ns.grade(Student(signal="z", first=True).gradients)["weights"].difference.name

    def test_nan(self):
        found = ns.grade(Student(factor=np.nan).gradients)
        assert found.points == 0.0
        assert found["weights"].note == "numbers are not finite"
        assert np.isfinite([part.difference.right for part in found.parts if part.difference]).all()

    def test_a_call_without_an_answer_costs_its_share(self):
        def two_layers(weights, biases, X, T):
            (_, _), (_, _) = weights[:2], biases[:2]
            if len(weights) > 2:
                raise ValueError("too deep")
            return outputs(weights, biases, X), *right.gradients(weights, biases, X, T)

        found = ns.grade(two_layers)
        assert (found["weights"].right, found["weights"].n) == (6, 9)
        assert (found["averaging"].right, found["averaging"].n) == (2, 3)
        assert (found["forward"].right, found["forward"].n) == (8, 12)
        assert "no answer in 3 of 9 calls, else right" in str(found)
        assert found.points == pytest.approx(4.0)
        assert found.mistakes == ()

    def test_a_table_without_an_answer_costs_where_outputs_are_shown(self):
        def samples_alone(weights, biases, X, T):
            if len(X) > 1:
                raise ValueError("one at a time")
            return outputs(weights, biases, X), *right.gradients(weights, biases, X, T)

        found = ns.grade(samples_alone)
        assert (found["weights"].right, found["weights"].n) == (9, 9)
        assert (found["averaging"].right, found["averaging"].n) == (0, 3)
        assert (found.points, found.out_of) == (5.0, 6.0)
        assert (found["forward"].right, found["forward"].n) == (9, 9)

    def test_float32_and_numbers_nearly_right(self):
        assert ns.grade(Student(dtype=np.float32).gradients).ok
        assert not ns.grade(Student(factor=1.0001).gradients).ok


def one_sample(W1, b1, W2, b2, x, t):
    h = sigmoid(W1 @ x + b1)
    y = sigmoid(W2 @ h + b2)
    d2 = (y - t) * y * (1 - y)
    d1 = W2.T @ d2 * h * (1 - h)
    return y, 0.5 * np.sum((y - t) ** 2), np.outer(d1, x), d1, np.outer(d2, h), d2


def dictionaries(params, X, Y, lr):
    n = len(params) // 2
    dW, db = right.gradients([params[f"W{k + 1}"] for k in range(n)], [params[f"b{k + 1}"] for k in range(n)], X, Y)
    new = {}
    for k in range(n):
        new |= {f"W{k + 1}": params[f"W{k + 1}"] - lr * dW[k], f"b{k + 1}": params[f"b{k + 1}"] - lr * db[k]}
    return new


def in_place(weights, biases, X, T, eta):
    changes = [d for each in right.gradients(weights, biases, X, T) for d in each]
    for array, d in zip([*weights, *biases], changes, strict=True):
        array -= eta * d


def softmax_net(params, X, y):
    h = np.maximum(0, X @ params["W1"] + params["b1"])
    p = np.exp(h @ params["W2"] + params["b2"])
    p /= p.sum(axis=1, keepdims=True)
    d = (p - y) / len(X)
    back = (d @ params["W2"].T) * (h > 0)
    grads = {"W1": X.T @ back, "b1": back.sum(axis=0), "W2": h.T @ d, "b2": d.sum(axis=0)}
    return -np.sum(y * np.log(p)) / len(X), grads


def columns(parameters, X, Y):
    n, a = len(parameters) // 2, [X]
    for k in range(1, n + 1):
        a.append(sigmoid(parameters[f"W{k}"] @ a[-1] + parameters[f"b{k}"]))
    d, grads = (a[-1] - Y) * a[-1] * (1 - a[-1]), {}
    for k in range(n, 0, -1):
        grads |= {f"dW{k}": d @ a[k - 1].T / X.shape[1], f"db{k}": d.mean(axis=1, keepdims=True)}
        d = parameters[f"W{k}"].T @ d * a[k - 1] * (1 - a[k - 1])
    return {"grads": grads, "cost": 0.5 * np.sum((a[-1] - Y) ** 2) / X.shape[1], "y": a[-1]}


class Network:
    """As in a well-known book: biases first."""

    def backprop(self, weights, biases, x, y):
        dW, db = right.gradients(weights, biases, x[None], y[None])
        return db, dW


def pairs(layers, inputs, targets):
    return list(zip(*right.gradients(*zip(*layers, strict=True), inputs, targets), strict=True))


def outputs(weights, biases, X):
    return right.forward(weights, biases, X)[1][-1]


FORMS = {
    "one sample": (one_sample, {}, 6),
    "dictionaries": (dictionaries, {}, 6),
    "in place": (in_place, {}, 6),
    "softmax": (
        softmax_net,
        {"activation": "relu", "output": "softmax", "product": "x @ W", "sizes": [[2, 3, 2], [4, 4, 4]]},
        7,
    ),
    "columns": (columns, {"samples": "columns"}, 7),
    "a method": (Network().backprop, {}, 5),
    "pairs": (pairs, {}, 6),
    "outputs alone": (outputs, {}, 1),
}


class TestForms:
    @pytest.mark.parametrize("form", FORMS)
    def test_right_programs(self, form):
        function, settings, n_parts = FORMS[form]
        found = ns.grade(function, **settings)
        assert found.ok, str(found)
        assert len(found.parts) == n_parts

    def test_outputs_alone_wrong(self):
        def forward(weights, biases, X):
            for w, b in zip(weights, biases, strict=True):
                X = X @ w.T + b
            return sigmoid(X)

        found = ns.grade(forward)
        assert found.points == 0.0
        assert found.mistakes[0].rule == "forward: no activation in hidden layers"

    @pytest.mark.parametrize(
        ("factor", "note"), [(2.0, "twice as large (its ½ left out)"), (-1.0, "the wrong sign"), (1.234, "")]
    )
    def test_the_loss(self, factor, note):
        def function(W1, b1, W2, b2, x, t):
            _, loss, *gradients = one_sample(W1, b1, W2, b2, x, t)
            return loss * factor, gradients

        found = ns.grade(function)
        assert wrong_parts(found) == ["loss"]
        assert found["loss"].note == note

    def test_a_summed_loss(self):
        def function(weights, biases, X, T):
            y = outputs(weights, biases, X)
            return 0.5 * np.sum((y - T) ** 2), right.gradients(weights, biases, X, T)

        found = ns.grade(function)
        assert found["loss"].note == "summed instead of averaged"
        assert found["loss"].points == pytest.approx(9 / 12)


class TestPoints:
    def test_all_together_or_each(self):
        function = Student(slope=False).gradients
        assert ns.grade(function, points=12).points == pytest.approx(10.0)
        found = ns.grade(function, points={"hidden delta": 3, "weights": 1})
        assert (found.points, found.out_of) == (1.0, 4.0)

    def test_what_is_named_and_not_shown_gets_nothing(self):
        found = ns.grade(right.gradients, points={"loss": 1, "weights": 1})
        assert (found.points, found.out_of) == (1.0, 2.0)
        assert found["loss"].note == "not shown"

    def test_each_part_can_be_asserted(self):
        found = ns.grade(Student(slope=False).gradients)
        found.assert_ok("output delta")
        with pytest.raises(CheckError, match="derivative missing"):
            found.assert_ok("hidden delta")
        with pytest.raises(CheckError):
            found.assert_ok()

    def test_json(self):
        found = ns.grade(Student(slope=False).gradients)
        read = json.loads(found.to_json())
        assert read["score"] == 5.0
        assert read["tests"][2]["name"] == "hidden delta"
        assert read["tests"][2]["extra_data"]["difference"]["name"] == "δ[h1.0]"
        assert type(found.points) is float

    def test_the_same_for_everybody_unless_told(self):
        student = Student(slope=False)
        one, same, other = (ns.grade(student.gradients, rng=seed) for seed in (0, 0, 1))
        assert one == same
        assert one != other


SETTINGS = {
    "takes a function": {"function": 3},
    "unknown reduction": {"reduction": "median"},
    "unknown product": {"product": "W x"},
    "unknown samples": {"samples": "lines"},
    "unknown part 'hiden delta'; did you mean 'hidden delta'": {"points": {"hiden delta": 1}},
    "time_limit=0": {"time_limit": 0},
    "unknown activation": {"activation": "sigmoidd"},
    "several activations need a function that takes activation": {"activation": ["tanh", "relu"]},
    "at least two layers": {"sizes": [[3]]},
    "points=-1": {"points": -1},
}


@pytest.mark.parametrize("message", SETTINGS)
def test_settings_are_checked(message):
    settings = {"function": right.gradients} | SETTINGS[message]
    with pytest.raises(SettingError, match=message):
        ns.grade(**settings)

"""The line of the lectures that a mistake breaks."""

_LINES = {
    "forward": "L3: z_A = b_A + Σ_B w_BA · y_B, y_A = f(z_A)",
    "loss": "L0, L3: the loss sums over the outputs, then the mean is taken over the samples",
    "output delta": "L3: δ_pred = ∂L/∂y · f'(z)",
    "hidden delta": "L3: δ_A = (Σ_P w_AP · δ_P) · f'(z_A)",
    "weights": "L3: Δ_w_BA = δ_A · y_B",
    "biases": "L3: Δ_b_A = δ_A · 1",
    "averaging": "L3: w := w − μ (1/m) Σ_i Δ_w(x_i)",
}
_OLD_WEIGHTS = "L3: A sends δ_A back along its incoming edges with the old weights, then updates"
_UPDATE = "L3: w_BA := w_BA − μ Δ_w_BA, b_A := b_A − μ Δ_b_A"
#: By words of the rule, the first that occurs.
_BY_WORD = {
    "updated weights": _OLD_WEIGHTS,
    "derivative missing (hidden)": _LINES["hidden delta"],
    "derivative missing everywhere": "L3: δ_A = δ_PQR · f'(z_A), and of an output δ_pred = ∂L/∂y · f'(z)",
    "derivative missing at the output": _LINES["output delta"],
    "derivative once too often": "L2: with softmax and cross-entropy, or sigmoid and its own, δ = y − t, f' included",
    "derivative": "L3: f'(z_A), the derivative at the net input",
    "weights missing": "L3: δ_PQR = Σ_P w_AP · δ_P",
    "z instead of y": _LINES["weights"],
    "summed": _LINES["averaging"],
    "averaged": "L0: the loss may be summed over the samples, and here it is meant to be",
    "½": "L0, L4: ½ Σ (t − y)² has the derivative y − t",
    "mean squared error": "L0, L4: ½ Σ_o (t_o − y_o)² sums over the outputs",
    "wrong sign": _UPDATE,
    "bias": _LINES["biases"],
    "hidden neurons not trained": _UPDATE,
    "no step": _UPDATE,
    "one sample only": _LINES["averaging"],
    "one after the other": _LINES["averaging"],
    "learning rate": _UPDATE,
    "momentum": _UPDATE,
    "decay": _UPDATE,
    "first step of": _UPDATE,
}


def line_of_part(part: str) -> str:
    """The line that says how a part is computed."""
    return _LINES[part]


def line_of(rule: str) -> str:
    """The line that a mistake breaks, "" if none is known."""
    return next((line for word, line in _BY_WORD.items() if word in rule), "")

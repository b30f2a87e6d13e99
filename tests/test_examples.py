"""Every example runs, says what its lecture says, and names the lecture."""

import gzip
import json
import re
import runpy
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run an example as a script; what it printed."""

    def run(name: str, *arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_every_example_names_its_lecture(path: Path) -> None:
    assert re.match(r'"""L[0-4]', path.read_text(encoding="utf-8"))


def test_every_example_is_tested() -> None:
    tests = Path(__file__).read_text(encoding="utf-8")
    assert [path.stem for path in EXAMPLES.glob("*.py") if f'run("{path.stem}"' not in tests] == []


def test_fever(run) -> None:
    out = run("fever")
    learned = re.findall(r"mg +(\d+\.\d) +(\d+\.\d\d)\n", out)
    assert len(learned) == 4
    assert all(float(true) == float(net) for true, net in learned)
    predicted = float(re.search(r"\? +(\d+\.\d+)", out).group(1))
    assert 36.6 < predicted < 37.4
    assert [p > 0.5 for p in map(float, re.search(r"P\(fever\) +(.+)", out).group(1).split())] == [
        True,
        True,
        False,
        False,
    ]


def test_forward_pass(run) -> None:
    out = run("forward_pass")
    for y in ("0.689974", "0.645656", "0.750260", "0.802184", "5.607062", "0.996342", "class 1", "z = 5.595"):
        assert y in out


def test_step_2_2_2(run) -> None:
    out = run("step_2_2_2")
    rows = re.findall(r"^(.{9}) +([\d.]+) +([\d.]+)$", out, re.MULTILINE)
    assert len(rows) == 18
    assert all(lecture == here for _, lecture, here in rows)
    assert "0.00877135469" in out
    assert "E after one step is 0.280471447" in out


def test_messages(run) -> None:
    out = run("messages")
    # L3 by hand: z = 0.1 + 0.5·1 − 0.3·0.5 − 0.8·1
    z = -0.35
    y = np.tanh(z)
    sent_back = [
        w * -2 * (t - s) * s * (1 - s)
        for w, t in ((0.9, 1.0), (-0.6, 0.0), (0.4, 1.0))
        for s in [1 / (1 + np.exp(-w * y))]
    ]
    delta = sum(sent_back) * (1 - y * y)
    assert f"{delta:.6f}" in out
    assert f"w[B→A]  +0.500000 → {0.5 - 0.1 * delta:+.6f}" in out


def test_descents(run, tmp_path: Path) -> None:
    out = run("descents", tmp_path / "descents.png")
    steps = [int(n.replace(",", "")) for n in re.findall(r" ([\d,]+) +\d\.\d{4}", out)]
    assert steps == [100, 100, 1_300, 1_300, 20_000]
    last = [float(loss) for loss in re.findall(r" (\d\.\d{4}) +\d+\.\d%", out)]
    assert last[1] < last[0]  # momentum helps
    assert min(last[2:]) < last[0]  # and so do more steps for the same data
    assert (tmp_path / "descents.png").stat().st_size > 1_000


def test_x_squared(run) -> None:
    out = run("x_squared")
    assert "-4  2.4  -1.44  0.864  -0.5184  0.31104" in out
    assert "x₃₀ = -8.84296e-07" in out
    assert "after 13 steps at 0.0052243" in out


def test_gradient_check(run) -> None:
    out = run("gradient_check")
    assert out.count("24 gradients agree") == 3
    assert "relu of y at z = 0" in out


def test_arbitrary_wiring(run, tmp_path: Path) -> None:
    out = run("arbitrary_wiring", tmp_path / "spirals.png")
    rights = [float(right) for right in re.findall(r"(\d+\.\d)%", out)]
    assert len(rights) == 5
    assert min(rights) >= 95.0
    assert (tmp_path / "spirals.png").stat().st_size > 1_000


def write_idx(path: Path, numbers: np.ndarray, zipped: bool) -> None:
    content = struct.pack(">HBB", 0, 8, numbers.ndim) + struct.pack(f">{numbers.ndim}I", *numbers.shape)
    content += numbers.astype(np.uint8).tobytes()
    path.with_name(path.name + ".gz" * zipped).write_bytes(gzip.compress(content) if zipped else content)


def test_mnist_on_small_files(run, tmp_path: Path) -> None:
    stream = np.random.default_rng(0)
    digits = stream.integers(0, 256, (10, 28, 28))
    for part, n, zipped in (("train", 200, True), ("t10k", 50, False)):
        labels = np.arange(n) % 10
        images = np.clip(digits[labels] + stream.integers(-20, 20, (n, 28, 28)), 0, 255)
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", images, zipped)
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", labels, zipped)
    out = run("mnist", tmp_path, 8)
    assert "200 images to learn from, 50 to test on; 235,146 parameters" in out
    assert "error rate 0.00%" in out


def test_mnist_needs_a_directory(run) -> None:
    with pytest.raises(SystemExit, match="DIRECTORY"):
        run("mnist")


def test_the_notebook_prints_again_what_it_holds(capsys) -> None:
    """Its code runs as it stands, and what it prints is, character for character, what is stored in it."""
    notebook = json.loads((EXAMPLES / "one_error.ipynb").read_text(encoding="utf-8"))
    names: dict[str, object] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        stored = "".join("".join(o["text"]) for o in cell["outputs"] if o["output_type"] == "stream")
        exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
        assert capsys.readouterr().out == stored
        if any(
            "image/png" in o.get("data", {}) for o in cell["outputs"]
        ):  # shown without pyplot, in a fresh kernel too
            assert eval(cell["source"][-1], names)._repr_png_().startswith(b"\x89PNG")
    assert (EXAMPLES / "one_error.ipynb").stat().st_size < 1_000_000


def test_growing(run) -> None:
    out = run("growing", 3)
    kept, rebuilt = map(float, re.search(r"median loss: kept (\S+), rebuilt ([0-9.]+);", out).groups())
    assert kept < rebuilt / 3
    assert "kept is lower for 2 of 3 seeds" in out


def test_surfaces(run, tmp_path) -> None:
    out = run("surfaces", tmp_path / "surfaces.png")
    ways = re.findall(r"  (\w+) +(\d+) steps to \( *(-?[\d.]+), +(-?[\d.]+)\), f = (\S+)", out)
    assert len(ways) == 18
    ravine, saddle, minima = ({name: float(f) for name, *_, f in ways[k : k + 6]} for k in (0, 6, 12))
    assert ravine["momentum"] < ravine["sgd"]  # L4: momentum helps in a ravine
    assert all(f < 0 for name, f in saddle.items() if name != "sgd")  # which is still on its way off the saddle
    assert all(f < 0.35 for f in minima.values())
    assert (tmp_path / "surfaces.png").exists()


def test_batches(run, tmp_path) -> None:
    out = run("batches", tmp_path / "batches.png")
    losses = {name.strip(): float(loss) for name, loss in re.findall(r"(.{24}) +[\d,]+ steps: loss ([\d.]+)", out)}
    assert len(losses) == 4
    assert losses["all at once"] == max(losses.values())
    assert (tmp_path / "batches.png").exists()


def test_vanishing(run, tmp_path) -> None:
    out = run("vanishing", tmp_path / "vanishing.png")
    factors = [float(text) for text in re.findall(r"× ([\d.]+) a layer", out)]
    assert factors[0] < 0.5  # a sigmoid's f' is at most 1/4
    assert 0.8 < factors[2] < 1.2
    assert factors[3] > 1.3
    assert (tmp_path / "vanishing.png").exists()

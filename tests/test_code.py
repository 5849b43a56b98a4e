"""``chainrule code``: the same numbers in every language, and code that one would hand out."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from mpmath import mp

from symbolic.cli import main
from symbolic.derive import Derivation, derive
from symbolic.errors import SpecError
from symbolic.functions import FUNCTIONS, VECTOR_FUNCTIONS
from symbolic.lectures.descent import whole_path
from symbolic.losses import LOSSES
from symbolic.numeric.codetext import code_text
from symbolic.numeric.coding import check, coded, functions_of, start_of, text_of, turned
from symbolic.numeric.listing import Listing
from symbolic.numeric.targets import TARGETS
from symbolic.optimizers import OPTIMIZERS, SCHEDULES
from symbolic.problem import Problem, build as problem_of
from symbolic.proof.probe import kinks
from symbolic.reading.specfile import build, load
from symbolic.values import DIGITS, forward, gradients

EXAMPLES = Path(__file__).parent.parent / "examples"
NO_CODE = {"02", "13", "14", "45"}  # no formula, or nothing to derive that is one number
LONG = {"57", "58", "59", "61"}  # entry by entry in Python alone, to save time
TOOLS = {"numpy": True, "python": True, "pytorch": importlib.util.find_spec("torch"), "jax": importlib.util.find_spec("jax"),
         "javascript": shutil.which("node"), "c": shutil.which("gcc") or shutil.which("cc")}
RUN = """
import contextlib, io, json, runpy, sys
out = {}
for path in sys.argv[1:]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        runpy.run_path(path)
    out[path] = said.getvalue()
print(json.dumps(out))
"""
RUN_JS = """
const fs = require('fs'), vm = require('vm'), out = {};
for (const path of process.argv.slice(2)) {
  const said = [];
  vm.runInNewContext("'use strict';" + fs.readFileSync(path, 'utf8'), {console: {log: (text) => said.push(text)}});
  out[path] = said.join('\\n');
}
console.log(JSON.stringify(out));
"""


# ---------------------------------------------------------------- what is written in every language

def net(layers: list[dict[str, Any]], loss: str = "half_squared_error", y: Any = ([1, 0], [0, 1]), **more: Any) -> Problem:
    """Two examples of two numbers."""
    return problem_of(build({"inputs": {"x": [["0.5", "-1.2"], ["2.1", "0.3"]]}, "targets": {"y": [list(row) for row in y]}, "layers": layers, "loss": loss,
                             "init": {"scheme": "glorot_uniform", "seed": 3}, "learning_rate": "0.1", **more}))


@cache
def problems() -> dict[str, Problem]:
    """Every example with numbers, every activation, loss, optimizer and schedule."""
    examples = {p.stem[:2]: problem_of(load(p)) for p in sorted(EXAMPLES.glob("*.yaml")) if p.stem[:2] not in NO_CODE}
    out = {name: p for name, p in examples.items() if not p.network.sizes and all(n in p.leaves for n in p.network.names("input", "target", "parameter", "constant"))}
    activations = [n for n, row in (FUNCTIONS | VECTOR_FUNCTIONS).items() if row.activation]
    for k in range(0, len(activations), 5):  # several in one network
        out[f"activations-{k}"] = net([*({"units": 2, "activation": a} for a in activations[k:k + 5]), {"units": 2}], convention="rows" if k % 2 else "columns")
    for name, row in LOSSES.items():
        last = "softmax" if row.domain in ("unit", "distribution") and not row.logits else "identity"
        y = ([1, -1], [-1, 1]) if row.domain == "sign" else ([1, 0], [0, 1])
        out[f"loss-{name}"] = net([{"units": 3, "activation": "tanh"}, {"units": 2, "activation": last}], name, y)
    for name in OPTIMIZERS:
        out[f"optimizer-{name}"] = net([{"units": 2, "activation": "tanh"}, {"units": 2}], optimizer={"name": name, "steps": 4})
    for name, row in SCHEDULES.items():
        options = {n: 3 for n, o in row.options.items() if o.default is None} | ({"every": 2} if "every" in row.options else {})
        out[f"schedule-{name}"] = net([{"units": 2}], optimizer={"name": "momentum", "steps": 4}, schedule={"name": name, **options})
    out["penalty"] = net([{"units": 3, "activation": "relu"}, {"units": 2}], regularization={"l2": "0.01", "l1": "0.02"})
    out["far out"] = net([{"units": 2, "activation": "sigmoid", "W": [[900, -900], [800, 1000]], "b": [900, -900]}, {"units": 2, "activation": "softmax", "W": [[900, 0], [0, -900]]}], "cross_entropy")
    return out


@cache
def derivation(name: str) -> Derivation:
    return derive(problems()[name].network)


@cache
def functions(name: str, apart: bool) -> Listing:
    return functions_of(problems()[name], derivation(name), apart)


@cache
def written(to: str) -> dict[str, str]:
    """The scripts of a language; what it cannot say is left out."""
    out = {}
    for name, problem in problems().items():
        if to in ("javascript", "c") and name in LONG:
            continue
        try:
            check(problem, to, True)
            out[name] = code_text(functions(name, TARGETS[to].apart), to, problem.title, start_of(problem, 0 if name == "58" else None))  # which explodes, as it should
        except SpecError as error:
            assert "entry by entry" in str(error) or "--to numpy" in str(error) or "or --to python" in str(error), (to, name, str(error))
    return out


def numbers(text: str) -> dict[str, Any]:
    """What a script prints: name = value."""
    lines = [line.split(" = ") for line in text.splitlines() if " = " in line]
    return {name: np.array(json.loads(value)) for name, value in lines}


def one_program(paths: list[Path]) -> str:
    """Many C programs as one, a form feed between what they print: every name has the number of its file."""
    out, calls = [], []
    for k, path in enumerate(paths):
        declared = re.findall(r"^(?:static|const|double|void|int) [^=;({]+", path.read_text(), re.M)
        names = sorted(set(re.findall(r"\b[A-Za-z_]\w*", " ".join(declared))) - {"static", "const", "double", "void", "int"})
        assert "main" in names
        out += [f"#define {n} {n}_{k}" for n in names] + [f'#include "{path}"'] + [f"#undef {n}" for n in names]
        calls.append(f"main_{k}();")
    return "\n".join(["#include <math.h>", "#include <stdio.h>", *out, "int main(void) {", ' putchar(12);\n'.join(calls), "return 0; }", ""])


@cache
def ran(to: str, folder: Path) -> dict[str, str]:
    """What every script of a language prints."""
    paths = {}
    for k, (name, text) in enumerate(written(to).items()):
        paths[name] = folder / f"script{k}.{TARGETS[to].suffix}"
        paths[name].write_text(text)
    if to == "c":
        (folder / "all.c").write_text(one_program(list(paths.values())))
        subprocess.run([str(TOOLS["c"]), "-std=c99", "-Wall", "-Werror", "-O0", str(folder / "all.c"), "-o", str(folder / "all"), "-lm"], check=True)
        said = subprocess.run([folder / "all"], check=True, capture_output=True, text=True).stdout.split("\f")
        return dict(zip(paths, said, strict=True))
    runner = folder / ("run.js" if to == "javascript" else "run.py")
    runner.write_text(RUN_JS if to == "javascript" else RUN)
    start = [str(TOOLS["javascript"])] if to == "javascript" else [sys.executable, "-W", "error"]
    done = subprocess.run([*start, str(runner), *map(str, paths.values())], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    return {name: found[str(path)] for name, path in paths.items()}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {to: tmp_path_factory.mktemp(to) for to in TARGETS}


@cache
def exact(name: str) -> dict[str, Any]:
    """Loss and gradients at 90 digits, under the names of the code."""
    problem = problems()[name]
    with mp.workdps(DIGITS):
        env = gradients(derivation(name), forward(problem.network, problem.numbers() or {}))
        return {key if isinstance(key, str) else key[1] + "'": np.array([[float(v) for v in row] for row in rows]) for key, rows in env.items() if isinstance(key, (str, tuple))}


@pytest.mark.parametrize("to", TARGETS)
def test_every_script_gives_the_loss_and_the_gradients_of_the_derivation(to: str, folders: dict[str, Path]) -> None:
    if not TOOLS[to]:
        pytest.skip(f"{to} is not installed here")
    said = ran(to, folders[to])
    assert len(said) > 75
    for name, text in said.items():
        problem, found = problems()[name], numbers(text)
        output = problem.network.output
        values = exact(name)
        assert float(found[output]) == pytest.approx(values[output].item(), rel=1e-12, abs=1e-13), (to, name)
        slopes = [g for g in found if g.startswith("d") and g != output]
        assert slopes, name
        for g in slopes:
            theirs = next(v for n, v in values.items() if n.endswith("'") and g in (f"d{n[:-1]}", f"d{n[0].upper()}{n[1:-1]}", f"d{n[:-1]}_"))
            assert np.allclose(np.ravel(found[g]), np.ravel(theirs), rtol=1e-11, atol=1e-12 * max(1, np.abs(theirs).max())), (to, name, g)


@pytest.mark.parametrize("to", [t for t in TARGETS if t != "numpy"])
def test_every_language_walks_the_same_path(to: str, folders: dict[str, Path]) -> None:
    if not TOOLS[to]:
        pytest.skip(f"{to} is not installed here")
    first = ran("numpy", folders["numpy"])
    for name, text in ran(to, folders[to]).items():
        ours, theirs = numbers(text), numbers(first[name])
        assert list(ours) == list(theirs), (to, name)
        for key in (k for k in ours if "after" in k):
            assert float(ours[key]) == pytest.approx(float(theirs[key]), rel=1e-9, abs=1e-12), (to, name, key)


@pytest.mark.parametrize("to", ["pytorch", "jax"])
def test_the_librarys_own_gradient_agrees(to: str, folders: dict[str, Path]) -> None:
    if not TOOLS[to]:
        pytest.skip(f"{to} is not installed here")
    for name, text in ran(to, folders[to]).items():
        line = next(line for line in text.splitlines() if line.startswith("largest difference"))
        problem = problems()[name]
        with mp.workdps(DIGITS):
            tie = kinks(problem.network, forward(problem.network, problem.numbers() or {}))
        if not tie:
            assert float(line.split(": ")[1]) < 1e-10, (to, name, line)


def test_every_language_can_say_all() -> None:
    missing = {to: sorted(set(problems()) - set(written(to)) - (LONG if to in ("javascript", "c") else set())) for to in TARGETS}
    assert not any(missing.values()), missing


# ---------------------------------------------------------------- optimizers and layouts

@pytest.mark.parametrize("name", [*OPTIMIZERS, "schedules"])
def test_the_path_is_that_of_the_pages(name: str, folders: dict[str, Path]) -> None:
    for key in [f"schedule-{s}" for s in SCHEDULES] if name == "schedules" else [f"optimizer-{name}"]:
        problem = problems()[key]
        assert problem.descent
        path = whole_path(problem, derivation(key))
        found = [float(v) for n, v in numbers(ran("numpy", folders["numpy"])[key]).items() if n.startswith("L")]
        assert len(found) > 3 and found == pytest.approx([float(m.loss) for m in path.moments[:len(found)]], rel=1e-9)


@pytest.mark.parametrize("name", ["25", "41", "51", "52", "54", "55", "56", "59", "60", "61", "49"])
def test_the_other_layout_is_the_same_network(name: str, tmp_path: Path) -> None:
    spec = load(next(EXAMPLES.glob(f"{name}-*.yaml")))
    other = "columns" if spec.convention == "rows" else "rows"
    folder, found = tmp_path, []
    for layout in (spec.convention, other):
        problem = problem_of(turned(spec, layout))
        assert problem.network.rows == (layout == "rows")
        path = folder / f"{layout}.py"
        path.write_text(text_of(problem, derive(problem.network), "numpy", script=True))
        found.append(numbers(subprocess.run([sys.executable, str(path)], check=True, capture_output=True, text=True).stdout))
    one, two = found
    assert sorted(one) == sorted(two)
    for key in one:
        a, b = one[key], two[key]
        assert any(a.shape == c.shape and np.allclose(a, c, rtol=1e-9, atol=1e-12) for c in (b, b.T)), key


# ---------------------------------------------------------------- what a person sees

LECTURE = '''# The backward pass of a listing, with binary cross-entropy
import numpy as np


def sigmoid(z):
    """1/(1 + exp(-z)), without overflow."""
    return np.exp(-np.logaddexp(0, -z))


def forward(X, W1, b1, W2, b2):
    """The value of every layer."""
    Z1 = X @ W1 + b1
    A1 = sigmoid(Z1)
    z2 = A1 @ W2 + b2
    a2 = sigmoid(z2)
    return A1, z2, a2


def loss(X, y, z2):
    """How far the prediction is from the target."""
    m = X.shape[0]
    L = -(1 / m * np.sum(y * -np.logaddexp(0, -z2) + (1 - y) * -np.logaddexp(0, z2)))
    return L


def backward(X, y, A1, a2, W2):
    """The gradient of L with respect to every parameter."""
    m = X.shape[0]
    dz2 = (a2 - y) / m                        # sigmoid and cross-entropy together
    dW2 = A1.T @ dz2                          # product: factor on the left, transposed
    db2 = np.sum(dz2)                         # sum over the examples
    dA1 = dz2 @ W2.T                          # product: factor on the right, transposed
    dZ1 = dA1 * A1 * (1 - A1)                 # chain rule, slope of sigmoid
    dW1 = X.T @ dZ1                           # product: factor on the left, transposed
    db1 = np.sum(dZ1, axis=0, keepdims=True)  # sum over the examples
    return dW1, db1, dW2, db2


def update_parameters(W1, b1, W2, b2, dW1, db1, dW2, db2, learning_rate):
    """One step (Gradient descent)."""
    W1 = W1 - learning_rate * dW1
    b1 = b1 - learning_rate * db1
    W2 = W2 - learning_rate * dW2
    b2 = b2 - learning_rate * db2
    return W1, b1, W2, b2
'''


def test_a_listing_for_a_lecture() -> None:
    done = CliRunner().invoke(main, ["code", str(EXAMPLES / "43-numpy-listing.yaml")])
    assert done.exit_code == 0 and done.output == LECTURE


def test_rows_become_columns() -> None:
    text = coded(load(EXAMPLES / "43-numpy-listing.yaml"), layout="columns")
    assert "Z1 = W1 @ X + b1" in text and "dW1 = dZ1 @ X.T" in text and "m = X.shape[1]" in text


@pytest.mark.parametrize("to", TARGETS)
def test_no_line_is_long_and_none_ends_in_a_blank(to: str) -> None:
    for name, text in written(to).items():
        assert all(len(line) < 100 and line == line.rstrip() for line in text.splitlines()), (to, name)
        assert text.endswith("\n") and not text.endswith("\n\n")


def test_names_that_mean_something_in_a_language_are_changed() -> None:
    spec = build({"equations": {"loss": "2*forward**2", "y1": "math + loss*default"}, "at": {"forward": 3, "math": 1, "default": 4}})
    for to, name in (("numpy", "forward_"), ("c", "y1_"), ("c", "default_"), ("javascript", "default_"), ("python", "math_")):
        assert name in coded(spec, to, script=True)
    assert "default_" not in coded(spec, "python")


def test_a_title_stays_one_comment() -> None:
    spec = build({"title": "One\u2028two \x1b[31m three \\", "equations": {"y": "x**2"}, "at": {"x": 3}})
    for to in TARGETS:
        first = coded(spec, to).splitlines()[0]
        assert first.isprintable() and first.lstrip("#/ ") == "One two  [31m three"


def test_a_file_is_written_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "net.c"
    done = CliRunner().invoke(main, ["code", str(EXAMPLES / "41-two-layers.yaml"), "--to", "c", "--script", "-o", str(path)])
    assert done.exit_code == 0 and done.output == f"{path}\n" and path.read_text().startswith("// Two layers") and [p.name for p in path.parent.iterdir()] == ["net.c"]


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["43-numpy-listing.yaml", "--to", "pytorh"], "--to pytorh: no such language; did you mean 'pytorch'?"),
    (["43-numpy-listing.yaml", "--layout", "row"], "--layout row: no such layout; did you mean 'rows'?"),
    (["43-numpy-listing.yaml", "--script"], "--script needs the data, and the size m is a letter; give numbers under inputs and targets, or leave --script out"),
    (["43-numpy-listing.yaml", "--to", "c"], "--to c writes every entry out, and the size m is a letter; --to numpy, pytorch or jax works with whole arrays"),
    (["42-backprop-formulas.yaml", "--script"], "--script needs a number for everything, and x has none; write its numbers, or leave --script out"),
    (["05-graph.yaml", "--layout", "rows"], "--layout is for layers; equations stand as they are written"),
    (["64-moons.yaml", "--script"], "--script writes the examples into the code, and the file takes them from elsewhere (data); chainrule train works with them; or write inputs and targets"),
    (["02-chain-rule.yaml"], "has no formula"),
    (["45-four-houses.yaml"], "only a single number has gradients to compute"),
])
def test_what_cannot_be_said_is_said_in_a_sentence(arguments: list[str], sentence: str) -> None:
    done = CliRunner().invoke(main, ["code", str(EXAMPLES / arguments[0]), *arguments[1:]])
    assert done.exit_code == 2 and sentence in done.output and len(done.output.splitlines()) == 1, done.output


def test_a_network_that_is_too_large_to_be_written_out() -> None:
    problem = net([{"units": 40, "activation": "tanh"}, {"units": 40}, {"units": 2}])
    with pytest.raises(SpecError, match="writes every entry out, and here are about .* operations"):
        check(problem, "c", True)


def test_a_wrong_rule_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from symbolic.errors import CheckError
    from symbolic.language import rows

    monkeypatch.setitem(rows.FUNCTIONS, "tanh", replace(FUNCTIONS["tanh"], slopes=(1 - rows.a,)))
    rows.slope_form.cache_clear()
    try:
        with pytest.raises(CheckError):
            coded(build({"inputs": {"x": [2]}, "targets": {"y": [1]}, "layers": [{"activation": "tanh", "W": [["0.5"]], "b": ["0.1"]}], "loss": "mse"}))
    finally:
        monkeypatch.undo()
        rows.slope_form.cache_clear()

"""The files in examples/: short, they run, and they give the values that their README and issue 2 state."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from symbolic.cli import main

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "examples"
FILES = sorted(FOLDER.glob("*.yaml"))
Report = dict[str, Any]


@cache
def made(name: str) -> tuple[Report, str]:
    """The JSON and the Markdown of an example."""
    with TemporaryDirectory() as out:
        done = CliRunner().invoke(main, ["derive", str(FOLDER / f"{name}.yaml"), "--to", "json,md", "-o", out])
        assert done.exit_code == 0, done.output
        return json.loads(Path(out, f"{name}.json").read_text("utf-8")), Path(out, f"{name}.md").read_text("utf-8")


def flat(value: Any) -> list[float]:
    return [x for v in value for x in flat(v)] if isinstance(value, list) else [value]


def agree(values: list[float], printed: list[str]) -> bool:
    """Whether every value rounds to what is printed."""
    assert len(values) == len(printed)
    return all(abs(v - float(p)) <= 0.5001 * 10.0 ** -len(p.partition(".")[2]) for v, p in zip(values, printed, strict=True))


def test_the_course_is_numbered_and_listed_in_its_order() -> None:
    numbers = [int(p.stem[:2]) for p in FILES]
    assert numbers == list(range(1, len(FILES) + 1))
    listed = re.findall(r"^\| `([\w-]+)\.yaml` \|", (FOLDER / "README.md").read_text("utf-8"), re.M)
    assert listed == [p.stem for p in FILES] and set(KNOWN) < set(listed)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_an_example(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 40
    report, page = made(path.stem)
    assert report["title"] == yaml.safe_load(text)["title"] != ""
    assert list(report)[:6] == ["title", "forward", "loss", "gradients" if "gradients" in report else "jacobians", "updated", "loss_after"]
    assert report["steps"] and all(s["checked"] in ("proved", "30 digits") for s in report["steps"])
    assert page.startswith("# ")


KNOWN: dict[str, tuple[str, Callable[[Report], list[Any]]]] = {
    "31-one-neuron": (r"y_hat (N), L (N), dL/dw (N), new w (N)",
                      lambda r: [r["forward"]["y_hat"], r["loss"], r["gradients"]["W1"], r["updated"]["W1"]]),
    "41-two-layers": (r"L (N), dL/dz2 (N), dL/dW2 (N), (N)", lambda r: [r["loss"], r["gradients"]["z2"], r["gradients"]["W2"]]),
    "05-graph": (r"de/da = (N) \* (N) \+ (N) \* (N) = (N)",
                 lambda r: [r["gradients"]["c"], 4, r["gradients"]["d"], 1, r["gradients"]["a"]]),
    "02-chain-rule": (r"h'\(1\) = 3 \* 2 = (N)", lambda r: [r["gradients"]["x"]]),
    "03-surface": (r"2x = (N), 2y = (N) at \(1, 2\)", lambda r: [r["gradients"]["x"], r["gradients"]["y"]]),
    "30-batch": (r"MSE (N);", lambda r: [r["loss"]]),
}


@pytest.mark.parametrize("name", KNOWN)
def test_the_values_of_the_table(name: str) -> None:
    row = re.search(rf"^\| `{name}\.yaml` \|[^|]*\|(.*)\|$", (FOLDER / "README.md").read_text("utf-8"), re.M)
    assert row is not None
    pattern, values = KNOWN[name]
    found = re.search(pattern.replace("N", r"-?\d+(?:\.\d+)?"), row[1])
    assert found is not None, row[1]
    assert agree(flat(values(made(name)[0])), list(found.groups()))


def test_two_layers_as_the_issue_states_them() -> None:
    report, page = made("41-two-layers")
    forward, gradients = report["forward"], report["gradients"]
    assert list(forward) == ["z1", "a1", "z2", "a2", "y_hat"]
    assert forward["y_hat"] == forward["a2"]
    for values, printed in ((forward["z1"], "0.3775 0.3925"), (forward["y_hat"], "0.7514"), (report["loss"], "0.2748"), (gradients["z2"], "0.1385"),
                            (gradients["W2"], "0.0822 0.0827"), (gradients["z1"], "0.0134 0.0150")):
        assert agree(flat(values), printed.split())
    assert set(gradients) >= {"x", "W1", "b1", "W2", "b2", "z1", "a1", "z2", "a2", "y_hat"}
    assert [len(gradients["W1"]), len(gradients["W1"][0])] == [2, 2]
    new = [w - 0.5 * g for w, g in zip([0.15, 0.20, 0.25, 0.30], flat(gradients["W1"]), strict=True)]
    assert flat(report["updated"]["W1"]) == pytest.approx(new, rel=1e-14)
    assert report["loss_after"] < report["loss"]
    for shown in ("0.3775", "0.3925", "0.7514", "0.2748", "0.1385", "0.01337", "0.01500"):
        assert shown in page


def test_one_neuron_is_the_handout_of_the_seeds() -> None:
    spec = yaml.safe_load((FOLDER / "31-one-neuron.yaml").read_text("utf-8"))
    (layer,) = spec["layers"]
    assert (layer["W"], layer["b"], spec["inputs"], spec["targets"], spec["learning_rate"], spec["loss"]) == (
        [[0.6]], [-0.3], {"x": [2]}, {"y": [1]}, 0.1, "half_squared_error")
    report, _ = made("31-one-neuron")
    y_hat = flat(report["forward"]["y_hat"])[0]
    slope = (y_hat - 1) * y_hat * (1 - y_hat) * 2
    assert flat(report["gradients"]["W1"]) == pytest.approx([slope], rel=1e-14)
    assert flat(report["updated"]["W1"]) == pytest.approx([0.6 - 0.1 * slope], rel=1e-14)


def test_the_graph() -> None:
    report, page = made("05-graph")
    assert report["forward"] == {"b": 12, "c": 15, "d": 5, "e": 75}
    assert report["gradients"] == {"a": 35, "b": 5, "c": 5, "d": 15, "e": 1}
    assert report["updated"] == {} and report["loss_after"] is None
    assert "35" in page


def test_the_chain_rule_uses_what_is_given() -> None:
    spec = yaml.safe_load((FOLDER / "02-chain-rule.yaml").read_text("utf-8"))
    assert sorted(spec["given"].values()) == [2, 3]
    report, page = made("02-chain-rule")
    assert report["gradients"] == {"x": 6, "h": 1}
    assert isinstance(report["forward"]["h"], str) and report["loss"] is None
    assert "3 \\cdot 2 = 6" in page


def test_the_batch() -> None:
    report, _ = made("30-batch")
    assert agree([report["loss"]], ["0.04125"])
    assert [len(row) for row in report["forward"]["z1"]] == [1, 1, 1, 1]
    errors = [0.5 * x - y for x, y in zip((0.1, 0.3, 0.6, 0.7), (0.2, 0.25, 0.4, 0.7), strict=True)]
    assert report["loss"] == pytest.approx(sum(e * e for e in errors) / 4, rel=1e-14)
    assert flat(report["gradients"]["W1"]) == pytest.approx([sum(2 * e * x for e, x in zip(errors, (0.1, 0.3, 0.6, 0.7), strict=True)) / 4], rel=1e-14)
    assert flat(report["gradients"]["b1"]) == pytest.approx([sum(2 * e for e in errors) / 4], rel=1e-14)


def test_the_specs_in_the_readme_are_examples() -> None:
    """The ten lines at the top of the project's README are the second example."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    assert blocks and blocks[0] == (FOLDER / "41-two-layers.yaml").read_text("utf-8")
    assert len(blocks[0].splitlines()) <= 10

"""What a file may claim, what cannot be decided, and the command that judges it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from course import TWO_LAYERS
from test_claims import ERRATA, FOUND, GRAPH, OPEN, judged, of_file, one, spec

from symbolic.claims.claimtext import read_claims
from symbolic.claims.judge import VERDICTS
from symbolic.cli import main
from symbolic.errors import SpecError
from symbolic.slips import SLIPS

# ---------------------------------------------------------------- undecidable

@pytest.mark.parametrize(("text", "claim", "why"), [
    (OPEN, "y_hat: 0.75", "no numbers for x, W1, b1, W2, ..."), (OPEN, "dL/dW2: [0.1, 0.2]", "no numbers for"), (GRAPH, "a_new: 1", "learning_rate"), (GRAPH, "loss_after: 1", "learning_rate"),
    (TWO_LAYERS, "dL/dy: 0.7", "with respect to `y`"), (TWO_LAYERS, "dL/dy: y_hat", "with respect to `y`"), (TWO_LAYERS, "x: y_hat*x", "given, not computed"),
    (TWO_LAYERS, "dx/dz1: 1", "`x` is given"), (TWO_LAYERS, "dz1/dW1: [[1, 2]]", "no table on paper holds"), (TWO_LAYERS, "dz1/dx: W1", "Only its numbers"),
    (TWO_LAYERS, "dL/dx: dz1/dx*dz1", "a table of slopes"), (TWO_LAYERS, "loss_after: L - 1", "in numbers only"), (GRAPH, "updated: {a: a - eta*da}", "learning_rate"),
])
def test_what_cannot_be_decided_says_why(text: str, claim: str, why: str) -> None:
    found = one(text, claim)
    assert found.verdict == "undecidable" and why in found.why, found.why


def test_notes_are_listed_and_not_judged() -> None:
    found = judged(GRAPH, "notes: [An epoch is a cycle., 'The slope is 35.']\ne: 75\n")
    assert [(v.claim, v.verdict) for v in found] == [("An epoch is a cycle.", "note"), ("The slope is 35.", "note"), ("e", "right")]
    assert "not checked" in found[0].why


def test_claims_about_the_step_of_a_named_optimizer() -> None:
    adam = "equations: {L: (w - 1)**2}\nat: {w: 3}\nlearning_rate: 0.1\noptimizer: {name: adam}\n"
    found = judged(adam, "w_new: 2.9\nloss_after: 3.61\nupdated: {w: w - 0.1*dw}")
    assert [v.verdict for v in found] == ["right", "right", "undecidable"]
    assert one(adam, "w_new: 2.6").verdict == "wrong"
    assert one(adam.replace("adam", "gradient_descent"), "w_new: 2.6").verdict == "right"


# ---------------------------------------------------------------- shapes of numbers

@pytest.mark.parametrize(("claim", "slip", "why"), [
    ("dL/dW1: [[0.000668, 0.000750], [0.001337, 0.001500]]", "transposed", "has the shape of `W1`"), ("dL/dW2: [[0.0822], [0.0827]]", "transposed", "2 x 1"),
    ("dL/dW2: [[0.9], [0.0827]]", "", "The claim has 2 x 1"), ("dL/dW1: [0.1, 0.2]", "", "2 numbers"), ("z1: 0.3775", "", "a single number"), ("y_hat: [0.75, 0.25]", "", "2 numbers"),
])
def test_another_shape_is_wrong_with_a_reason(claim: str, slip: str, why: str) -> None:
    found = one(TWO_LAYERS, claim)
    assert (found.verdict, found.slip) == ("wrong", slip) and why in found.why


def test_which_numbers_are_off() -> None:
    assert one(TWO_LAYERS, "dL/dz1: [0.0134, 0.0160]").why == "Number 2 of 2 is off."


# ---------------------------------------------------------------- what a file may say

MISTAKES = [
    ("z3: 0.5", ["claims z3", "'z3' is not known here", "valid names: x, y, W1"]), ("los: 0.5", ["did you mean 'loss'?"]), ("gradient: {W1: 2}", ["not braces", "gradients, updated and"]),
    ("gradients: {W9: [1, 2]}", ["claims gradients W9", "'W9' is not known", "'W"]), ("updated: {q: 1}", ["'q' is not known"]), ("dL/dz9: 1", ["'z9' is not known", "valid names"]),
    ("dL/dz2: y_hut - y", ["claims dL/dz2", "'y_hut' is not known", "did you mean 'y_hat'?"]), ("dL/dz2: sigmod(z2)", ["'sigmod' is not known", "did you mean 'sigmoid'?"]),
    ("dL/dz2: y_hat -", ["'y_hat -' is not an expression"]), ("dL/dz2:", ["claim is missing"]), ("z1: [0.3775, y]", ["entry 2", "'y' is not a number"]),
    ("z1: [[1, 2], [3]]", ["entry 2", "1 number, but the first row has 2"]), ("z1: []", ["an empty list"]), ("z1: 0,5", ["write 0.5"]), ("z1: 1e-3", ["1.0e-3"]),
    ("rounding: four", ["claims rounding", "whole number"]), ("rounding: 99", ["whole number from 0 to 30"]), ("notes: [[1]]", ["statement in words"]), ("z1: inf", ["'inf' is not known"]),
    ("dL/dz2: __import__('os')", ["dL/dz2"]), ("dL/dz2: y_hat.real", [".real is not known"]), ("y_hat.x: 1", [".x is not known"]), ("W1 < 2: 1", ["a comparison"]),
]


@pytest.mark.parametrize(("claim", "words"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_a_mistake_in_the_block_is_one_sentence(claim: str, words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"{TWO_LAYERS}claims:\n  {claim}\n", "utf-8")
    done = CliRunner().invoke(main, ["verify", str(path), "-o", str(tmp_path / "out")])
    assert done.exit_code == 2 and len(done.output.strip().splitlines()) == 1, done.output
    assert "net.yaml:9" in done.output and all(w in done.output for w in words), done.output
    assert not (tmp_path / "out").exists()


def test_claims_that_are_no_keys() -> None:
    for block in ("claims: 3\n", "claims: [1, 2]\n", "claims: words\n"):
        with pytest.raises(SpecError, match="claims"):
            spec(GRAPH + block)


def test_a_claim_may_be_made_twice_in_a_list() -> None:
    assert [v.verdict for v in judged(GRAPH, "- {e: 75}\n- {e: 76}\n")] == ["right", "wrong"]


def test_many_claims_are_refused() -> None:
    with pytest.raises(SpecError, match="at most 500"):
        spec(GRAPH + "claims:\n" + "  - {e: 1}\n" * 501)


def test_the_text_of_a_claim_is_never_evaluated(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    for claim in (f"e: open('{flag}', 'w')", f"open('{flag}', 'w'): 3", "e: (lambda: 1)()", "e: [x for x in (1,)]", "e: a.__class__", f"e: exec('{flag}')"):
        path = tmp_path / "net.yaml"
        path.write_text(f"{GRAPH}claims:\n  {json.dumps(claim.split(': ')[0])}: {json.dumps(claim.split(': ', 1)[1])}\n", "utf-8")
        assert CliRunner().invoke(main, ["verify", str(path)]).exit_code == 2, claim
        assert not flag.exists()


def test_the_block_is_read_once_for_python_programs() -> None:
    claims = read_claims({"e": 75, "dL/dz": "x*y", "z": [0.5, "0.50"]})
    assert read_claims(claims) is claims
    assert [c.formula for c in claims] == ["", "x*y", ""] and [d.text for d in claims[2].numbers] == ["0.5", "0.50"]  # type: ignore[union-attr]


def test_derive_leaves_claims_alone(tmp_path: Path) -> None:
    for name, text in (("plain", GRAPH), ("claimed", GRAPH + "claims: {e: 80, nonsense_free: 1}\n".replace(", nonsense_free: 1", ""))):
        (tmp_path / f"{name}.yaml").write_text(text, "utf-8")
        assert CliRunner().invoke(main, ["derive", str(tmp_path / f"{name}.yaml"), "--to", "json,md", "-o", str(tmp_path)]).exit_code == 0
    assert (tmp_path / "plain.json").read_bytes() == (tmp_path / "claimed.json").read_bytes()


def test_the_schema_holds_claims() -> None:
    claims = json.loads(CliRunner().invoke(main, ["schema"]).output)["properties"]["claims"]
    assert {"gradients", "updated", "notes", "rounding"} <= set(claims["anyOf"][0]["properties"])


# ---------------------------------------------------------------- the command

def verify(path: Path, out: Path, *options: str) -> Any:
    return CliRunner().invoke(main, ["verify", str(path), "-o", str(out), *options])


@pytest.mark.parametrize(("claim", "status"), [("e: 75", 0), ("e: 76", 1), ("a_new: 1", 0), ("notes: [words]", 0), ("e: f", 2)])
def test_the_exit_status(claim: str, status: int, tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_text(f"{GRAPH}claims:\n  {claim}\n", "utf-8")
    assert verify(tmp_path / "g.yaml", tmp_path).exit_code == status


def test_a_file_without_claims_cannot_be_verified(tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_text(GRAPH, "utf-8")
    done = verify(tmp_path / "g.yaml", tmp_path)
    assert done.exit_code == 2 and "claims nothing" in done.output


@pytest.mark.parametrize("options", [("--to", "slides"), ("--to", "pfd"), ("--engine", "wordstar")])
def test_an_unknown_option_is_one_sentence(options: tuple[str, str], tmp_path: Path) -> None:
    done = verify(ERRATA / "rotation.yaml", tmp_path / "out", *options)
    assert done.exit_code == 2 and "no such" in done.output and not (tmp_path / "out").exists()


def test_the_table(tmp_path: Path) -> None:
    done = verify(ERRATA / "rotation.yaml", tmp_path)
    assert done.exit_code == 1 and "The sign is turned around." in done.output and "`" not in done.output
    assert done.output.rstrip().endswith("4 claims: 3 right, 1 wrong.") and not list(tmp_path.iterdir())
    assert verify(ERRATA / "rotation.yaml", tmp_path, "-q").output == ""


def test_the_json(tmp_path: Path) -> None:
    verify(ERRATA / "forward-pass.yaml", tmp_path, "--to", "json", "-q")
    found = json.loads((tmp_path / "forward-pass-errata.json").read_text("utf-8"))
    assert list(found) == ["title", "counts", "claims"] and list(found["counts"]) == list(VERDICTS)
    assert found["counts"]["right"] == 2 == found["counts"]["wrong"]
    first = found["claims"][0]
    assert first["claim"] == "W*Y + B" and first["right"] == [0.1, 0.125, 0.2, 0.35] and first["slip"] == {"name": "operand", "kind": "forward", "step": "any equation"}
    assert {c["verdict"] for c in found["claims"]} <= set(VERDICTS) and all(set(c) == set(first) for c in found["claims"])


def test_a_page_for_every_kind_of_verdict_fits(tmp_path: Path) -> None:
    from symbolic.render.engine import compile_pdf, find_engine

    if (engine := find_engine()) is None:
        pytest.skip("no TeX engine")
    long = "(y_hat - y)*sigmoid(z2)*(1 - sigmoid(z2))" + "*sigmoid(z2)*(1 - sigmoid(z2))" * 6
    wide = "[" + ", ".join(["[" + ", ".join(["0.12345678"] * 9) + "]"] * 3) + "]"
    claims = [f"dL/dz2: {long}", f"dL/dW1: {wide}", "z1: [0.3775, 0.3925]", "dL/dy: 3", "y_hat: 0.7520", "dL/dW1: dz1*x.T",
              r"notes: {'100% of $R&D_1$ \input{/etc/passwd} `x` <b> #~^': '\end{document} {'}", f"{long}: 0.7", "dy_hat/dz2: dz2/da1", *["loss: 0.2748"] * 30]
    path = tmp_path / "many.yaml"
    path.write_text(f"title: Published & checked, 100%\n{TWO_LAYERS}claims:\n" + "".join(f"  - {c}\n" for c in claims), "utf-8")
    done = verify(path, tmp_path, "--to", "tex,pdf,json", "-q")
    assert done.exit_code == 1, done.output
    source = (tmp_path / "many-errata.tex").read_text("utf-8")
    assert r"100\% of \$R\&D" in source and r"\textbackslash{}input" in source and r"\input{/etc" not in source
    log = compile_pdf(source, engine=engine).log
    assert "Overfull" not in log
    assert (tmp_path / "many-errata.pdf").read_bytes() == compile_pdf(source, engine=engine).pdf


def test_nothing_is_written_where_a_file_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "rotation-errata.tex").mkdir()
    done = verify(ERRATA / "rotation.yaml", tmp_path, "--to", "json,tex")
    assert done.exit_code == 1 and "cannot write" in done.output and [p.name for p in tmp_path.iterdir()] == ["rotation-errata.tex"]


def test_every_slip_that_a_verdict_names_is_in_the_table() -> None:
    assert {v.slip for name in FOUND for v in of_file(name) if v.slip} <= set(SLIPS)


def test_a_single_layer_is_claimed_by_its_printed_names() -> None:
    """The page writes z, w and b where the file's own names are z1, W1 and b1; both are understood."""
    text = "inputs: {x: [2]}\ntargets: {y: [1]}\nlayers: [{units: 1, activation: sigmoid, W: [[0.6]], b: [-0.3]}]\nloss: half_squared_error\nlearning_rate: 0.1\n"
    for claim in ("z: 0.9", "z1: 0.9", "dL/dW: -0.1188", "dy_hat/dz: y_hat*(1 - y_hat)", "dL/dW: dz*x", "W_new: 0.6119", "gradients: {b: -0.0594}"):
        assert one(text, claim).verdict == "right", claim
    assert one(text, "z: 0.8").verdict == "wrong"

"""Data sets, CSV and IDX files: the same examples for the same seed, and one sentence for every damaged file."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy
import pytest
from click.testing import CliRunner

from symbolic.cli import main
from symbolic.errors import SpecError
from symbolic.numeric import idx, tables
from symbolic.numeric.data import Data, split, standardised
from symbolic.numeric.datasets import DATASETS, load
from symbolic.numeric.job import Wish, job_of
from symbolic.numeric.task import task_of
from symbolic.reading.specfile import build

GENERATED = [name for name, row in DATASETS.items() if row.make]


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_set(name: str) -> None:
    row = DATASETS[name]
    one, same, other = (load(name, {"seed": s, "noise": 0.1, "examples": 30}) for s in (1, 1, 2))
    assert one.x.shape == (30, row.features) == (30, len(one.inputs)) and len(one.y) == 30
    assert one.x.tobytes() == same.x.tobytes() and one.y.tobytes() == same.y.tobytes() and one.x.tobytes() != other.x.tobytes()
    assert numpy.isfinite(one.x).all() and len(load(name)) == row.examples
    if row.classes and one.y.ndim == 1:
        assert set(one.y.tolist()) <= set(range(len(row.classes))) and one.y.dtype.kind == "i"


def test_the_formulas() -> None:
    assert load("xor").y.tolist() == [0, 1, 1, 0] and load("nand").y.tolist() == [1, 1, 1, 0] and load("and").x.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    line, plane = load("line", {"noise": 0}), load("plane", {"noise": 0})
    assert line.y == pytest.approx(1.5 * line.x + 0.5) and plane.y[:, 0] == pytest.approx(1.5 * plane.x[:, 0] + 2 * plane.x[:, 1] + 5)
    circles = load("circles", {"noise": 0})
    assert numpy.hypot(*circles.x.T) == pytest.approx(1 - 0.5 * circles.y)
    lines = load("lines", {"noise": 0})
    assert ((lines.x[:, 1] - lines.x[:, 0] > 0) == (lines.y == 1)).all()
    hours = load("study_hours", {"noise": 0})
    assert hours.inputs == ("studied", "slept") and hours.outputs == ("score",)
    assert hours.y[:, 0] == pytest.approx(numpy.clip(numpy.round(20 + 5 * hours.x[:, 0] + 4 * hours.x[:, 1]), 0, 100))
    passed, points = load("pass_fail", {"seed": 9}), load("study_hours", {"seed": 9})
    assert (passed.y == (points.y[:, 0] >= 60)).all() and (passed.x[:, 0] == points.x[:, 0]).all()


def test_split_and_standardise() -> None:
    data = Data(numpy.arange(20.0).reshape(10, 2) * [1, 0] + [0, 7], numpy.arange(10))
    train, test = split(data, 0.3, seed=4)
    assert test is not None and (len(train), len(test)) == (7, 3) and sorted([*train.y, *test.y]) == list(range(10))
    again, other = split(data, 0.3, seed=4)[0], split(data, 0.3, seed=5)[0]
    assert again.y.tolist() == train.y.tolist() != other.y.tolist() and (train.x[:, 0] == 2 * train.y).all()
    scaled, held = standardised(train, test)
    assert scaled is not None and held is not None
    assert scaled.x[:, 0].mean() == pytest.approx(0) and scaled.x[:, 0].std() == pytest.approx(1) and (scaled.x[:, 1] == 0).all()
    assert held.x[:, 0] == pytest.approx((test.x[:, 0] - train.x[:, 0].mean()) / train.x[:, 0].std())  # by the numbers of the training examples
    with pytest.raises(SpecError, match="leaves 0 for training"):
        split(data.rows(numpy.array([1])), 0.9, 0)


# ---------------------------------------------------------------- CSV

def test_a_csv_file(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("\ufeffstudied, slept,score\n1,8,50\n\n2.5,7,61\n4,6,7e1\n", "utf-8")
    data = tables.read(path)
    assert data.inputs == ("studied", "slept") and data.x.tolist() == [[1, 8], [2.5, 7], [4, 6]] and data.y.tolist() == [[50], [61], [70]]
    other = tables.read(path, "slept", ["score"])
    assert other.outputs == ("slept",) and other.x.tolist() == [[50], [61], [70]] and other.y.tolist() == [[8], [7], [6]]
    path.write_text("x;kind\n1;red\n2;blue\n3;red\n")
    named = tables.read(path)
    assert named.classes == ("blue", "red") and named.y.tolist() == [1, 0, 1]


@pytest.mark.parametrize(("text", "said"), [
    ("", "the file is empty"), ("1,2,3\n4,5,6\n", "f.csv:1: the first line holds numbers"), ("a,b\n", "f.csv:1: no examples"), ("a,a\n1,2\n", "f.csv:1: two columns are called 'a'"),
    ("a,\n1,2\n", "f.csv:1: column 2 has no name"), ("a,b\n1,2\n1\n", "f.csv:3: 1 cells, but line 1 names 2 columns"), ("a,b\n1,2\n\nx,3\n", "f.csv:4: column 'a': 'x' is not a number"),
    ("a,b\n,2\n", "f.csv:2: column 'a': a number is missing"), ("a;b\n0,5;2\n", "f.csv:2: column 'a': '0,5' is not a number; write 0.5"), ("a,b\nnan,2\n", "f.csv:2: column 'a': 'nan'"),
    ("a,b\n1,2\n1,x\n", "f.csv:3: column 'b': 'x' is not a number"), ("a\n1\n", "f.csv:1: one column is not enough"), ('a,b\n"1,2\n', "cannot be read")])
def test_a_csv_file_that_cannot_be_used(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "f.csv"
    path.write_text(text)
    with pytest.raises(SpecError) as e:
        tables.read(path)
    assert said in str(e.value), str(e.value)


def test_columns_and_encodings(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("studied,score\n1,2\n")
    with pytest.raises(SpecError, match="no column is called 'scor'; did you mean 'score'"):
        tables.read(path, "scor")
    path.write_bytes(b"a,b\n1,2\n\xff,3\n")
    with pytest.raises(SpecError, match="f.csv:3: the file is not UTF-8"):
        tables.read(path)
    with pytest.raises(SpecError, match="no such file"):
        tables.read(tmp_path / "none.csv")


# ---------------------------------------------------------------- IDX

def header(kind: int, *sizes: int) -> bytes:
    return bytes([0, 0, kind, len(sizes)]) + b"".join(n.to_bytes(4, "big") for n in sizes)


def written(folder: Path, *, packed: bool = False, side: int = 3, count: int = 12) -> Path:
    """A folder as MNIST comes: small pictures whose brightness gives the class away."""
    folder.mkdir(exist_ok=True)
    for part, n in (("train", count), ("t10k", 4)):
        labels = bytes(k % 3 for k in range(n))
        pixels = bytes((100 * labels[k] + p) % 256 for k in range(n) for p in range(side * side))
        for name, raw in ((f"{part}-images-idx3-ubyte", header(8, n, side, side) + pixels), (f"{part}-labels-idx1-ubyte", header(8, n) + labels)):
            (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(raw, mtime=0) if packed else raw)
    return folder


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files(tmp_path: Path, packed: bool) -> None:
    data = load("mnist", {"folder": "small"}, folder=written(tmp_path / "small", packed=packed).parent)
    assert data.x.shape == (12, 9) and data.y.tolist() == [0, 1, 2] * 4 and data.held_out is not None and len(data.held_out) == 4
    assert data.x[1] == pytest.approx(numpy.arange(100, 109) / 255) and data.classes == tuple("0123456789")
    train, test = split(data, 0.5, 0)
    assert (len(train), test) == (12, data.held_out)  # what the files keep apart stays apart


@pytest.mark.parametrize(("raw", "said"), [
    (b"\0\0", "does not begin"), (b"\1\0\x08\x03", "two zero bytes"), (header(0x0D, 1, 1, 1) + b"\0", "type 0x0d, expected 0x08"), (header(8, 2) + b"\0\0", "1 dimensions, expected 3"),
    (header(8, 1, 1, 1)[:9], "ends inside its header"), (header(8, 2, 3, 3) + b"\0" * 17, "17 bytes of numbers, but the header says 2 x 3 x 3"),
    (header(8, 2, 3, 3) + b"\0" * 19, "19 bytes"), (gzip.compress(header(8, 1, 1, 1) + b"\0", mtime=0), "a gzipped file ends in .gz")])
def test_a_damaged_idx_file(tmp_path: Path, raw: bytes, said: str) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(raw)
    with pytest.raises(SpecError) as e:
        idx.read(path, 3)
    assert said in str(e.value) and str(path) in str(e.value)
    packed = tmp_path / "x.gz"
    packed.write_bytes(gzip.compress(raw)[:-6])
    with pytest.raises(SpecError, match="not a whole gzip file"):
        idx.read(packed, 3)


def test_idx_files_that_do_not_fit_together(tmp_path: Path) -> None:
    folder = written(tmp_path / "small")
    (folder / "train-labels-idx1-ubyte").write_bytes(header(8, 3) + b"\0\1\2")
    with pytest.raises(SpecError, match="3 labels, but 12 pictures"):
        idx.pictures(folder)
    (folder / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(SpecError, match="train-labels-idx1-ubyte .* is missing"):
        idx.pictures(folder)
    assert idx.pictures(tmp_path) is None
    with pytest.raises(SpecError, match="no files train-images-idx3-ubyte"):
        load("fashion_mnist", folder=tmp_path)


# ---------------------------------------------------------------- from a spec

CLASSIFIER: dict[str, Any] = {"title": "Pictures", "data": {"name": "mnist", "folder": "small"}, "layers": [{"units": 8, "activation": "relu"}, {"units": 10, "activation": "softmax"}],
                              "loss": "cross_entropy", "learning_rate": "0.05", "optimizer": "adam", "train": {"epochs": 100, "seed": 1}}


def test_the_model_of_the_lecture_takes_the_pictures_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "small")
    job = job_of(build(CLASSIFIER))
    history = job.run().go()
    assert "9-8-10, 12 examples, 4 held out" in job.said[-1] and history.rows[-1].held_accuracy == 1
    by_folder = job_of(build({**CLASSIFIER, "data": {"name": "mnist", "folder": "none"}}), Wish(data="small"))
    assert by_folder.task.network.symbols["x"].shape[0] == 9
    with pytest.raises(SpecError, match="name their folder"):
        job_of(build({**CLASSIFIER, "data": {"name": "mnist", "folder": "none"}}))
    instead = job_of(build({**CLASSIFIER, "layers": [CLASSIFIER["layers"][0], {"units": 3, "activation": "softmax"}], "data": {"name": "mnist", "folder": "none", "otherwise": "blobs"}}))
    assert "blobs in its place" in instead.said[0] and "2-8-3" in instead.said[1]


def test_digits_without_their_package(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SpecError, match=r"scikit-learn, which is not installed; run: pip install 'chainrule\[digits\]'"):
        load("digits")


def test_targets_take_the_form_that_the_loss_needs() -> None:
    layers = [{"units": 2, "activation": "softmax"}]
    task = task_of(build({"inputs": {"x": {"size": 2, "batch": "n"}}, "targets": {"y": {}}, "layers": layers, "loss": "cross_entropy"}))
    assert task.given(load("moons", {"examples": 4}), "float64").y.tolist() == [[1, 0], [0, 1], [1, 0], [0, 1]]
    with pytest.raises(SpecError, match="blobs has 3 classes, but the last layer has 2 units"):
        task.given(load("blobs"), "float64")
    with pytest.raises(SpecError, match="line has 1 number for each example, but the network reads 2"):
        task.given(load("line"), "float64")
    hinge = task_of(build({"inputs": {"x": {"size": 2, "batch": "n"}}, "targets": {"y": {}}, "layers": [{"units": 1}], "loss": "hinge"}))
    assert hinge.given(load("xor"), "float64").y.tolist() == [[-1], [1], [1], [-1]]


def test_a_csv_file_beside_its_spec(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("hours,score\n" + "".join(f"{k},{3 * k + 2}\n" for k in range(8)))
    (tmp_path / "line.yaml").write_text("title: A line\ndata: {file: scores.csv, inputs: [hours]}\nlayers: [{units: 1}]\nloss: mse\nlearning_rate: 0.05\ntrain: {epochs: 600}\n")
    done = CliRunner().invoke(main, ["train", str(tmp_path / "line.yaml"), "--to", "json", "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    import json

    learnt = json.loads((tmp_path / "out" / "line-history.json").read_text())["parameters"]
    assert learnt["W1"] == pytest.approx(3, abs=1e-3) and learnt["b1"] == pytest.approx(2, abs=1e-2)
    wrong = CliRunner().invoke(main, ["train", str(tmp_path / "line.yaml"), "--data", "non.csv"])
    assert wrong.exit_code == 2 and "no such file" in wrong.output

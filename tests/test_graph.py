"""The computational graph: nothing lies upon anything else, on paper as in the layout."""

import os
import random
import re
import shutil
import subprocess
import sys
from itertools import combinations, pairwise
from pathlib import Path

import pytest

from symbolic.render.graph import pictures
from symbolic.render.layered import AIRY, ROOMY, SMALL, TIGHT, Box, Edge, Layout, Node, layout, least, ranks

ROOT = Path(__file__).parent.parent
STYLE = r"""\usepackage[T1]{fontenc}\usepackage{lmodern,amsmath,tikz}
\definecolor{ink}{HTML}{1B2733}\definecolor{soft}{HTML}{5B6770}\definecolor{hair}{HTML}{D5DBE1}
\definecolor{fOne}{HTML}{00639C}\definecolor{fTwo}{HTML}{B34700}\definecolor{fThree}{HTML}{00745A}
\definecolor{fFour}{HTML}{8A3A78}\definecolor{fFive}{HTML}{7A5C00}
"""
MM = 72 / 25.4  # big points, the unit of pdftotext
MARGIN = 10.0
tex = pytest.mark.skipif(not (shutil.which("pdflatex") and shutil.which("pdftotext")), reason="needs TeX and poppler")


def number(r: random.Random) -> str:
    return r.choice([f"{r.uniform(-9, 9):.4f}", f"{r.uniform(-.01, .01):.6f}",
                     rf"{r.uniform(-9, 9):.3f}\cdot10^{{-5}}", "3", ""])


def dag(seed: int) -> tuple[list[Node], list[Edge]]:
    r = random.Random(seed)
    nodes, edges = [], []
    for i in range(r.randint(1, 30)):
        sources = r.sample(range(i), min(i, r.choice([0, 1, 1, 2, 2, 3]))) * r.choice([1, 1, 1, 2])
        kind = r.choice(["sign", "value", "loss"]) if sources else r.choice(["input", "parameter"])
        name = r.choice([r"\times", "+", r"\exp"]) if kind == "sign" else rf"v^{{({i})}}_{{{i}}}"
        nodes.append(Node(f"n{i}", name, "value" if kind == "sign" else kind, r.choice(["", "", r"\tanh(u_1)"])))
        edges += [Edge(f"n{s}", f"n{i}", number(r), number(r)) for s in sources]
    return nodes, edges + [Edge(nodes[-1].id, "", number(r), "1")]


def overlap(a: Box, b: Box) -> bool:
    return a.left < b.right - .01 and b.left < a.right - .01 and a.bottom < b.top - .01 and b.bottom < a.top - .01


def check(laid: Layout, edges: list[Edge]) -> None:
    labels = [box for box in laid.labels if box]
    boxes = [*laid.nodes.values(), *labels]
    for a, b in combinations(boxes, 2):
        assert not overlap(a, b)
    for box in boxes:
        assert box.left > -.02 and box.bottom > -.02 and box.right < laid.width + .02 and box.top < laid.height + .02
    for edge, wire, own in zip(edges, laid.wires, laid.labels):
        assert all(-.02 < x < laid.width + .02 and -.02 < y < laid.height + .02 for x, y in wire)
        foreign = [box for name, box in laid.nodes.items() if name not in (edge.source, edge.target)]
        foreign += [box for box in labels if box is not own]
        shrunk = [Box(b.x, b.y, b.width - .04, b.up - .02, b.down - .02) for b in foreign]
        assert not any(box.meets(p, q) for p, q in pairwise(wire) for box in shrunk)
        if own:  # the wire runs level through the middle of its label
            assert any(p[1] == q[1] == own.y and p[0] <= own.left + .02 and own.right - .02 <= q[0]
                       for p, q in pairwise(wire))


@pytest.mark.parametrize("seed", range(100))
def test_nothing_overlaps_in_any_layout(seed: int) -> None:
    nodes, edges = dag(seed)
    check(layout(nodes, edges, (ROOMY, AIRY, TIGHT, SMALL)[seed % 4], width=142, height=60), edges)


def test_a_planted_overlap_is_found() -> None:
    nodes, edges = dag(4)
    laid = layout(nodes, edges)
    first, second = list(laid.nodes)[:2]
    with pytest.raises(AssertionError):
        check(Layout({**laid.nodes, second: laid.nodes[first]}, laid.labels, laid.wires, laid.width, laid.height), edges)


def size(picture: str) -> tuple[float, float]:
    found = re.search(r"rectangle \(([\d.]+),([\d.]+)\)", picture)
    assert found
    return float(found[1]), float(found[2])


@pytest.mark.parametrize("seed", range(20))
def test_pictures_fit_and_draw_each_wire_once(seed: int) -> None:
    nodes, edges = dag(seed)
    room = ((142, 62), (50, 60))[seed % 2]
    drawn = pictures(nodes, edges, width=room[0], height=room[1])
    for picture in drawn:
        assert size(picture)[0] <= room[0] and size(picture)[1] <= room[1]
        assert "resizebox" not in picture and "scale" not in picture
    text = "\n".join(drawn)
    assert text.count(r"\draw") == len(edges)
    assert text.count(r"\cgvalue") == sum(bool(edge.above) for edge in edges)
    assert text.count(r"\cggradient") == sum(bool(edge.below) for edge in edges)
    solid = [line for line in text.splitlines() if line.startswith(r"\node") and "repeated" not in line]
    assert text.count(r"\node") >= len(nodes) >= len(solid)


def test_a_box_with_too_many_wires_is_shared_out() -> None:
    nodes = [Node(f"x{i}", f"x_{{{i}}}", "input") for i in range(25)] + [Node("s", "s", "value")]
    edges = [Edge(f"x{i}", "s", "0.1234", "-0.5678") for i in range(25)]
    drawn = pictures(nodes, edges, width=142, height=60)
    assert len(drawn) > 1
    assert all("{$s$}" in picture and picture.count("cg repeated") == 1 for picture in drawn)


@pytest.mark.parametrize("seed", range(20))
def test_no_layout_is_smaller_than_the_least(seed: int) -> None:
    nodes, edges = dag(seed)
    laid, (narrowest, lowest) = layout(nodes, edges, SMALL, width=50, height=60), least(nodes, edges, SMALL)
    assert narrowest <= laid.width and .7 * laid.height - 5 <= lowest <= laid.height


def test_leaves_stand_just_before_their_first_use() -> None:
    nodes = [Node(name, name, "value") for name in "abcd"]
    edges = [Edge("a", "b"), Edge("b", "c"), Edge("d", "c")]
    assert ranks(nodes, edges) == {"a": 0, "b": 1, "c": 2, "d": 1}


@pytest.mark.parametrize("edges, sentence", [
    ([Edge("a", "b"), Edge("b", "a")], "cycle"),
    ([Edge("a", "z")], "'z'"),
])
def test_what_is_no_graph_is_refused(edges: list[Edge], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        layout([Node("a", "a", "value"), Node("b", "b", "value")], edges)


def test_same_bytes_in_every_process() -> None:
    program = ("import sys; sys.path.insert(0, 'tests'); import random; from test_graph import *;"
               "print([pictures(*dag(seed), width=142, height=60) for seed in (1, 5)])")
    outputs = set()
    for seed in ("0", "77"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        outputs.add(subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=env, check=True,
                                   capture_output=True, text=True).stdout)
    assert len(outputs) == 1


def compiled(body: str, folder: Path) -> tuple[str, str]:
    """The log of one run of pdflatex, and the words' boxes."""
    figures = (ROOT / "templates" / "figures.tex").read_text()
    (folder / "t.tex").write_text(rf"\documentclass[11pt]{{article}}{STYLE}{figures}\begin{{document}}{body}\end{{document}}")
    run = subprocess.run(["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "-no-shell-escape", "t.tex"],
                         cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout[-2000:]
    boxes = ""
    if (folder / "t.pdf").exists():
        boxes = subprocess.run(["pdftotext", "-bbox", "t.pdf", "-"], cwd=folder, capture_output=True, text=True, check=False).stdout
    return run.stdout, boxes


def page(picture: str, width: float, height: float) -> str:
    """The picture alone on a page, its lower left corner at (MARGIN, MARGIN)."""
    return (rf"\setbox0\hbox{{{picture}}}\pdfhorigin={MARGIN}mm\pdfvorigin={MARGIN}mm\hoffset=0pt\voffset=0pt"
            rf"\pdfpagewidth={width + 2 * MARGIN}mm\pdfpageheight={height + 2 * MARGIN}mm\shipout\box0" + "\n")


@tex
def test_words_on_paper_stand_in_their_own_boxes(tmp_path: Path) -> None:
    graphs = [(dag(seed), style) for seed, style in zip((2, 5, 13, 21), (ROOMY, SMALL, TIGHT, AIRY))]
    from symbolic.render.graph import _tikz

    laid = [layout(*graph, style, width=142) for graph, style in graphs]
    body = "".join(page(_tikz((tuple(graph[0]), tuple(graph[1])), plan, style, set()), plan.width, plan.height)
                   for (graph, style), plan in zip(graphs, laid))
    _, text = compiled(body, tmp_path)
    pages = text.split("<page ")[1:]
    assert len(pages) == len(graphs)
    for plan, words in zip(laid, pages):
        boxes = [*plan.nodes.values(), *(box for box in plan.labels if box)]
        found = re.findall(r'xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">([^<]*)<', words)
        assert found
        placed = []
        for *corners, word in found:
            left, top, right, bottom = (float(c) / MM - MARGIN for c in corners)
            y = plan.height - (top + bottom) / 2
            inside = [b for b in boxes if b.left - .1 <= left and right <= b.right + .1 and b.bottom - .6 <= y <= b.top + .6]
            assert inside, f"{word} at {left:.1f}, {y:.1f} stands in no box"
            # the glyphs' ink is about 0.7 of the height that pdftotext reports
            core = .3 * (bottom - top)
            placed.append((min(inside, key=lambda b: abs(b.y - y)), Box((left + right) / 2, y, right - left, core, core)))
        for (a, one), (b, two) in combinations(placed, 2):
            assert a is b or not overlap(one, two)

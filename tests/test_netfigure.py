"""The network drawn: every unit that matters is visible, and the picture keeps to its room."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from symbolic.render.netfigure import Mark, network, shown

ROOT = Path(__file__).parent.parent
COLUMN, FRAME = (50.0, 60.0), (140.0, 60.0)
NAMES = ["input", "hidden, leaky relu", "output, softmax"]
PATH: list[Mark] = [(0, 1, 0, "fFour"), (1, 0, 0, "fThree"), (2, 0, 0, "fOne")]


def labels(*sizes: int) -> list[list[str]]:
    return [[rf"a^{{({layer})}}_{{{unit + 1}}}" for unit in range(size)] for layer, size in enumerate(sizes)]


def size(picture: str) -> tuple[float, float]:
    found = re.search(r"boundingbox \(([-\d.]+),([-\d.]+)\) rectangle \(([-\d.]+),([-\d.]+)\)", picture)
    assert found
    left, bottom, right, top = map(float, found.groups())
    return right - left, top - bottom


@pytest.mark.parametrize("room", [COLUMN, FRAME])
@pytest.mark.parametrize("sizes", [(1, 1), (2, 2, 1), (4, 8, 8, 3), (64, 512, 10), (3,) * 6, (8,) * 4, (2,) * 33])
@pytest.mark.parametrize("names", [(), NAMES])
@pytest.mark.parametrize("loss", ["", "L"])
def test_fits(room: tuple[float, float], sizes: tuple[int, ...], names: list[str], loss: str) -> None:
    picture = network(labels(*sizes), loss=loss, names=names, width=room[0], height=room[1])
    wide, high = size(picture)
    assert wide <= room[0] + .01 and high <= room[1] + .01
    used = re.findall(r"net unit=(\\\w+)", picture)
    assert used and set(used) <= {r"\small", r"\footnotesize", r"\scriptsize"}


def test_all_units_and_connections_of_a_small_network() -> None:
    picture = network(labels(2, 3, 1), loss="L", names=NAMES, width=140, height=60)
    assert picture.count("net unit=") == 6 and picture.count("net loss=") == 1
    [hairlines] = [line for line in picture.splitlines() if "net edge" in line]
    assert hairlines.count("--") == 2 * 3 + 3 * 1 + 1
    assert all(word in picture for word in ("{input}", "{hidden, leaky relu}", "{output, softmax}"))


def test_eight_units_stand_and_nine_are_elided() -> None:
    assert network(labels(8, 1), width=140, height=60).count("net unit=") == 9
    nine = network(labels(9, 1), width=140, height=60)
    assert nine.count("net unit=") == 6 and nine.count(r"\vdots") == 1 and "{9 units}" in nine


def test_a_highlighted_unit_is_never_elided() -> None:
    picture = network(labels(64, 512, 10), highlight=[(0, 30, 400, "fFour"), (1, 400, 5, "fThree")], width=50, height=60)
    for node in ("n0-30", "n1-400", "n2-5"):
        assert f"({node}) at" in picture
    assert r"\draw[net path=fFour] (n0-30) -- (n1-400);" in picture


def test_path_rings_and_weight_label() -> None:
    picture = network(labels(2, 2, 1), loss="L", highlight=PATH, weights={(0, 1, 0): "w_{12}", (0, 0, 1): "w_{21}"},
                      width=140, height=60)
    rings = re.findall(r"net ring=(\w+)\] \((n\d-\d)\)", picture)
    assert rings == [("fFour", "n0-1"), ("fThree", "n1-0"), ("fOne", "n2-0"), ("fOne", "n3-0")]
    assert picture.count("net path=") == 3 and "{$w_{12}$}" in picture and "{$w_{21}$}" in picture


def test_a_connection_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no connection \(2, 0, 0\)"):
        network(labels(2, 2, 1), highlight=[(2, 0, 0, "fOne")], width=50, height=60)


@pytest.mark.parametrize("count, room, must", [(9, 6, ()), (512, 6, {200}), (20, 5, {3, 17}), (10, 6, {4, 6})])
def test_shown_rises_and_holds_what_it_must(count: int, room: int, must: set[int]) -> None:
    rows = shown(count, room, must)
    units = [row for row in rows if row is not None]
    assert units == sorted(set(units)) and set(must) <= set(units) and len(rows) <= max(room, 2 * len(must) + 1)


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs TeX")
def test_no_overfull_box(tmp_path: Path) -> None:
    shutil.copy(ROOT / "templates" / "figures.tex", tmp_path)
    cases = [network(labels(*sizes), loss="L", names=names, width=room[0], height=room[1], highlight=PATH if sizes == (2, 2, 1) else ())
             for sizes in ((2, 2, 1), (4, 8, 8, 3), (64, 512, 10), (2,) * 12) for names in ((), NAMES) for room in (COLUMN, FRAME)]
    colours = "".join(rf"\definecolor{{{name}}}{{gray}}{{.4}}" for name in "ink soft hair fOne fTwo fThree fFour fFive".split())
    frames = "".join(rf"\begin{{frame}}\noindent\hbox to {FRAME[0]}mm{{{case}\hss}}\end{{frame}}" + "\n" for case in cases)
    (tmp_path / "t.tex").write_text(
        r"\documentclass[aspectratio=169,11pt]{beamer}\usepackage[T1]{fontenc}\usepackage{lmodern,amsmath,tikz}"
        rf"{colours}\input{{figures}}\usefonttheme[onlymath]{{serif}}\setbeamersize{{text margin left=9mm,text margin right=9mm}}"
        rf"\begin{{document}}{frames}\end{{document}}")
    run = subprocess.run(["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "-no-shell-escape", "t.tex"],
                         cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout[-2000:]
    assert "Overfull" not in run.stdout and "Missing character" not in run.stdout

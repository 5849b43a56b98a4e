"""Slices, windows, blocks and convolutions: the adjoint law, a library beside ours, and index lines that say their entry."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from mpmath import mp
from scipy import signal

from symbolic.expr import Expr, sym, walk
from symbolic.index import at_index, entry
from symbolic.language.arithmetic import MP, entries
from symbolic.language.parse import parse
from symbolic.language.takes import convolve, fixed, part, put, reshape, windows
from symbolic.rules import pull


def numbers(shape: tuple[int, int], seed: int) -> list[list[Any]]:
    random = np.random.default_rng(seed)
    return [[mp.mpf(int(v)) for v in row] for row in random.integers(-9, 10, shape)]


def floats(cells: list[list[Any]]) -> Any:
    return np.array([[float(v) for v in row] for row in cells])


SHAPES = st.tuples(st.integers(1, 5), st.integers(2, 5))


@st.composite
def slides(draw: st.DrawFn) -> Expr:
    image = draw(SHAPES)
    padding = draw(st.integers(0, 2))
    room = [d + 2 * (padding if d > 1 else 0) for d in image]
    kernel = (draw(st.integers(1, min(3, room[0]))), draw(st.integers(1, min(3, room[1]))))
    return convolve(sym("X", image), sym("K", kernel), draw(st.integers(1, 3)), padding)


@given(slides(), st.integers(0, 99))
def test_convolution_is_that_of_a_library(e: Expr, seed: int) -> None:
    x, k = numbers(e.data.shapes[0], seed), numbers(e.data.shapes[1], seed + 1)
    up, left = e.data.pads
    whole = signal.correlate2d(np.pad(floats(x), ((up, up), (left, left))), floats(k), mode="valid")
    assert np.array_equal(floats(entries(e, {"X": x, "K": k}, MP)), whole[::e.data.stride, ::e.data.stride])


@given(slides(), st.integers(0, 99))
def test_the_gradients_of_a_convolution_are_its_adjoints(e: Expr, seed: int) -> None:
    """<g, K * x> = <x, gradient of x> = <K, gradient of K>, exactly, in whole numbers."""
    shapes = e.data.shapes
    env = {"X": numbers(shapes[0], seed), "K": numbers(shapes[1], seed + 1), "g": numbers(shapes[2], seed + 2)}
    g = sym("g", shapes[2])
    value = np.vdot(floats(env["g"]), floats(entries(e, env, MP)))
    for k, name in enumerate(("X", "K")):
        assert np.vdot(floats(env[name]), floats(entries(pull(e, g, k), env, MP))) == value


@st.composite
def moves(draw: st.DrawFn) -> Expr:
    shape = draw(SHAPES)
    x = sym("X", shape)
    rows = draw(st.none() | st.lists(st.integers(0, shape[0] - 1), min_size=1, max_size=4))
    columns = draw(st.none() | st.lists(st.integers(0, shape[1] - 1), min_size=1, max_size=4))
    size = (draw(st.integers(1, shape[0])), draw(st.integers(1, shape[1])))
    return draw(st.sampled_from([part(x, rows, columns), reshape(x, (shape[1], shape[0])), windows(x, size, draw(st.integers(1, 2)), draw(st.integers(0, 1)))]))


@given(moves(), st.integers(0, 99))
def test_putting_back_is_the_adjoint_of_taking(e: Expr, seed: int) -> None:
    if e.op == "sym":
        return
    x, g = numbers(e.data.source, seed), numbers(e.data.shape, seed + 1)
    taken = floats(entries(e, {"X": x}, MP))
    back = floats(entries(put(sym("g", e.data.shape), e.data), {"g": g}, MP))
    assert np.vdot(taken, floats(g)) == np.vdot(floats(x), back)


@given(moves(), st.integers(0, 99))
def test_an_index_line_of_what_was_sent_back_says_its_entry(e: Expr, seed: int) -> None:
    """A sum with an indicator, or the gradient at a computed place; the second printing of a value is left to general reshapes."""
    if e.op == "sym":
        return
    back = put(sym("g", e.data.shape), e.data)
    check_index_lines(e, {"X": numbers(e.data.source, seed)})
    check_index_lines(back, {"g": numbers(e.data.shape, seed)})
    assert e.data.word == "reshape" or not any(n.op in ("put", "take") for n in walk(entry(back, "i", "j")))


@given(SHAPES, st.integers(1, 3), st.integers(1, 3), st.integers(1, 2), st.integers(0, 99))
def test_windows_are_those_of_numpy(shape: tuple[int, int], down: int, across: int, stride: int, seed: int) -> None:
    size = (min(down, shape[0]), min(across, shape[1]))
    x = numbers(shape, seed)
    seen = np.lib.stride_tricks.sliding_window_view(floats(x), size)[::stride, ::stride]
    assert np.array_equal(floats(entries(windows(sym("X", shape), size, stride), {"X": x}, MP)), seen.reshape(-1, size[0] * size[1]).T)


@given(slides(), st.integers(0, 99))
def test_an_index_line_of_a_convolution_says_its_entry(e: Expr, seed: int) -> None:
    check_index_lines(e, {"X": numbers(e.data.shapes[0], seed), "K": numbers(e.data.shapes[1], seed + 1), "g": numbers(e.data.shapes[2], seed + 2)})
    g = sym("g", e.data.shapes[2])
    for k in (0, 1):
        check_index_lines(pull(e, g, k), {"X": numbers(e.data.shapes[0], seed), "K": numbers(e.data.shapes[1], seed + 1), "g": numbers(e.data.shapes[2], seed + 2)})


def check_index_lines(e: Expr, env: dict[str, Any]) -> None:
    letters = [x if d != 1 else None for x, d in zip(("i", "j"), fixed(e), strict=True)] if e.shape else [None, None]
    line = entry(e, *letters)
    for p, row in enumerate(entries(e, env, MP)):
        for q, value in enumerate(row):
            where = {x: at for x, at in zip(letters, (p, q), strict=True) if x}
            assert at_index(line, env, where, MP) == value, (line, where)


@pytest.mark.parametrize("source", ["X[1]", "X[:, 2]", "X[1:3, 0:2]", "X[[2, 0]]", "conv(X, K)", "conv(X[0:3, 1:4], K)", "conv(X @ X.T, K)", "concat(X, X)", "flatten(X)",
                                    "max_pool(X, size=2)", "X[1, 2]*X[0]"])
def test_index_lines_of_whatever_can_be_written(source: str) -> None:
    e = parse(source, {"X": sym("X", (4, 4)), "K": sym("K", (2, 2))})
    check_index_lines(e, {"X": numbers((4, 4), 1), "K": numbers((2, 2), 2)})

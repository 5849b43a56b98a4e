"""The table of layers: each row writes the equations of one layer, in columns or in rows.

A sequence is a batch whose examples are the positions; an image is a matrix, one a channel.

>>> sorted(LAYERS)[:4]
['attention', 'average', 'average_pool', 'batch_norm']
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from .. import expr as ex
from ..errors import SpecError, nearest
from ..expr import Dim, Expr, Shape
from ..functions import FUNCTIONS, VECTOR_FUNCTIONS, Row, VectorRow
from ..language.parsemoves import average, largest, pool
from ..language.takes import concat, convolve, fixed, part, reach, reshape, windows
from ..network import Equation, LayerPlan, Shortcut, Symbol

LARGEST_VOCABULARY = 2000
Rhs = Expr | tuple[Expr, ...]


@dataclass(frozen=True)
class Place:
    """Where a layer stands: its number, what comes in, the batch, the convention; maps: the images, one a channel."""

    layer: int
    a: Expr
    features: Dim
    samples: Dim | None
    rows: bool
    maps: tuple[Expr, ...] | None = None

    def oriented(self, features: Dim, samples: Dim | None) -> Shape:
        """The shape of that many features of that many examples."""
        n: Dim = 1 if samples is None else samples
        return (n, features) if self.rows else (features, n)

    def times(self, w: Expr, x: Expr) -> Expr:
        """W x in columns, X W in rows."""
        return ex.node("matmul", (x, w) if self.rows else (w, x))

    def weights(self, out: Dim, into: Dim) -> Shape:
        """The shape of a weight matrix."""
        return (into, out) if self.rows else (out, into)

    def every_example(self, v: Expr) -> Expr:
        """One value a feature, repeated for every example."""
        one = ex.ones(self.oriented(1, self.samples))
        return v if one == ex.ONE else ex.node("matmul", (one, v) if self.rows else (v, one))

    def every_feature(self, v: Expr) -> Expr:
        """One value an example, repeated for every feature."""
        one = ex.ones(self.oriented(self.features, None))
        return v if one == ex.ONE or not v.shape else ex.node("matmul", (v, one) if self.rows else (one, v))

    def mean(self, e: Expr, over: str) -> Expr:
        """The mean over the features or the examples."""
        axis = (1 if self.rows else 0) if over == "features" else (0 if self.rows else 1)
        size = self.features if over == "features" else self.samples or 1
        return ex.mul(1 / ex.size(size), ex.node("sum", (e,), axis)) if e.shape else e

    def example(self, t: int) -> Expr:
        """One example of the batch: what a sequence holds at position t (from 0)."""
        return part(self.a, [t], None) if self.rows else part(self.a, None, [t])


class Board:
    """One layer being written: it names parameters, constants and equations under the number of the layer."""

    def __init__(self, at: Place, plan: LayerPlan, *, last: bool = False, image: bool = False) -> None:
        self.at, self.last = at, last
        self.symbols: dict[str, Symbol] = {}
        self.equations: list[Equation] = []
        self.constants: dict[str, Any] = {}
        self.shortcuts: list[Shortcut] = []
        self.features: Dim = plan.units
        self.samples = at.samples
        self.named = False
        self.images = image
        self.feature_letters = ("i", "j") if image else ("m", "i") if at.rows else ("i", "m")
        self.unit_letters = ("i", "j") if image else ("m", "j") if at.rows else ("j", "m")

    def name(self, base: str, tag: str) -> str:
        return f"{base}{self.at.layer}" + (f"_{tag}" if tag else "")

    def _symbol(self, base: str, tag: str, shape: Shape, kind: str, letters: tuple[str, str], out: bool = False) -> Symbol:
        last = out and self.last
        letter = "y_hat" if last else base.lower() + (f"_{tag}" if tag else "")
        return Symbol(self.name(base, tag), shape, kind, letter, None if last else self.at.layer, letters=letters, as_written=False)

    def parameter(self, base: str, shape: Shape, tag: str = "", letters: tuple[str, str] = ("i", "j")) -> Expr:
        """A value that training changes."""
        s = self._symbol(base, tag, shape, "parameter", letters)
        self.symbols[s.name] = s
        return s.expr

    def constant(self, base: str, cells: list[list[Any]], letters: tuple[str, str]) -> Expr:
        """A value that the spec fixes and nothing changes, such as a mask."""
        s = self._symbol(base, "", (len(cells), len(cells[0])), "constant", letters)
        self.symbols[s.name] = s
        self.constants[s.name] = cells
        return s.expr

    def let(self, base: str, rhs: Expr, tag: str = "", *, letters: tuple[str, str] | None = None, out: bool = False) -> Expr:
        """One more line: a named value and its right-hand side."""
        letters = letters or (self.unit_letters if out and self.last else self.feature_letters)
        s = self._symbol(base, tag, rhs.shape, "value", letters, out)
        self.symbols[s.name] = s
        self.equations.append(Equation(s.name, rhs))
        return s.expr


@dataclass(frozen=True)
class LayerType:
    """A kind of layer.

    build: writes its equations on the board and gives z (one a channel for images); options: keys of the
    spec with their defaults; reads: 'vectors', 'images' or 'indices'; activation: the usual one; sized: whether
    the file says how many units; without: keys of other layers that it has no use for; used: where it is met.
    """

    name: str
    build: Callable[[LayerPlan, Place, Board], Rhs]
    because: str
    options: Mapping[str, Any] = field(default_factory=dict)
    reads: str = "vectors"
    activation: str = "identity"
    sized: bool = False
    without: tuple[str, ...] = ()
    used: str = ""


# ---------------------------------------------------------------- layers of units

def activations() -> dict[str, Row | VectorRow]:
    """The rows that a layer may have as its activation, by name."""
    every: dict[str, Row | VectorRow] = {**FUNCTIONS, **VECTOR_FUNCTIONS}
    return {n: r for n, r in every.items() if r.activation}


def activate(plan: LayerPlan, z: Expr, board: Board) -> Expr:
    """The activation of a layer applied; one with more arguments (PReLU) learns them, once a layer, or alpha chooses one."""
    name, alpha = plan.activation, plan.option("alpha")
    if name in VECTOR_FUNCTIONS and VECTOR_FUNCTIONS[name].activation:
        if not z.shape:
            raise SpecError(f"{name} over a single unit is always 1; it needs at least 2 units")
        return ex.node("over", (z,), (name, 1 if board.at.rows else 0))
    if name not in FUNCTIONS or not FUNCTIONS[name].activation:
        raise SpecError(f"unknown activation {name!r}", hint=nearest(name, activations()))
    more = [board.parameter(n, ()) for n in FUNCTIONS[name].names[1:]] if alpha is None else [ex.num(alpha).with_role("decimal")]
    return ex.node("call", (z, *more), name if alpha is None else FUNCTIONS[name].general)


def _dense(plan: LayerPlan, at: Place, board: Board) -> Expr:
    letters = ("i", "j") if at.rows else ("j", "i")
    w = board.parameter("W", at.weights(plan.units, at.features), letters=letters)
    z = at.times(w, at.a)
    if not plan.bias:
        return z
    b = board.parameter("b", at.oriented(plan.units, None), letters=board.unit_letters)
    return ex.node("add", (z, at.every_example(b)))


def _average(plan: LayerPlan, at: Place, board: Board) -> Expr:
    board.features = 1
    return at.mean(at.a, "features")


def _dropout(plan: LayerPlan, at: Place, board: Board) -> Expr:
    board.features = at.features
    mask, rate = plan.option("mask"), plan.option("rate")
    if mask is None:
        raise SpecError(f"layer {at.layer}: missing mask", hint="write the units that stay, as in mask: [1, 0, 1]")
    if not isinstance(mask, (tuple, list)):
        raise SpecError(f"layer {at.layer}: a mask is a list", hint="as in mask: [1, 0, 1]")
    kept = [list(row) for row in mask] if isinstance(mask[0], (tuple, list)) else [list(mask)]
    cells = kept if at.rows else [list(c) for c in zip(*kept, strict=True)]
    if any(v not in (0, 1) for row in cells for v in row):
        raise SpecError(f"layer {at.layer}: a mask holds 0 (dropped) and 1 (kept)")
    one = isinstance(at.samples, int) and len(kept) == 1 < at.samples
    found, wanted = (len(kept), len(kept[0])), (1 if one or at.samples is None else at.samples, at.features)  # as the file has it
    if found != wanted:
        raise SpecError(f"layer {at.layer}: the mask is {ex.show_shape(found)}, expected {ex.show_shape(wanted)} (one row an example, one column a unit)")
    m = board.constant("m", cells, board.feature_letters)
    m = at.every_example(m) if one else m
    return ex.mul(ex.num(1 / (1 - rate)), ex.node("mul", (m, at.a)))


# ---------------------------------------------------------------- normalization

def _normalized(over: str) -> Callable[[LayerPlan, Place, Board], Expr]:
    """Batch norm (over the examples) and layer norm (over the features): centre, scale to variance 1, shift."""
    def build(plan: LayerPlan, at: Place, board: Board) -> Expr:
        if over == "examples" and at.samples is None:
            raise SpecError(f"layer {at.layer}: batch_norm needs a batch, and there is one example")
        if over == "features" and at.features == 1:
            raise SpecError(f"layer {at.layer}: layer_norm needs at least 2 features")
        board.features = at.features
        spread = at.every_feature if over == "features" else at.every_example
        mu = board.let("mu", at.mean(at.a, over))
        c = board.let("c", ex.node("add", (at.a, ex.node("neg", (spread(mu),)))))
        v = board.let("v", at.mean(ex.node("mul", (c, c)), over))
        epsilon = board.constant("epsilon", [[plan.option("epsilon")]], ("i", "j"))
        s = board.let("s", ex.node("call", (ex.node("add", (v, epsilon)),), "sqrt"))
        x_hat = board.let("x_hat", ex.node("div", (c, spread(s))))
        if at.a.op == "sym":
            board.shortcuts.append(_through_norm(at, over, spread, x_hat, s))
        gamma = board.parameter("gamma", at.oriented(at.features, None), letters=board.feature_letters)
        beta = board.parameter("beta", at.oriented(at.features, None), letters=board.feature_letters)
        return ex.node("add", (ex.node("mul", (at.every_example(gamma), x_hat)), at.every_example(beta)))

    return build


def _through_norm(at: Place, over: str, spread: Callable[[Expr], Expr], x_hat: Expr, s: Expr) -> Shortcut:
    """The whole way back through mean and variance (Ioffe and Szegedy 2015, put together)."""
    g = ex.grad("L", x_hat.data, x_hat.shape)
    inner = g - spread(at.mean(g, over)) - x_hat * spread(at.mean(g * x_hat, over))
    return Shortcut("L", at.a.data, inner / spread(s), "normalization",
                    f"Theorem: all paths together take from the gradient its mean over the {over} and its part along the output, then scale.")


# ---------------------------------------------------------------- images

def _kernel(plan: LayerPlan, at: Place, key: str = "kernel") -> tuple[int, int]:
    size = plan.option(key)
    if size is None:
        raise SpecError(f"layer {at.layer}: missing {key}", hint=f"write {key}: 2 or {key}: [2, 3]")
    rows, columns = size if isinstance(size, tuple) else (size, size)
    return (1, columns) if plan.type == "conv1d" or (at.maps and fixed(at.maps[0])[0] == 1) else (rows, columns)


def _convolution(plan: LayerPlan, at: Place, board: Board) -> Rhs:
    maps = at.maps or ()
    kernel, outs = _kernel(plan, at), []
    for k in range(int(plan.units)):
        terms = []
        for c, image in enumerate(maps):
            tag = (str(k + 1) if plan.units != 1 else "") + (str(c + 1) if len(maps) > 1 else "")
            w = board.parameter("W", kernel, tag, letters=("p", "q"))
            terms.append(convolve(image, w, plan.option("stride") or 1, plan.option("padding")))
        if plan.bias:
            b = board.parameter("b", (), str(k + 1) if plan.units != 1 else "")
            terms.append(ex.node("mul", (b, ex.ones(terms[0].shape))) if terms[0].shape else b)
        outs.append(terms[0] if len(terms) == 1 else ex.node("add", terms))
    return tuple(outs)


def _pooling(fold: Callable[[Expr], Expr]) -> Callable[[LayerPlan, Place, Board], Rhs]:
    def build(plan: LayerPlan, at: Place, board: Board) -> Rhs:
        size = _kernel(plan, at, "size")
        if plan.option("stride") is None and size[0] != size[1] and fixed((at.maps or (at.a,))[0])[0] > 1:
            raise SpecError(f"layer {at.layer}: windows of {ex.show_shape(size)} need a stride", hint="as in stride: 1")
        stride, outs = plan.option("stride") or max(size), []
        for k, image in enumerate(at.maps or ()):
            if fold is average:
                outs.append(pool(image, size, stride, fold))
                continue
            tag = str(k + 1) if len(at.maps or ()) > 1 else ""
            shape = reach(fixed(image), size, stride, 0, ex.text(image))
            outs.append(reshape(fold(board.let("u", windows(image, size, stride), tag)), shape))
        return tuple(outs)

    return build


def _flatten(plan: LayerPlan, at: Place, board: Board) -> Expr:
    columns = [reshape(m, (fixed(m)[0] * fixed(m)[1], 1), "vec") for m in at.maps or ()]
    board.features = sum(fixed(c)[0] for c in columns)
    whole = concat(columns, 0)
    return ex.node("T", (whole,)) if at.rows else whole


# ---------------------------------------------------------------- sequences

def _embedding(plan: LayerPlan, at: Place, board: Board) -> Expr:
    ids, size = plan.option("ids"), plan.option("vocabulary")
    if ids is None:
        raise SpecError(f"layer {at.layer}: the input of an embedding is a list of whole numbers, as in inputs: {{x: [2, 0, 1]}}")
    if size is None:
        raise SpecError(f"layer {at.layer}: missing vocabulary", hint="write how many words there are, as in vocabulary: 5")
    if size > LARGEST_VOCABULARY:
        raise SpecError(f"layer {at.layer}: vocabulary {size:,}; at most {LARGEST_VOCABULARY:,} words fit a page")
    board.samples = ex.Samples(len(ids)) if len(ids) > 1 else None
    words = part(board.parameter("E", at.weights(plan.units, size)), *((ids, None) if at.rows else (None, ids)))
    return words if board.samples is None else Expr(words.op, words.args, words.data, at.oriented(plan.units, board.samples))  # each word is an example


def _steps(at: Place, kind: str) -> int:
    if not isinstance(at.samples, int):
        raise SpecError(f"layer {at.layer}: {kind} reads a sequence: one row a time step, as in inputs: {{x: [[1], [2], [3]]}}")
    return int(at.samples)


def _state(plan: LayerPlan, at: Place, board: Board, gate: str) -> Callable[[Expr, Expr | None], Expr]:
    """W x + U h + b of a recurrent cell, with the parameters of one gate."""
    u = plan.units
    w = board.parameter("W", at.weights(u, at.features), gate, letters=("i", "j") if at.rows else ("j", "i"))
    back = board.parameter("U", at.weights(u, u), gate, letters=("i", "j") if at.rows else ("j", "i"))
    b = board.parameter("b", at.oriented(u, None), gate, letters=board.unit_letters) if plan.bias else None

    def z(x: Expr, h: Expr | None) -> Expr:
        terms = [at.times(w, x), *([at.times(back, h)] if h is not None else []), *([b] if b is not None else [])]
        return terms[0] if len(terms) == 1 else ex.node("add", terms)

    return z


def _rnn(plan: LayerPlan, at: Place, board: Board) -> Expr:
    cell, h = _state(plan, at, board, ""), None
    for t in range(_steps(at, "rnn")):
        z = board.let("z", cell(at.example(t), h), str(t + 1), letters=board.unit_letters)
        h = board.let("h", activate(plan, z, board), str(t + 1))
    return _last(board, h)


def _last(board: Board, h: Expr | None) -> Expr:
    board.samples, board.named = None, True
    assert h is not None
    return h


def _lstm(plan: LayerPlan, at: Place, board: Board) -> Expr:
    gates = {g: _state(plan, at, board, g) for g in "figo"}
    h: Expr | None = None
    c: Expr | None = None
    for t in range(_steps(at, "lstm")):
        def gate(name: str, how: str, t: int = t, h: Expr | None = h) -> Expr:
            z = board.let("z", gates[name](at.example(t), h), f"{name}_{t + 1}", letters=board.unit_letters)
            return board.let(name, ex.node("call", (z,), how), str(t + 1))

        kept = ex.node("mul", (gate("f", "sigmoid"), c)) if c is not None else None  # before the first step there is nothing to forget
        fresh = ex.node("mul", (gate("i", "sigmoid"), gate("g", "tanh")))
        o = gate("o", "sigmoid")
        c = board.let("c", fresh if kept is None else ex.node("add", (kept, fresh)), str(t + 1))
        h = board.let("h", ex.node("mul", (o, ex.node("call", (c,), "tanh"))), str(t + 1))
    return _last(board, h)


def _attention(plan: LayerPlan, at: Place, board: Board) -> Expr:
    import sympy

    _steps(at, "attention")
    n, u = at.samples or 1, plan.units
    q, k, v = (board.let(x.upper(), at.times(board.parameter("W", at.weights(u, at.features), x), at.a)) for x in "qkv")
    scores = ex.node("matmul", (q, ex.transpose(k)) if at.rows else (ex.transpose(k), q))
    root = sympy.sqrt(int(u)) if isinstance(u, int) else None
    if root is None:
        raise SpecError(f"layer {at.layer}: attention needs a number of units")
    whole = ex.num(Fraction(int(root))) if root.is_Integer else ex.num(root)
    s = board.let("S", scores if root == 1 else ex.node("div", (scores, whole)), letters=("i", "j"))
    if plan.option("causal"):
        seen = [[Fraction(int((j <= i) if at.rows else (i <= j))) for j in range(int(n))] for i in range(int(n))]
        mask = board.constant("M", seen, ("i", "j"))
        e = board.let("E", ex.node("mul", (ex.node("call", (s,), "exp"), mask)), letters=("i", "j"))
        axis = 1 if at.rows else 0
        below = ex.node("sum", (e,), axis)
        one = ex.ones((1, n) if at.rows else (n, 1))
        p = board.let("P", ex.node("div", (e, ex.node("matmul", (below, one) if at.rows else (one, below)))), letters=("i", "j"))
    else:
        p = board.let("P", ex.node("over", (s,), ("softmax", 1 if at.rows else 0)), letters=("i", "j"))
    o = ex.node("matmul", (p, v) if at.rows else (v, p))
    if not plan.option("project"):
        return o
    board.features = at.features
    return at.times(board.parameter("W", at.weights(at.features, u), "o"), board.let("O", o))


LAYERS: dict[str, LayerType] = {t.name: t for t in (
    LayerType("dense", _dense, "Every unit sees every input.", sized=True, used="everywhere"),
    LayerType("average", _average, "The mean of all units, without weights.", used="examples by hand; the end of many image classifiers"),
    LayerType("dropout", _dropout, "Units with mask 0 are dropped; the others grow by 1/(1 - rate), so that the mean stays.",
              {"mask": None, "rate": Fraction(1, 2)}, used="against overfitting, while training"),
    LayerType("batch_norm", _normalized("examples"), "Every feature gets mean 0 and variance 1 over the batch, then a scale and a shift of its own. "
              "The variance divides by n.", {"epsilon": Fraction(1, 100_000)}, used="image classifiers"),
    LayerType("layer_norm", _normalized("features"), "Every example gets mean 0 and variance 1 over its features, then a scale and a shift.",
              {"epsilon": Fraction(1, 100_000)}, used="transformers and recurrent networks"),
    LayerType("conv1d", _convolution, "A kernel slides along a sequence of numbers (a cross-correlation: the kernel is not flipped).",
              {"kernel": None, "stride": 1, "padding": 0}, "images", sized=True, without=("residual",), used="sound and other series"),
    LayerType("conv2d", _convolution, "A kernel slides over an image (a cross-correlation: the kernel is not flipped).",
              {"kernel": None, "stride": 1, "padding": 0}, "images", sized=True, without=("residual",), used="pictures"),
    LayerType("max_pool", _pooling(largest), "The largest entry of every window.", {"size": None, "stride": None}, "images", without=("residual",),
              used="between convolutions, to make pictures smaller"),
    LayerType("average_pool", _pooling(average), "The mean of every window.", {"size": None, "stride": None}, "images", without=("residual",), used="between convolutions and at their end"),
    LayerType("flatten", _flatten, "All entries of all images in one vector, row by row.", {}, "images", without=("residual",), used="between the last picture and the first dense layer"),
    LayerType("embedding", _embedding, "Every word has a vector of its own; a look-up copies it.", {"vocabulary": None, "ids": None}, "indices", sized=True, without=("residual",),
              used="the first layer of every language model"),
    LayerType("rnn", _rnn, "The same cell at every time step; the last state goes on. The state before the first step is 0.", {}, "vectors", "tanh", sized=True,
              without=("residual",), used="short sequences"),
    LayerType("lstm", _lstm, "Gates decide what a cell forgets, takes in and shows (Hochreiter and Schmidhuber 1997, with the forget gate of Gers 2000). "
              "State and cell before the first step are 0.", sized=True, without=("activation", "residual"), used="longer sequences, speech"),
    LayerType("attention", _attention, "Every position asks all others: softmax of scaled dot products (Vaswani et al. 2017).",
              {"causal": False, "project": False}, sized=True, used="transformers"),
)}

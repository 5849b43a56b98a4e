"""Random specs for Hypothesis: networks and equations as a person could write them, as YAML would give them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from symbolic.layers import activations
from symbolic.losses import LOSSES

Spec = dict[str, Any]
numbers = st.integers(-150, 150).map(lambda k: f"{k / 100:g}")
shares = st.integers(5, 95).map(lambda k: f"{k / 100:g}")
LAST = {"cross_entropy": ("softmax", "sigmoid"), "binary_cross_entropy": ("sigmoid", "softmax"), "focal": ("sigmoid", "softmax"),
        "kl_divergence": ("softmax", "sigmoid"), "binary_cross_entropy_with_logits": ("identity",), "cross_entropy_with_logits": ("identity",)}


@st.composite
def targets(draw: st.DrawFn, loss: str, outputs: int) -> list[str]:
    """One example's targets, such as the loss is made for."""
    domain = LOSSES[loss].domain
    if domain == "unit" and LOSSES[loss].classes and outputs > 1 and draw(st.booleans()):
        domain = draw(st.sampled_from(["distribution", "one-hot"]))
    if domain == "one-hot":
        true = draw(st.integers(0, outputs - 1))
        return [str(int(k == true)) for k in range(outputs)]
    if domain == "distribution":
        parts = [draw(st.integers(1, 9)) for _ in range(outputs)]
        return [f"{p}/{sum(parts)}" for p in parts]
    return [draw(st.sampled_from(["-1", "1"]) if domain == "sign" else shares) for _ in range(outputs)]


def matrix(draw: st.DrawFn, rows: int, columns: int, entry: st.SearchStrategy[str] = numbers) -> list[list[str]]:
    return [[draw(entry) for _ in range(columns)] for _ in range(rows)]


@st.composite
def networks(draw: st.DrawFn, layers: int = 4, units: int = 8, names: tuple[str, ...] = (), batches: bool = True) -> Spec:
    """Up to so many layers of up to so many units; names: the activations to choose from (default: all)."""
    depth = draw(st.integers(1, layers))
    sizes = [draw(st.integers(1, units)) for _ in range(depth + 1)]
    samples = draw(st.sampled_from([None, None, 1, 2, 3])) if batches else None
    loss = draw(st.sampled_from(sorted(LOSSES)))
    sizes[-1] = max(sizes[-1], LOSSES[loss].least_outputs)
    by_rows = draw(st.booleans())
    made = []
    for i, (fan_in, out) in enumerate(zip(sizes, sizes[1:], strict=False), 1):
        allowed = LAST.get(loss, names or activations()) if i == depth else names or activations()
        allowed = [a for a in allowed if out > 1 or a not in ("softmax", "log_softmax", "logsumexp")]
        W = matrix(draw, fan_in, out) if by_rows else matrix(draw, out, fan_in)
        layer: Spec = {"units": out, "activation": draw(st.sampled_from(allowed)), "W": W}
        if draw(st.booleans()):
            layer["b"] = matrix(draw, 1, out)[0]
        made.append(layer)
    x, y = matrix(draw, samples or 1, sizes[0]), [draw(targets(loss, sizes[-1])) for _ in range(samples or 1)]
    spec = {"inputs": {"x": x if samples else x[0]}, "targets": {"y": y if samples else y[0]}, "layers": made, "loss": loss,
            "learning_rate": "0.1", "convention": "rows" if by_rows else "columns"}
    return spec | ({"reduction": draw(st.sampled_from(["mean", "sum"]))} if samples else {})


SCALAR = ["{s} + {t}", "{s} - {t}", "{s}*{t}", "{s}/(1 + {t}**2)", "({s} + {t})**2", "-{s}", "0.5*{s}", "sigmoid({s})", "tanh({s})", "sin({s})", "relu({s})",
          "softplus({s})", "exp(-{s}**2)", "log(1 + {s}**2)", "sqrt(2 + {s}**2)", "max({s}, {t})", "min(0.25, {s})", "abs({s})", "silu({s})"]
TO_SCALAR = ["sum({v})", "mean({v})", "max({v})", "min({v})", "{v}.T @ {w}", "sum({v}*{w})", "sum({m})", "mean({m}**2)", "{v}.T @ {m} @ {w}", "sum({m}*{n})"]
VECTOR = ["{m} @ {v}", "{m}.T @ {v}", "{v} + {w}", "{v} - {w}", "{v}*{w}", "{s}*{v}", "tanh({v})", "softmax({v})", "{v}/(1 + {w}**2)", "{v} + {s}", "relu({v})",
          "sum({m}, axis=1)", "mean({m}, axis=0).T", "max({m} + W, axis=1)", "{v}**2", "0.5*{v}", "leaky_relu({v})"]
MATRIX = ["{m} @ {n}", "{m}.T", "{v} @ {w}.T", "{m}*{n}", "{m} - {n}", "{s}*{m}", "softmax({m}, axis=1)", "sigmoid({m})", "{v} @ ones(1, 2)", "max({m}, {n})", "{m} + 1"]


@st.composite
def equations(draw: st.DrawFn, matrices: bool = True) -> Spec:
    """Two to five equations, the last a scalar, each written from a few patterns put into one another."""
    known: dict[str, list[str]] = {"s": ["a", "b"], "v": ["x", "p"], "m": ["W", "V"]}
    patterns = {"s": SCALAR + TO_SCALAR if matrices else SCALAR, "v": VECTOR, "m": MATRIX}

    def value(kind: str, depth: int) -> str:
        if depth == 0 or draw(st.integers(0, 2)) == 0:
            return draw(st.sampled_from(known[kind]))
        return "(" + term(kind, depth) + ")"

    def term(kind: str, depth: int) -> str:
        pattern = draw(st.sampled_from(patterns[kind]))
        kinds = {"s": "s", "t": "s", "v": "v", "w": "v", "m": "m", "n": "m"}
        return pattern.format(**{k: value(of, depth - 1) for k, of in kinds.items() if "{" + k + "}" in pattern})

    made: dict[str, str] = {}
    for i in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from("svm" if matrices else "s"))
        made[f"q{i}"] = term(kind, 2)
        known[kind] = [*known[kind], f"q{i}"]
    made["e"] = term("s", 2) if not matrices or not made else " + ".join({"s": "{}", "v": "sum({}**2)", "m": "sum({}*W)"}[k].format(n)
                                                                    for n in made for k in known if n in known[k])
    at: Spec = {"a": draw(numbers), "b": draw(numbers), "x": [draw(numbers) for _ in range(2)], "p": [draw(numbers) for _ in range(2)],
                "W": matrix(draw, 2, 2), "V": matrix(draw, 2, 2)}
    text = " ".join(made.values())
    import re

    return {"equations": made, "at": {n: v for n, v in at.items() if re.search(rf"\b{n}\b", text)}}

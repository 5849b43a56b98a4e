"""Index lines read by a second hand: letters, sums and computed indices such as i+p-1, at given values."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from typing import Any

from mpmath import mp

from symbolic.expr import Expr

RELATIONS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


def place(letter: str, where: Mapping[str, int]) -> int:
    """What an index as printed stands for, counted from 0: 2i+p-1 and the like, (3,1,3)_{m}."""
    if listed := re.fullmatch(r"\(([\d,]+)\)_\{(.*)\}", str(letter)):
        return int(listed[1].split(",")[place(listed[2], where)]) - 1
    total = 0
    for sign, factor, name in re.findall(r"([+-]?)(\d*)([a-z]?)", str(letter)):
        if factor or name:
            total += (-1 if sign == "-" else 1) * int(factor or 1) * (where[name] + 1 if name else 1)
    return total - 1


def read_index(e: Expr, env: Any, where: dict[str, int]) -> Any:
    """An index expression at given letters, read by the test itself; None where a local derivative stands in it."""
    if e.op in ("sym", "grad"):
        return env[e.data][0][0]
    if e.op == "num":
        return mp.mpf(e.data.numerator) / e.data.denominator if hasattr(e.data, "numerator") else mp.mpf(e.data.evalf(100))
    if e.op == "entry" and e.args[0].op in ("sym", "grad"):
        letters = iter(e.data)
        i, j = (place(next(letters), where) if d != 1 else 0 for d in e.args[0].shape)
        rows = env[e.args[0].data]
        return rows[i][j] if 0 <= i < len(rows) and 0 <= j < len(rows[0]) else mp.mpf(0)
    if e.op == "bigsum":
        (letter, size), *rest = e.data
        inner = e.args[0] if not rest else Expr("bigsum", e.args, tuple(rest))
        return sum(read_index(inner, env, {**where, letter: k}) for k in range(int(size)))
    if e.op == "same":
        return mp.mpf(place(e.data[0], where) == place(e.data[1], where))
    if e.op == "first":
        op, letter, size, own = e.data
        values = [read_index(e.args[0], env, {**where, letter: k}) for k in range(size)]
        return mp.mpf(values.index((max if op == "most" else min)(values)) == where[own])
    if e.op == "entry" and e.args[0].op == "over" and e.args[0].data[0] in ("softmax", "log_softmax"):
        over, letters = e.args[0], iter(e.data)
        i, j = (place(next(letters), where) if d != 1 else 0 for d in over.shape)
        z = env[over.args[0].data]
        share = mp.exp(z[i][j]) / sum(map(mp.exp, z[i] if over.data[1] == 1 else [row[j] for row in z]))
        return share if over.data[0] == "softmax" else mp.log(share)
    xs = [read_index(x, env, where) for x in e.args]
    match e.op:
        case "add": return sum(xs)
        case "mul": return mp.fprod(xs)
        case "neg": return -xs[0]
        case "div": return xs[0] / xs[1]
        case "pow": return xs[0] ** xs[1]
        case "cases":
            chosen = [xs[3 * k + 2] for k, sign in enumerate(e.data) if RELATIONS[sign](xs[3 * k], xs[3 * k + 1])]
            return (chosen or xs[-1:])[0]
        case "call" if e.data in ("exp", "log", "tanh", "sqrt"): return getattr(mp, "ln" if e.data == "log" else e.data)(xs[0])
        case "call" if e.data == "sigmoid": return 1 / (1 + mp.exp(-xs[0]))
    raise LookupError(e.op)

"""The JSON of a derivation: the machine's twin of the answer key.

Lists have the shape of the file; a value without numbers is an expression string.
"""

from __future__ import annotations

import json
from typing import Any

from mpmath import mp

from .. import expr as ex
from ..network import FIXED
from ..values import as_data
from .sections import sections
from .sheet import Section, Sheet, TexStep


def as_json(sheet: Sheet) -> str:
    """The whole report as JSON text (no NaN, no Infinity; the same bytes for the same input)."""
    return json.dumps(report(sheet), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def report(sheet: Sheet) -> dict[str, Any]:
    """The report as plain data: title, forward, loss, gradients or jacobians, updated, loss_after, steps."""
    network, problem = sheet.network, sheet.problem
    update = sheet.update()
    out: dict[str, Any] = {"title": problem.title, "forward": _forward(sheet)}
    last = sheet.values.get(network.output)
    scalar_output = not network.symbols[network.output].shape
    out["loss"] = as_data(last[0][0]) if last is not None and scalar_output else None
    if scalar_output:
        out["gradients"] = _gradients(sheet)
    else:
        out["jacobians"] = _jacobians(sheet)
    out["updated"] = {n: as_data(problem.as_written(n, m)) for n, m in update.after.items()} if update else {}
    out["loss_after"] = as_data(update.loss) if update else None
    out["steps"] = [line for s in sheet.steps() for line in _step(sheet, s)]
    if found := [_section(x) for x in sections(sheet)]:
        out["sections"] = found
    if sheet.notes:
        out["notes"] = sheet.notes
    return out


def _section(s: Section) -> dict[str, Any]:
    """A section as data: what it says, its lines, its table, and its own numbers."""
    out = {"title": s.title, "said": s.said, "latex": [f"{x.left} = {x.right}" if x.left else x.right for x in s.lines],
           "heads": list(s.heads), "cells": [list(row) for row in s.cells], "checked": s.checked}
    return out if s.data is None else {**out, "data": s.data}


def _forward(sheet: Sheet) -> dict[str, Any]:
    network = sheet.network
    out = {eq.name: _value(sheet, eq.name, eq.name, ex.text(eq.rhs)) for eq in network.equations
           if not (network.layers and eq.name == network.output)}
    for alias, name in network.aliases.items():
        out[alias] = out[name]
    return out


def _value(sheet: Sheet, key: Any, name: str, expression: str) -> Any:
    value = sheet.values.get(key)
    return expression if value is None else as_data(sheet.problem.as_written(name, value))


def _gradients(sheet: Sheet) -> dict[str, Any]:
    """d(output)/d(name) for every name; what the output does not depend on has gradient zero."""
    network, steps = sheet.network, sheet.lesson.derivation.steps
    names = [n for n, s in network.symbols.items() if s.kind not in FIXED and not (network.layers and n == network.output)]
    out: dict[str, Any] = {}
    for name in names:
        step = steps.get(name)
        if step is None:
            shape = network.symbols[name].shape or (1, 1)
            out[name] = as_data(sheet.problem.as_written(name, [[mp.mpf(0)] * int(shape[1]) for _ in range(int(shape[0]))])) \
                if all(isinstance(d, int) for d in shape) else "0"
        else:
            out[name] = _value(sheet, (step.of, name), name, ex.text(step.result)) if step.terms else 1
    for alias, name in network.aliases.items():
        out[alias] = out[name]
    return out


def _jacobians(sheet: Sheet) -> dict[str, Any]:
    """Row for row of the output, its gradient with respect to every name; nested like the output, then like the name."""
    network, problem = sheet.network, sheet.problem
    found = sheet.jacobians()
    if not found:
        return {n: ex.text(s.result) for n, s in sheet.lesson.derivation.steps.items() if s.terms}
    nested = {n: [as_data(problem.as_written(n, m)) for m in matrices] for n, matrices in found.items()}
    if problem.forms.get(network.output) == "list":
        return nested
    rows, columns = (int(d) for d in network.symbols[network.output].shape)
    return {n: [cells[i * columns:(i + 1) * columns] for i in range(rows)] for n, cells in nested.items()}


def _step(sheet: Sheet, s: TexStep) -> list[dict[str, Any]]:
    """The step at its level and, where there are numbers, the same step as numbers."""
    shown = s.shown
    value = None if s.value is None else as_data(sheet.problem.as_written(shown.wrt, s.value)) if not shown.parent else as_data(s.value[0][0])
    common = {"of": shown.of, "wrt": shown.wrt, "rule": shown.rule, "because": shown.because}
    last = {"value": value, "shape": [str(d) if isinstance(d, str) else int(d) for d in shown.shape], "checked": shown.checked}
    out = []
    if shown.level != "numbers":
        out.append({**common, "latex": [x.text for x in s.lines], **last, "level": shown.level})
    if s.numbers:
        out.append({**common, "rule": "substitute-value", "latex": [x.text for x in s.numbers], **last, "level": "numbers"})
    return out

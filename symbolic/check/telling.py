"""A report as plain data, no more of it than a hint allows: the one thing that every format prints.

Hints: 0 the verdict alone, 1 where, 2 the cause, 3 the formula, 4 the corrected line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from .. import expr as ex
from ..expr import Expr
from ..latex import Printer
from ..network import Network
from .report import HINTS, Reason, Report, Row, Source

WHERE, CAUSE, FORMULA, LINE = 1, 2, 3, 4
MOST_PRINTED = 2000  # letters of what the file printed


def told(report: Report, hint: int = 4) -> dict[str, Any]:
    """The report up to a hint, or to what the instructor allows if that is less."""
    level = max(0, min(hint, report.most, len(HINTS) - 1))
    out: dict[str, Any] = {"file": report.file, "subject": report.title, "loss": report.loss, "status": report.status, "exit_status": report.exit_status,
                           "message": _message(report, level), "hint": level, "output": report.network.output if report.network is not None else "", "score": round(report.score, 4)}
    if level >= WHERE:
        out |= {"forward": list(report.forward), "gradients": [_row(r, level) for r in report.rows], **_place(report, level)}
        out |= {"update": list(report.update if level >= CAUSE else report.update[:1]), "update_right": report.updates}
        out |= {"warnings": list(report.warnings), "notes": list(report.notes)}
    if level >= CAUSE:
        out |= {"equals": list(report.equals), "causes": [[_reason(r, level) for r in both] for both in report.causes], "recovered": list(report.recovered)}
    out |= {"seed": report.seed, "numbers": report.dtype, "sandbox": [{"layer": n, "active": a, "note": note} for n, a, note in report.layers],
            "printed": report.printed[:MOST_PRINTED]}
    out["names"] = _names(out, report.network)
    return out


def plain(data: dict[str, Any]) -> dict[str, Any]:
    """The same without what only pages need."""
    return {k: v for k, v in data.items() if k != "names"}


def _message(report: Report, level: int) -> str:
    """Without hints only whether it is right; why it could not run is always said."""
    if level >= WHERE or report.exit_status > 1:
        return report.message
    return "Every gradient is right." if report.right else "Not every gradient is right."


def _place(report: Report, level: int) -> dict[str, Any]:
    """Where to look: the first wrong gradient and its line; short of the cause, the line in which the mistake behind it enters, where one is known."""
    where, enters = _until_cause(report.where, level), {both[0].source for both in report.causes if both}
    source = enters.pop() if level < CAUSE and len(enters) == 1 else Source()
    if not source.line:
        return {"where": where, "first": _source(report.first)}
    return {"where": f"{where} The mistake enters in this line:", "first": _source(source)}


def _until_cause(sentence: str, level: int) -> str:
    """What a verdict says of the cause (m times the right one) waits for that hint."""
    return sentence if level >= CAUSE else sentence.split(". ")[0].rstrip(".") + "." if sentence else ""


def _row(row: Row, level: int) -> dict[str, Any]:
    v = row.verdict
    out = {"group": row.group, "gradient": v.name, "shape": list(row.shape), "verdict": v.verdict, "passed": v.passed, "error": number(v.error), "limit": v.limit,
           "at": {"point": v.at[0], "entry": list(row.entry)} if v.at else None, "source": _source(row.source)}
    return {**out, "cosine": number(v.cosine), "scale": number(v.scale), "constant": v.constant, "said": v.said} if level >= CAUSE else out


def number(x: float | None) -> float | str | None:
    """A number that JSON can hold, at eight digits.

    >>> number(float("inf")), number(0.123456789123)
    ('infinite', 0.12345679)
    """
    if x is None or math.isfinite(x):
        return None if x is None else float(f"{x:.8g}")
    return "infinite" if x == x else "not a number"


def _source(s: Source) -> dict[str, Any] | None:
    """place: where it stands in its file, as its author counts; of a notebook with the cell.

    >>> [_source(Source(19, where, "x"))["place"] for where in ("a.ipynb, cell 2, line 16", "a.py:19")]
    ['cell 2, line 16', '19']
    """
    _, cell, at = s.where.rpartition(", cell ")
    return {"line": s.line, "place": f"cell {at}" if cell else str(s.line), "where": s.where, "text": s.text} if s.line else None


def _reason(r: Reason, level: int) -> dict[str, Any]:
    out: dict[str, Any] = {"slip": r.slip, "said": r.said, "value": r.value, "step": r.step, "steps": r.steps, "equation": r.equation, "source": _source(r.source)}
    gradient = _gradient(r)
    out["slope"] = f"d{r.network.output}/d{r.value}" if gradient is not None and r.network is not None else ""
    if level >= FORMULA:
        out |= {"gradient": _formula(gradient, r.network), "yours": _formula(r.yours, r.network), "right": _formula(r.right, r.network)}
    if level >= LINE:
        out |= {"corrected": r.mended, "written": r.written}
    return out


def _gradient(r: Reason) -> Expr | None:
    return ex.grad(r.network.output, r.value) if r.network is not None and r.value in r.network.symbols else None


def _formula(e: Expr | None, network: Network | None) -> dict[str, str] | None:
    """A tree as text and LaTeX (empty without a network); None where a mistake brings in names that nobody has seen, as of the last example."""
    if e is None or network is not None and not e.names <= network.symbols.keys():
        return None
    text = ex.text(e)
    text = text[1:-1] if e.op == "grad" else text
    return {"text": text, "latex": Printer(network)(e) if network is not None else ""}


def _quoted(value: Any) -> Iterator[str]:
    """What stands between backticks in the sentences."""
    if isinstance(value, str):
        yield from value.split("`")[1::2]
    elif isinstance(value, dict):
        for v in value.values():
            yield from _quoted(v)
    elif isinstance(value, list):
        for v in value:
            yield from _quoted(v)


def _names(data: dict[str, Any], network: Network | None) -> dict[str, str]:
    """The LaTeX of the names of the network in sentences: dL/dz1, a1."""
    if network is None:
        return {}
    printer, out = Printer(network), {}
    asked = [f"d{network.output}/d{r['gradient']}" for r in data.get("gradients", ())] + [c["slope"] for both in data.get("causes", ()) for c in both if c["slope"]]
    for word in dict.fromkeys([*asked, *_quoted(data)]):
        slope = re.fullmatch(r"d(\w+)/d(\w+)", word)
        names = [network.resolve(n) for n in (slope.groups() if slope else (word,))]
        if all(n in network.symbols for n in names):
            out[word] = rf"\partial {printer.name(names[0])} / \partial {printer.name(names[1])}" if slope else printer.name(names[0])
    return out

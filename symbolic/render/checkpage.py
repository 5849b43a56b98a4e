"""Reports of checks as pages: one self-contained HTML page, a part of one for notebooks, and a LaTeX page in the house's style.

All take the plain data of `check.report.told`; only the layout stands here and in the templates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape as escape_html
from pathlib import Path
from typing import Any

import jinja2

from ..check.terminal import WHY, error, number, others, step_of, why
from .documents import head
from .filling import make_environment, render, shortened
from .lines import broken
from .mathml import Html, mathml
from .text import clean, directed, escape, escape_within
from .view import Tex

Data = Mapping[str, Any]

KINDS = {"right": "right", "OK": "right", "KINK": "right", "SCALE": "warn", "UNTESTED": "warn", "could not run": "warn", "limit hit": "warn"}
COLOURS = {"right": "fThree", "warn": "fFive", "wrong": "fTwo"}
PAGE = 477.0   # points, as in paper.tex
WORD = 60.0    # before a formula
LONGEST = 400  # letters of a line of code on paper


def kind(word: str) -> str:
    """How a verdict or a status is marked."""
    return KINDS.get(word, "wrong")


def said_parts(said: str) -> list[str]:
    """A sentence: words, then a name, then words ..."""
    return said.split("`")


def run_of(data: Data) -> str:
    """How it was run, in a sentence or two."""
    walls = [x["layer"] for x in data["sandbox"] if x["active"]]
    return " · ".join([*data.get("notes", ()), f"seed {data['seed']}", data["numbers"], *([f"sandbox: {', '.join(walls)}"] if walls else [])])


def view(data: Data, say: Callable[[str], Any], code: Callable[[str], Any], name: Callable[[str], Any],
         formula: Callable[[Data, Data], Any], power: Callable[[float], Any]) -> dict[str, Any]:
    """What a page shows of a report. say, code, name, formula, power: how sentences, lines of code, gradients, formulas and powers of ten are written."""
    rows = data.get("gradients", [])
    causes = data.get("causes", [])

    def source(s: Data | None) -> dict[str, Any] | None:
        return None if s is None else {"where": code(s["where"]), "text": code(s["text"])}

    def row(r: Data, said: str) -> dict[str, Any]:
        at = f"{r['at']['entry']}" if r["at"] and r["at"]["entry"] and not r["passed"] else ""
        return {"group": code(r["group"]), "name": name(r["gradient"]), "shape": " × ".join(map(str, r["shape"])),
                "error": power(r["error"]) if "e" in error(r)[1:] and not isinstance(r["error"], str) else error(r), "at": at, "cosine": number(r.get("cosine")),
                "scale": r.get("constant") or number(r.get("scale")), "verdict": r["verdict"], "kind": kind(r["verdict"]), "line": r["source"]["place"] if r["source"] else "",
                "said": say(said)}

    def cause(c: Data) -> dict[str, Any]:
        lines = [{"word": word, "kind": mark, **formula(c["gradient"], c[word])} for word, mark in (("yours", "wrong"), ("right", "right")) if c.get(word) and c.get("gradient")]
        written = c.get("corrected") or c.get("written") or ""
        return {"said": say(c["said"]), "step": say(step_of(c)), "source": source(c["source"]), "lines": lines, "corrected": code(written),
                "corrected_word": "corrected line (with it, the file is right)" if c.get("corrected") else "the right formula in NumPy"}

    reasons = why(data)
    return {"explained": any(reasons), "file": data["file"], "subject": data["subject"], "status": data["status"], "kind": kind(data["status"]), "message": data["message"],
            "forward": [say(s) for s in [*data.get("forward", ()), *data.get("equals", ()), *data.get("update", ())]],
            "rows": [row(r, said) for r, said in zip(rows, reasons, strict=True)], "grouped": any(r["group"] for r in rows),
            "detailed": any("scale" in r for r in rows), "limit": power(rows[0]["limit"]) if rows else "", "where": say(data.get("where", "")), "first": source(data.get("first")),
            "causes": [[cause(c) for c in both] for both in causes[:data.get("shown", 0)]], "why": WHY[data.get("shown", 0) > 1],
            "recovered": [say(s) for s in [*filter(None, [others(data)]), *data.get("recovered", ())]],
            "warnings": [say(s) for s in data.get("warnings", ())], "run": say(run_of(data))}


# ---------------------------------------------------------------- HTML

def html_environment(own: Path | None = None) -> jinja2.Environment:
    """Templates of HTML: the user's folder first; whatever is not marked as HTML is escaped."""
    loader = make_environment(own).loader
    return jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def html_view(data: Data, k: int = 0) -> dict[str, Any]:
    """A report with its formulas as MathML."""
    names = data["names"]

    def word(text: str) -> Html:
        return mathml(names[text]) if text in names else Html(f"<code>{escape_html(text)}</code>")

    def say(said: str) -> Html:
        return Html("".join(word(p) if n % 2 else escape_html(p) for n, p in enumerate(said_parts(said))))

    def formula(left: Data, right: Data) -> dict[str, Any]:
        if not left["latex"] or not right["latex"]:
            return {"formula": Html(f"<code>{escape_html(left['text'])} = {escape_html(right['text'])}</code>")}
        return {"formula": mathml(f"{left['latex']} = {right['latex']}", display=True)}

    def power(x: float) -> Html:
        head, _, tail = f"{x:.1e}".partition("e")
        exponent = str(int(tail)).replace("-", "\u2212")
        return Html("0" if x == 0 else f"{head} \u00b7 10<sup>{exponent}</sup>")

    out = view(data, say, str, lambda n: word(f"d{data['output']}/d{n}") if data["output"] else word(n), formula, power)
    return {**out, "id": f"report-{k + 1}", "printed": data["printed"].strip()}


def page(reports: Sequence[Data], own: Path | None = None) -> str:
    """A self-contained HTML page."""
    title = f"Check of {reports[0]['file']}" if len(reports) == 1 else f"Check of {len(reports)} files"
    context = {"title": title, "level": 1 if len(reports) == 1 else 2, "reports": [html_view(d, k) for k, d in enumerate(reports)]}
    return render(html_environment(own), "checkpage.html", context)


def fragment(data: Data) -> str:
    """The report as a part of a page, with its style, for notebooks."""
    return render(html_environment(), "checkpart.html", {"level": 3, "reports": [html_view(data)]})


# ---------------------------------------------------------------- LaTeX

def tex_source(reports: Sequence[Data], own: Path | None = None) -> str:
    """The LaTeX source: one page or more a report."""
    first = reports[0]
    everything = " ".join(_strings(list(reports)))
    shown = [tex_view(d) for d in reports]
    context = {"heading": shown[0]["heading"], **head(first["subject"] or first["file"], everything), "reports": shown}
    return render(make_environment(own), "check.tex", context)


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [clean(value).replace("×", "").replace("−", "")]
    if isinstance(value, Mapping):
        return [s for k, v in value.items() if k not in ("latex", "names") for s in _strings(v)]
    return [s for v in value for s in _strings(v)] if isinstance(value, (list, tuple)) else []


def tex_view(data: Data) -> dict[str, Any]:
    """A report with its formulas as LaTeX."""
    names = data["names"]

    def code(text: str) -> Tex:
        return Tex(directed(escape(text[:LONGEST])).replace("\\_", "\\_\\allowbreak{}"))

    def say(said: str) -> Tex:
        def word(w: str) -> str:
            return f"${names[w]}$" if w in names else rf"\code{{{code(w)}}}"

        return Tex("".join(word(p) if n % 2 else directed(escape_within(p)) for n, p in enumerate(said_parts(said))))

    def formula(left: Data, right: Data) -> dict[str, Any]:
        if not left["latex"] or not right["latex"]:
            return {"pieces": [Tex(rf"\text{{\ttfamily {escape(left['text'])} = {escape(right['text'])}}}")]}
        rows = broken(left["latex"], right["latex"], PAGE - WORD)
        return {"pieces": [Tex(f"{a} {b}") for a, b in rows]}

    def power(x: float) -> Tex:
        head, _, tail = f"{x:.1e}".partition("e")
        return Tex("0") if x == 0 else Tex(rf"${head}\cdot 10^{{{int(tail)}}}$")

    out = view(data, say, code, lambda n: Tex(_slope(data["output"], n, names)), formula, power)
    for r in out["rows"]:
        r["colour"] = Tex(COLOURS[r["kind"]])
        r["shape"] = Tex(r["shape"].replace("×", r"$\times$"))
    for both in out["causes"]:
        for c in both:
            for line in c["lines"]:
                line["colour"] = Tex(COLOURS[line["kind"]])
    printed = [code(line) for line in data["printed"].strip().splitlines()[:20]]
    return {**out, "heading": f"Check of {shortened(data['file'], 40)}", "colour": Tex(COLOURS[out["kind"]]),
            "title": Tex(directed(escape(data["subject"] or data["file"]))), "printed": printed}


def _slope(output: str, name: str, names: Mapping[str, Any]) -> str:
    known = names.get(f"d{output}/d{name}")
    return known if known else rf"\text{{{escape(name)}}}"

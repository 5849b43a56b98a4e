"""The formats of a report, one row each: how plain data of `report.told` becomes bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ..errors import ChainruleError, SpecError, nearest
from ..render.text import clean, markdown
from .report import plain
from .terminal import WHY, error, others, shape, slope, terminal

Data = Mapping[str, Any]
POINTS = 100.0  # of a submission, for the platforms that want points


@dataclass(frozen=True)
class Paper:
    """What pages need beside the data: a folder of templates, the TeX engine."""

    templates: Path | None = None
    engine: str | None = None


@dataclass(frozen=True)
class Format:
    """A format: its name, the ending of its files, whether one file can hold several reports, and how it is made."""

    name: str
    ending: str
    several: bool
    make: Callable[[Sequence[Data], Paper], bytes]


def _table(reports: Sequence[Data], paper: Paper) -> bytes:
    return ("\n\n".join(terminal(d) for d in reports) + "\n").encode()


def _json(reports: Sequence[Data], paper: Paper) -> bytes:
    made = [plain(dict(d)) for d in reports]
    return (json.dumps(made[0] if len(made) == 1 else made, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _html(reports: Sequence[Data], paper: Paper) -> bytes:
    from ..render.checkpage import page

    return page(reports, paper.templates).encode()


def _latex(reports: Sequence[Data], paper: Paper) -> bytes:
    from ..render.checkpage import tex_source

    return tex_source(reports, paper.templates).encode()


def _pdf(reports: Sequence[Data], paper: Paper) -> bytes:
    from ..render.engine import compile_pdf, find_engine, install_hint

    source = _latex(reports, paper).decode()
    unicode = r"\usepackage{fontspec}" in source
    engine = find_engine(paper.engine, unicode=unicode)
    if engine is None:
        raise ChainruleError("no TeX engine for this page was found", hint=install_hint(unicode=unicode))
    return compile_pdf(source, engine=engine).pdf


# ---------------------------------------------------------------- Markdown

def _md(reports: Sequence[Data], paper: Paper) -> bytes:
    return ("\n\n".join("\n".join(_markdown(d)) for d in reports) + "\n").encode()


def said(sentence: str) -> str:
    """A sentence in Markdown, names as code.

    >>> said("the slope of `a1` is [0]")
    'the slope of `a1` is &#91;0&#93;'
    """
    parts = sentence.split("`")
    return "".join(f"`{p}`" if k % 2 else re.sub(r"^(\s*)(.*?)(\s*)$", lambda m: m[1] + markdown(m[2]) + m[3] if m[2] else m[0], p) for k, p in enumerate(parts))


def _markdown(d: Data) -> list[str]:
    out = [f"# {markdown(d['file'])}: {d['status']}", "", markdown(d["message"]), ""]
    for s in [*d.get("forward", ()), *d.get("equals", ()), *d.get("update", ())]:
        out += [said(s), ""]
    rows = d.get("gradients", ())
    if rows:
        grouped = any(r["group"] for r in rows)
        heads = [*["graph"] * grouped, "gradient", "shape", "error", "verdict", "line"]
        out += ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
        for r in rows:
            cells = [*[markdown(r["group"])] * grouped, f"`{slope(d, r['gradient'])}`", shape(r["shape"]), error(r), r["verdict"], r["source"]["place"] if r["source"] else ""]
            out.append("| " + " | ".join(cells) + " |")
        out.append("")
    if d.get("where"):
        out += [said(d["where"]), ""]
        out += _code(d["first"]) if not d.get("causes") else []
    for k, both in enumerate(d.get("causes", ())[:d.get("shown", 0)]):
        if k == 0:
            out += [f"## {WHY[d['shown'] > 1]}", ""]
        for c in both:
            out += [said(c["said"]), "", *_code(c["source"])]
            for word in ("yours", "right"):
                if c.get(word) and c.get("gradient"):
                    out += [f"- {word}: `{c['gradient']['text']} = {c[word]['text']}`"]
            if c.get("corrected") or c.get("written"):
                out += ["", "corrected line:" if c.get("corrected") else "in NumPy:", "", f"    {c.get('corrected') or c['written']}", ""]
            out.append("")
    for s in [*filter(None, [others(d)]), *d.get("recovered", ()), *d.get("warnings", ())]:
        out += [said(s), ""]
    return out[:-1] if not out[-1] else out


def _code(source: Data | None) -> list[str]:
    return [f"{markdown(source['where'])}:", "", f"    {clean(source['text'])}", ""] if source else []


# ---------------------------------------------------------------- for the programs that mark

def tests(d: Data) -> list[tuple[str, bool, str]]:
    """What a report says, as tests: name, whether it passed, and what is said of it. At the lowest hint there is one."""
    rows = d.get("gradients", ())
    if not rows:
        return [("gradients", d["status"] == "right", d["message"])]
    found = [(f"{r['group']}: {r['gradient']}" if r["group"] else slope(d, r["gradient"]), r["passed"], _said(d, r)) for r in rows]
    if all(passed for _, passed, _ in found) and d["status"] != "right" and d["update_right"] is not False:
        found.append(("forward pass", False, " ".join(plain_words(s) for s in d.get("forward", ()))))
    if d["update_right"] is not None:
        found.append(("update", d["update_right"], " ".join(plain_words(s) for s in d["update"])))
    return found


def _said(d: Data, r: Data) -> str:
    """A line for one gradient, then (at the first wrong one) why."""
    out = f"{r['verdict']}: error {error(r)}, may be {r['limit']:.0e}"
    if r["passed"]:
        return out
    first = next(x for x in d["gradients"] if not x["passed"])
    why = [plain_words(c["said"]) for both in d.get("causes", ())[:3] for c in both] if r is first else []
    return ". ".join([out, *why])


def plain_words(said: str) -> str:
    """A sentence without marks around names."""
    return said.replace("`", "")


def _junit(reports: Sequence[Data], paper: Paper) -> bytes:
    root = ElementTree.Element("testsuites")
    for d in reports:
        found = tests(d)
        broken = d["exit_status"] > 1
        suite = ElementTree.SubElement(root, "testsuite", name=_xml(d["file"]), tests=str(len(found)), errors=str(int(broken)),
                                       failures=str(0 if broken else sum(not passed for _, passed, _ in found)))
        for name, passed, said in found:
            test = ElementTree.SubElement(suite, "testcase", classname=_xml(d["file"]), name=_xml(name))
            if not passed or broken:
                ElementTree.SubElement(test, "error" if broken else "failure", message=_xml(said)).text = _xml(terminal(d))
    ElementTree.indent(root)
    body: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return body + b"\n"


def _xml(text: str) -> str:
    """Only what XML can hold."""
    return "".join(c for c in text if c in "\n\t" or ord(c) >= 32 and not 0xD800 <= ord(c) <= 0xDFFF and ord(c) not in (0xFFFE, 0xFFFF))


def _gradescope(reports: Sequence[Data], paper: Paper) -> bytes:
    (d,) = reports
    found = tests(d)
    each = POINTS / len(found)
    broken = d["exit_status"] > 1
    made = {"score": round(0.0 if broken else sum(each for _, passed, _ in found if passed), 4), "output": terminal(d), "output_format": "text", "visibility": "visible",
            "stdout_visibility": "hidden",
            "tests": [{"name": name, "score": round(each if passed and not broken else 0.0, 4), "max_score": round(each, 4),
                       "status": "passed" if passed and not broken else "failed", "output": said}
                      for name, passed, said in found]}
    return (json.dumps(made, indent=2, ensure_ascii=False) + "\n").encode()


def _prairielearn(reports: Sequence[Data], paper: Paper) -> bytes:
    (d,) = reports
    found = tests(d)
    broken = d["exit_status"] > 1
    made: dict[str, Any] = {"gradable": not broken, "score": 0.0 if broken else round(sum(passed for _, passed, _ in found) / len(found), 4), "message": d["message"], "output": terminal(d)}
    if broken:
        made["format_errors"] = [d["message"]]
    else:
        made["tests"] = [{"name": name, "points": int(passed), "max_points": 1, "message": said} for name, passed, said in found]
    return (json.dumps(made, indent=2, ensure_ascii=False) + "\n").encode()


FORMATS: dict[str, Format] = {f.name: f for f in (
    Format("table",        ".txt",  True,  _table),
    Format("json",         ".json", True,  _json),
    Format("md",           ".md",   True,  _md),
    Format("html",         ".html", True,  _html),
    Format("latex",        ".tex",  True,  _latex),
    Format("pdf",          ".pdf",  True,  _pdf),
    Format("junit",        ".xml",  True,  _junit),
    Format("gradescope",   ".json", False, _gradescope),
    Format("prairielearn", ".json", False, _prairielearn),
)}


def format_named(name: str) -> Format:
    """The row of a format. Raises SpecError with the nearest name."""
    if name not in FORMATS:
        raise SpecError(f"--format {name}: no such format", hint=nearest(name, FORMATS))
    return FORMATS[name]

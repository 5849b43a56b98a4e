"""A report for a terminal: the verdict, the forward pass, a table of gradients, where the error enters, yours and right."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

HUES = {"right": "bold green", "wrong": "bold red", "could not run": "bold yellow", "limit hit": "bold yellow", "OK": "green", "KINK": "green", "SCALE": "yellow", "UNTESTED": "yellow"}
MOST_ROWS = 60
WHY = ("Why", "Why: each of these alone gives the same numbers")


def terminal(data: Mapping[str, Any], width: int = 120, *, colour: bool = False) -> str:
    """The text of a report, from `report.told`."""
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=colour, color_system="standard" if colour else None, highlight=False, legacy_windows=False)
    for part in _parts(data):
        console.print(part)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip().split("\n"))


def _parts(data: Mapping[str, Any]) -> Iterator[Any]:
    against = f" against {data['subject']}" if data["subject"] else ""
    yield Text.assemble((data["status"].upper(), HUES[data["status"]]), f"  {data['file']}{against}")
    yield Text(data["message"])
    yield from map(sentence, data.get("forward", ()))
    yield from map(sentence, [*data.get("equals", ()), *data.get("update", ())])
    if data.get("gradients"):
        yield Text("")
        yield table(data)
    yield from _where(data)
    yield from _causes(data)
    for said in data.get("recovered", ()):
        yield Padding(sentence(said), (0, 0, 0, 2))
    for said in data.get("warnings", ()):
        yield Text.assemble(("note: ", "yellow"), sentence(said))
    if data["printed"].strip():
        yield Text("")
        yield Text("The file printed:", style="dim")
        yield Padding(Text(data["printed"].strip()), (0, 0, 0, 2))
    yield Text("")
    if data.get("notes"):
        yield Text(" · ".join(data["notes"]), style="dim")
    yield Text(_run(data), style="dim")


def _run(data: Mapping[str, Any]) -> str:
    """How it was run: seed, numbers, sandbox."""
    active = [x["layer"] for x in data["sandbox"] if x["active"]]
    walls = f" · sandbox: {', '.join(active)}" if active else ""
    return f"seed {data['seed']} · {data['numbers']}{walls}"


def sentence(said: str) -> Text:
    """A sentence, names between backticks in another hue."""
    return Text.assemble(*((part, "cyan") if k % 2 else part for k, part in enumerate(said.split("`"))))


def shape(of: Sequence[int]) -> str:
    """A shape as people write it."""
    return " x ".join(map(str, of)) or "number"


def error(row: Mapping[str, Any]) -> str:
    """The error that was tested; none of what is missing."""
    if row["verdict"] == "MISSING":
        return ""
    return row["error"] if isinstance(row["error"], str) else f"{row['error']:.1f}" if 1 <= row["error"] < 1000 else f"{row['error']:.1e}"


def why(data: Mapping[str, Any]) -> list[str]:
    """What is said of each gradient beside its verdict; nothing at all where it stands below the table anyway."""
    said = ["" if r["passed"] or r.get("said") == "It is wrong." else r.get("said", "") for r in data.get("gradients", ())]
    return said if any(s not in data.get("where", "") for s in said) else [""] * len(said)


def slope(data: Mapping[str, Any], name: str) -> str:
    """What a gradient is called: dL/dW1; of a graph's leaf only its name, as each graph has an output of its own."""
    return f"d{data['output']}/d{name}" if data["output"] else name


def table(data: Mapping[str, Any]) -> Table:
    """One row a gradient: shape, error and where it is largest, cosine, scale, verdict, line."""
    rows: Sequence[Mapping[str, Any]] = data["gradients"]
    grouped = any(r["group"] for r in rows)
    detailed = any("scale" in r for r in rows)
    reasons = why(data)
    explained = any(reasons)
    out = Table(box=None, pad_edge=False, header_style="dim")
    for heading in [*["graph"] * grouped, "gradient", "shape", "error", "at", *["cosine", "scale"] * detailed, "verdict", "line", *["why"] * explained]:
        out.add_column(heading, overflow="fold", justify="right" if heading in ("error", "cosine", "scale", "line") else "left")
    for r, reason in list(zip(rows, reasons, strict=True))[:MOST_ROWS]:
        at = f"{r['at']['entry']}" if r["at"] and r["at"]["entry"] and not r["passed"] else ""
        extra = [number(r.get("cosine")), r["constant"] or number(r.get("scale"))] if detailed else []
        cells = [*[r["group"]] * grouped, slope(data, r["gradient"]), shape(r["shape"]), error(r), at, *extra,
                 Text(r["verdict"], style=HUES.get(r["verdict"], "bold red")), r["source"]["place"] if r["source"] else "", *[sentence(reason)] * explained]
        out.add_row(*cells)
    return out


def number(x: float | str | None) -> str:
    """A number in a table, empty where there is none."""
    return "" if x is None else x if isinstance(x, str) else f"{x:.4g}"


def _where(data: Mapping[str, Any]) -> Iterator[Any]:
    if data.get("where"):
        yield Text("")
        yield sentence(data["where"])
        if data["first"] and not data.get("causes"):
            yield _line(data["first"])


def _line(source: Mapping[str, Any]) -> Any:
    return Padding(Text.assemble((f"{source['where']}  ", "dim"), (source["text"], "bold")), (0, 0, 0, 2))


def others(data: Mapping[str, Any]) -> str:
    """What is said of the causes that a page does not show."""
    n = len(data.get("causes", ())) - data.get("shown", 0)
    return f"And {n} other{'s' * (n > 1)} that give{'s' * (n == 1)} the same numbers here; --format json lists {'them' if n > 1 else 'it'}." if n else ""


def _causes(data: Mapping[str, Any]) -> Iterator[Any]:
    causes = data.get("causes", ())[:data.get("shown", 0)]
    for k, both in enumerate(causes):
        heading = WHY[len(causes) > 1] if k == 0 else ""
        yield Text("")
        if heading:
            yield Text(heading, style="bold")
        for j, r in enumerate(both):
            mark = f"{k + 1}. " if len(causes) > 1 and j == 0 else "and also: " if j else ""
            yield Padding(Text.assemble(mark, sentence(r["said"])), (0, 0, 0, 2))
            yield from _reason(r)
    if rest := others(data):
        yield from (Text(""), Padding(Text(rest), (0, 0, 0, 2)))


def step_of(r: Mapping[str, Any]) -> str:
    """Where in the derivation a mistake enters, in a sentence."""
    inside = f", in `{r['slope']}`" if r["slope"] else ""
    back = f", going back through `{r['equation']}`" if r["equation"] else ""
    return f"It enters at step {r['step']} of {r['steps']} of the derivation{inside}{back}." if r["steps"] else ""


def _reason(r: Mapping[str, Any]) -> Iterator[Any]:
    if r["steps"]:
        yield Padding(sentence(step_of(r)), (0, 0, 0, 2))
    if r["source"]:
        yield _line(r["source"])
    if r.get("yours") and r.get("gradient"):
        grid = Table.grid(padding=(0, 1))
        name = r["gradient"]["text"]
        grid.add_row(Text("yours", style="red"), f"{name} = {r['yours']['text']}")
        grid.add_row(Text("right", style="green"), f"{name} = {r['right']['text']}")
        yield Padding(grid, (0, 0, 0, 4))
    if r.get("corrected"):
        yield Padding(Text.assemble(("corrected line  ", "green"), (r["corrected"], "bold")), (0, 0, 0, 4))
    elif r.get("written"):
        yield Padding(Text.assemble(("in NumPy        ", "green"), r["written"]), (0, 0, 0, 4))

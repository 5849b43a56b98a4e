"""From a file with claims to verdicts: the table on the terminal, the JSON and the errata page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import ChainruleError, SpecError, nearest
from ..files import write_all
from ..problem import Problem
from ..produce import solve
from ..render.engine import compile_pdf, find_engine, install_hint
from ..request import Request
from ..slips import SLIPS
from ..values import as_data
from .judge import VERDICTS, Verdict, judge

FORMATS = ("json", "pdf", "tex")


def verify(path: Path, folder: Path, request: Request, show: Callable[[Sequence[Verdict], str], None], say: Callable[[str], None]) -> list[Verdict]:
    """Judge every claim of a spec, show the verdicts, and write what the request asks for: all files or none.

    show: prints the verdicts and the sentence that counts them. Raises SpecError for a file that cannot be used or claims
    nothing, ChainruleError when a file cannot be made.
    """
    for name in request.formats:
        if name not in FORMATS:
            raise SpecError(f"--to {name}: no such format", hint=nearest(name, FORMATS))
    problem, certified = solve(path, replace(request, formats=("json",), levels=("matrix",)))
    verdicts = judge(problem, certified)
    if not verdicts:
        raise SpecError("the file claims nothing", where=path.name, hint="add claims, as in claims: {y_hat: 0.7514, dL/dz2: y_hat - y}")
    made: dict[Path, bytes] = {}
    trouble = ""
    if "json" in request.formats:
        made[folder / f"{path.stem}-errata.json"] = (json.dumps(report(problem, verdicts), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
    if {"pdf", "tex"} & set(request.formats):
        pages, trouble = _page(problem, verdicts, [*certified.lesson.notes, *conventions(problem, verdicts)], request)
        made.update({folder / f"{path.stem}-errata{ending}": content for ending, content in pages.items()})
    write_all(made)
    show(verdicts, " ".join([counted(verdicts), *conventions(problem, verdicts)]))
    for file in made:
        say(str(file))
    if trouble:
        raise ChainruleError(trouble)
    return list(verdicts)


def _page(problem: Problem, verdicts: Sequence[Verdict], notes: Sequence[str], request: Request) -> tuple[dict[str, bytes], str]:
    """The errata page by file ending, and a sentence where there is no TeX engine for it."""
    from ..render.errata import needs_lualatex, source  # brings Jinja

    text = source(problem, verdicts, counted(verdicts), notes, request)
    made = {".tex": text.encode()} if "tex" in request.formats else {}
    if "pdf" not in request.formats:
        return made, ""
    unicode = needs_lualatex(problem, verdicts)
    engine = find_engine(request.engine, unicode=unicode)
    if engine is None:
        return {".tex": text.encode()}, f"no TeX engine for this page was found, so only its source was made; {install_hint(unicode=unicode)}"
    return {**made, ".pdf": compile_pdf(text, engine=engine).pdf}, ""


def counted(verdicts: Sequence[Verdict]) -> str:
    """How many claims there are of each kind.

    >>> counted([Verdict("z", "1", "right"), Verdict("w", "2", "wrong"), Verdict("said", "", "note")])
    '2 claims: 1 right, 1 wrong; 1 note.'
    """
    count = Counter(v.verdict for v in verdicts)
    notes = count.pop("note", 0)
    total = sum(count.values())
    kinds = ", ".join(f"{count[v]} {v}" for v in VERDICTS if count[v])
    parts = [f"{total} claim{'s' * (total != 1)}: {kinds}"] * bool(total) + [f"{notes} note{'s' * (notes != 1)}"] * bool(notes)
    return "; ".join(parts) + "."


def conventions(problem: Problem, verdicts: Sequence[Verdict]) -> list[str]:
    """What has to be agreed upon before such claims can be judged."""
    output = problem.network.output
    asked = any(v.about is not None and v.about.kind == "gradient" and v.about.of == output for v in verdicts)
    if not asked or not problem.network.symbols[output].shape:
        return []
    return [f"{output} is not a single number: its gradients are those of the sum of its entries (d{output} is a matrix of ones)."]


def report(problem: Problem, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The verdicts as plain data: title, counts, claims."""
    count = Counter(v.verdict for v in verdicts)
    return {"title": problem.title, "counts": {name: count[name] for name in VERDICTS}, "claims": [_claim(v) for v in verdicts]}


def _claim(v: Verdict) -> dict[str, Any]:
    slip = SLIPS[v.slip] if v.slip else None
    return {"claim": v.claim, "claimed": v.claimed, "verdict": v.verdict, "right": as_data(v.values) if v.values is not None else v.ours or None,
            "why": v.said, "slip": {"name": slip.name, "kind": slip.kind, "step": slip.step} if slip else None, "checked": v.checked}

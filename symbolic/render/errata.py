"""The errata page: one row a claim, with what is right and the sentence that says why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .. import expr as ex
from ..claims.claimtext import Subject, formula, slope_name
from ..claims.judge import Verdict
from ..errors import SpecError
from ..latex import Printer
from ..problem import Problem
from ..request import Request
from .documents import head
from .filling import make_environment, render
from .lines import broken
from .text import directed, escape, escape_within, needs_unicode
from .view import Tex
from .width import width

PAGE = 477.0  # points, as in paper.tex
WIDE = {"claim": 84, "value": 146, "gap": 8, "verdict": 80, "words": 380}
COLOURS = {"right": "fThree", "rounding drift": "fFive", "wrong": "fTwo", "undecidable": "soft", "note": "fFour"}
UNPRINTED = 12  # points of a row that formulas leave free
MOST_PIECES = 3  # a formula of more rows gets the whole width, below


def needs_lualatex(problem: Problem, verdicts: Sequence[Verdict]) -> bool:
    """Whether the page has letters that pdflatex does not print."""
    return needs_unicode(_letters(problem, verdicts))


def _letters(problem: Problem, verdicts: Sequence[Verdict]) -> str:
    """All that people typed and the page prints."""
    return " ".join([problem.title, *(t for v in verdicts for t in (v.claim, v.claimed, v.why))])


def source(problem: Problem, verdicts: Sequence[Verdict], counted: str, notes: Sequence[str], request: Request) -> str:
    """The LaTeX source of the errata page."""
    page = _Page(problem)
    context = {"heading": "Errata", **head(problem.title or "Published values", _letters(problem, verdicts)),
               "counted": counted, "notes": list(notes), "wide": WIDE, "rows": [page.row(v) for v in verdicts]}
    return render(make_environment(request.templates), "errata.tex", context)


class _Page:
    """Rows of one problem in the notation of its network."""

    def __init__(self, problem: Problem) -> None:
        self.network = problem.network
        self.printer = Printer(problem.network, colour=False)

    def row(self, v: Verdict) -> dict[str, Any]:
        common = {"verdict": v.verdict, "colour": Tex(COLOURS[v.verdict]), "why": self.sentence(v.why), "words": "", "lines": []}
        if v.about is None:
            return {**common, "why": Tex(directed(escape(v.why))), "words": Tex(directed(escape(f"\u201c{v.claim}\u201d")))}
        claim, claimed, ours = self.about(v), self.claimed(v), self.ours(v)
        cells: dict[str, Any] = {"claim": claim, "claimed": claimed, "ours": ours}
        lines = []
        for key, word, room in (("claim", "claim", WIDE["claim"]), ("claimed", "as published", WIDE["value"]), ("ours", "right", WIDE["value"])):
            formula = cells[key]
            if formula is None or isinstance(formula, Tex):  # words wrap by themselves
                cells[key] = formula or Tex("")
                continue
            pieces = self.pieces(formula, room)
            if max(map(width, pieces)) <= room and len(pieces) <= MOST_PIECES:
                cells[key] = Tex(r"\par\vskip1mm ".join(rf"$\displaystyle {p}$" for p in pieces))
            else:
                cells[key] = Tex(r"\emph{\small below}")
                lines.append({"word": word, "pieces": [Tex(p) for p in self.pieces(formula, PAGE - 90)]})
        return {**common, **cells, "lines": lines}

    def pieces(self, formula: str, room: float) -> list[str]:
        """A formula in rows of at most this width, where it can be cut."""
        rows = broken("", formula, room - UNPRINTED)
        return [right.removeprefix("= ") if k == 0 else right for k, (_, right) in enumerate(rows)]

    # ------------------------------------------------------------ cells: LaTeX of a formula as str, words as Tex

    def about(self, v: Verdict) -> str | Tex:
        assert v.about is not None
        name, key = self.printer.name, v.about
        match key.kind:
            case "value":
                return name(key.of)
            case "gradient":
                return rf"\partial {name(key.of)} / \partial {name(key.wrt)}"
            case "updated" | "after":
                return Tex(f"${name(key.of)}$ {later(key)}")
            case "angle":
                return Tex(f"angle of ${self.formula(key.text)}$")
        return self.formula(key.text) or typed(key.text)

    def claimed(self, v: Verdict) -> str | Tex:
        if v.formula is not None:
            return self.printer(v.formula)
        return typed(v.claimed)

    def ours(self, v: Verdict) -> str | Tex | None:
        if v.verdict in ("undecidable", "note"):
            return None
        return self.printer(v.truth) if v.truth is not None else typed(v.ours)

    def formula(self, text: str) -> str | None:
        """A formula as LaTeX; None where its shapes do not fit, so that it has no tree."""
        try:
            return self.printer(formula(text, self.network, lambda u, v: slope_name(self.network, u, v), ex.sym("eta")))
        except (SpecError, KeyError):
            return None

    def sentence(self, text: str) -> Tex:
        """Sentences in which names between backticks become formulas."""
        parts = text.split("`")
        return Tex("".join(self.inline(part) if k % 2 else directed(escape_within(part)) for k, part in enumerate(parts)))

    def inline(self, text: str) -> str:
        if slope := re.fullmatch(r"d(\w+)/d(\w+)", text):
            names = [self.network.resolve(n) for n in slope.groups()]
            if all(n in self.network.symbols for n in names):
                return rf"$\partial {self.printer.name(names[0])} / \partial {self.printer.name(names[1])}$"
        found = self.formula(text)
        return f"${found}$" if found is not None else typed(text)


def later(key: Subject) -> str:
    """When, in words.

    >>> later(Subject("updated", "x", steps=3)), later(Subject("updated", "x"))
    ('after 3 steps', 'new')
    """
    rate = "" if key.rate is None else f" at {float(key.rate):.4g}"
    return f"after {key.steps} step{'s' * (key.steps > 1)}{rate}" if key.steps > 1 or rate else "new" if key.kind == "updated" else "after"


def typed(text: str) -> Tex:
    """Text as it was typed; it may be broken after a comma or a sign."""
    return Tex(escape_within(text))



"""What a finished question is: plain data that papers, keys and exports share, and its JSON form.

Formulas are LaTeX of our own printer, words are text that every renderer escapes itself, numbers are decimal strings.

>>> q = Question("square", "A square", ("chain rule",), 0, "ab", (), (), Figures(1, 2, 1, 0), "proved")
>>> [line.strip() for line in as_json(q).splitlines()[:3]]
['{', '"active_units": 0,', '"canonical": "ab",']
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .wording import Piece

SIGNIFICANT = 12  # digits of numbers in JSON


@dataclass(frozen=True)
class Line:
    """A line of the worked solution. key: what it computes, as written; marks: points for it."""

    left: str
    right: str
    because: str = ""
    key: str = ""
    marks: int = 0


@dataclass(frozen=True)
class Option:
    """One option of a choice: a formula (LaTeX) or words; right: whether it is true; said: why it is wrong, with `names` as formulas."""

    runs: tuple[tuple[str, str], ...]
    right: bool
    said: tuple[tuple[str, str], ...] = ()
    slip: str = ""


@dataclass(frozen=True)
class Answer:
    """The key of one part.

    type: numeric, vector, matrix, symbolic, single_choice, multiple_choice, ordering or code. value, tolerance: rows of decimal
    strings; latex: as it is printed; text: a formula or code as text; options: of a choice, or the pieces to be put in order;
    right: places (from 0) of the right options, or of the pieces in their right order; before: pairs of places (first, second) that any
    right order keeps; hidden: the points that a program is tried on, the paper's own first; each has
    the numbers that are given, what the program must return, and the tolerance.
    """

    type: str
    latex: str = ""
    value: tuple[tuple[str, ...], ...] = ()
    tolerance: tuple[tuple[str, ...], ...] = ()
    text: str = ""
    options: tuple[Option, ...] = ()
    right: tuple[int, ...] = ()
    before: tuple[tuple[int, int], ...] = ()
    stub: str = ""
    hidden: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class CommonError:
    """A listed mistake: its slip, the sentence, and what it gives for the part it stands at; value: rows of decimal strings."""

    slip: str
    said: tuple[tuple[str, str], ...]
    latex: str
    value: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Carried:
    """Error carried forward: with one mistake, what each later step comes to. cells: (key, its name in LaTeX, its value in LaTeX) of
    the steps that change; part: the label of the part at which the mistake is listed."""

    slip: str
    said: tuple[tuple[str, str], ...]
    cells: tuple[tuple[str, str, str], ...]
    part: str = ""


@dataclass(frozen=True)
class Part:
    """One thing that is asked, with its key. digits: significant digits of the answer."""

    label: str
    asked: str
    say: tuple[tuple[str, str], ...]
    points: int
    answer: Answer
    digits: int = 4
    solution: tuple[Line, ...] = ()
    errors: tuple[CommonError, ...] = ()
    carried: tuple[Carried, ...] = ()
    lines: tuple[Line, ...] = ()  # shown with the question, such as a derivation to be judged
    steps: tuple[tuple[str, str, str], ...] = ()  # what leads there: (key, its name in LaTeX, its right value in LaTeX)
    reasons: bool = False  # whether a choice wants reasons, and room for them


@dataclass(frozen=True)
class Figures:
    """How hard a variant is: steps to work out, operations on numbers, most digits of a given number, active units."""

    steps: int
    operations: int
    digits: int
    active: int


@dataclass(frozen=True)
class Question:
    """One variant of a problem. stem: words and blocks; blocks: the lines of the equations, the numbers and the update, by name."""

    problem: str
    title: str
    topics: tuple[str, ...]
    index: int
    canonical: str
    stem: tuple[Piece, ...]
    parts: tuple[Part, ...]
    figures: Figures
    checked: str
    blocks: Mapping[str, tuple[Line, ...]] = field(default_factory=dict)
    worst: str = "0"

    @property
    def points(self) -> int:
        """The points of all parts."""
        return sum(p.points for p in self.parts)


def unlike(a: Question, b: Question) -> bool:
    """Whether neighbours can hold these two: every numeric answer differs, and no two choices have the same right places and options."""
    return all(final(p) != final(q) for p, q in zip(a.parts, b.parts, strict=True) if p.answer.value or p.answer.options)


def final(p: Part) -> object:
    """What a part comes to in the end: its numbers, or the right places and what stands there."""
    return p.answer.value if p.answer.value and not p.answer.options else (p.answer.right, tuple(o.runs for o in p.answer.options))


def canonical(stem: Sequence[Piece], blocks: Mapping[str, tuple[Line, ...]], parts: Sequence[Part]) -> str:
    """A name for what a question shows, whatever the draw that led to it and whatever the order of the options of a choice."""
    shown: list[Any] = [(p.kind, p.runs, [(x.left, x.right) for x in blocks.get(p.kind, ())]) for p in stem]
    for p in parts:
        options = [o.runs for o in p.answer.options]
        shown.append((p.say, [(x.left, x.right) for x in p.lines], options if p.answer.type == "ordering" else sorted(options), p.answer.stub))
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]


def as_data(q: Question) -> dict[str, Any]:
    """The question as plain data."""
    return {
        "problem": q.problem, "title": q.title, "topics": list(q.topics), "variant": q.index, "canonical": q.canonical, "points": q.points,
        "checked": q.checked, "largest_difference": q.worst, "steps": q.figures.steps, "operations": q.figures.operations,
        "digits": q.figures.digits, "active_units": q.figures.active,
        "stem": [_piece(p, q) for p in q.stem], "parts": [_part(p) for p in q.parts],
    }


def _piece(p: Piece, q: Question) -> dict[str, Any]:
    if p.kind == "words":
        return {"kind": "words", "runs": [list(r) for r in p.runs]}
    return {"kind": p.kind, "latex": [f"{x.left} = {x.right}" for x in q.blocks[p.kind]]}


def _part(p: Part) -> dict[str, Any]:
    return {"label": p.label, "asked": p.asked, "say": [list(r) for r in p.say], "points": p.points, "digits": p.digits, "answer": _answer(p.answer),
            "lines": [_line(x) for x in p.lines], "solution": [_line(x) for x in p.solution],
            "errors": [{"slip": e.slip, "said": [list(r) for r in e.said], "latex": e.latex, "value": [list(r) for r in e.value]} for e in p.errors],
            "steps": [list(x) for x in p.steps],
            "carried": [{"slip": c.slip, "said": [list(r) for r in c.said], "then": [list(x) for x in c.cells], "part": c.part} for c in p.carried]}


def _answer(a: Answer) -> dict[str, Any]:
    out: dict[str, Any] = {"type": a.type}
    if a.latex:
        out["latex"] = a.latex
    if a.value:
        out |= {"value": [list(r) for r in a.value], "tolerance": [list(r) for r in a.tolerance]}
    if a.text:
        out["text"] = a.text
    if a.options:
        out |= {"options": [{"runs": [list(r) for r in o.runs], "right": o.right, "slip": o.slip, "said": [list(r) for r in o.said]} for o in a.options],
                "right": list(a.right)}
    if a.before:
        out["before"] = [list(p) for p in a.before]
    if a.stub:
        out["stub"] = a.stub
    if a.hidden:
        out["hidden"] = list(a.hidden)
    return out


def function_of(a: Answer) -> str:
    """The function that was asked for, without what is given with the question."""
    return a.text[a.text.rindex("\ndef ") + 1:]


def _line(x: Line) -> dict[str, Any]:
    return {"left": x.left, "right": x.right, "because": x.because, "key": x.key, "marks": x.marks}


def as_json(q: Question) -> str:
    """The question as JSON text: the same bytes for the same variant."""
    return json.dumps(as_data(q), indent=2, ensure_ascii=False, sort_keys=True, allow_nan=False) + "\n"

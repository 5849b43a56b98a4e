"""Many papers in few runs of TeX: set one behind the other, cut by page into one PDF each, the same bytes in whatever company.

A run that fails is halved until the broken paper stands alone. Papers that need LuaLaTeX have a run each.
"""

from __future__ import annotations

import io
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from pathlib import Path

import pikepdf

from ..errors import ChainruleError, TexError
from ..render.engine import Engine, NoLetter, compile_pdf, find_engine, install_hint
from ..render.text import beyond_t1, boxed, lacking, without_font
from .pages import document

SECONDS = 600.0  # for one run
_MARK = re.compile(r"^chainrule:(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Sheets:
    """The bodies of one student, in LaTeX, by kind. own: whether they need LuaLaTeX."""

    student: str
    name: str
    bodies: tuple[tuple[str, str], ...]
    own: bool = False


@dataclass(frozen=True)
class Printed:
    """The PDFs of one student by kind, or the sentence that says why there are none; complaints: overfull boxes; lacking: letters
    that no font has, boxed."""

    student: str
    pdfs: tuple[tuple[str, bytes], ...] = ()
    failure: str = ""
    complaints: tuple[str, ...] = ()
    lacking: str = ""


def printed(sheets: Sequence[Sheets], letters: str = "", templates: Path | None = None) -> list[Printed]:
    """The PDFs of some students, in their order; what cannot be printed says why. Never raises for one student's sake."""
    found: dict[str, Printed] = {s.student: _alone(s, templates) for s in sheets if s.own}
    found |= {p.student: p for p in _together([s for s in sheets if not s.own], letters, templates)}
    return [found[s.student] for s in sheets]


def _together(sheets: Sequence[Sheets], letters: str, templates: Path | None) -> list[Printed]:
    """Students in one run of pdfLaTeX, by halves where it fails."""
    if not sheets:
        return []
    try:
        engine = _engine(unicode=False)
        source = document((body for s in sheets for _, body in s.bodies), letters=letters, glyphs=True, templates=templates)
        made = compile_pdf(source, engine=engine, timeout=SECONDS)
        pieces, foreign = cut(made.pdf, made.log, sum(len(s.bodies) for s in sheets), glyphs=True)
    except TexError as e:
        if len(sheets) == 1 and isinstance(e, NoLetter):  # in the words of a question
            return [_alone(sheets[0], templates)]
        if len(sheets) == 1:
            return [Printed(sheets[0].student, failure=str(e))]
        half = len(sheets) // 2
        return _together(sheets[:half], letters, templates) + _together(sheets[half:], letters, templates)
    out, k = [], 0
    for s in sheets:
        own, strange = pieces[k:k + len(s.bodies)], any(foreign[k:k + len(s.bodies)])
        k += len(s.bodies)
        if strange and len(sheets) > 1:  # it uses letters that the first page lacks: only alone is it always the same
            out += _together([s], letters, templates)
        else:
            out.append(Printed(s.student, tuple((kind, pdf) for (kind, _), pdf in zip(s.bodies, own, strict=True)), complaints=made.complaints))
    return out


def _alone(s: Sheets, templates: Path | None) -> Printed:
    """One student with LuaLaTeX, whose fonts know other scripts. Letters that no font has are boxed, all beyond T1 where there is no LuaLaTeX."""
    whole = "".join(b for _, b in s.bodies)
    try:
        try:
            engine, boxes = _engine(unicode=True), ""
        except TexError:
            engine, boxes = _engine(unicode=False), beyond_t1(whole)
        missing: list[str] = []
        while True:
            source = reduce(without_font, missing, document((boxed(b, boxes) for _, b in s.bodies), unicode=engine.unicode, templates=templates))
            try:
                made = compile_pdf(source, engine=engine, timeout=SECONDS)
                break
            except NoLetter as e:
                if e.font in missing or (not e.font and not set(e.letters) - set(boxes)):
                    raise
                missing += [e.font] if e.font else []
                boxes += e.letters
        pieces, _ = cut(made.pdf, made.log, len(s.bodies), glyphs=False)
    except ChainruleError as e:
        return Printed(s.student, failure=f"the name {s.name or s.student}: {e}")
    return Printed(s.student, tuple((kind, pdf) for (kind, _), pdf in zip(s.bodies, pieces, strict=True)), "", made.complaints, beyond_t1("".join(c for c in boxes if c in whole)))


def boxes(letters: str) -> str:
    """What is said where letters were boxed, and what to install."""
    try:
        _engine(unicode=True)
        hint = ""
    except TexError as e:
        hint = f"; {e.hint}"
    return f"printed with a box in place of {', '.join(lacking(c, here=not hint) for c in letters)}{hint}"


def cut(pdf: bytes, log: str, bodies: int, *, glyphs: bool) -> tuple[list[bytes], list[bool]]:
    """A run's PDF in pieces, one from mark to mark of its log; of each whether it uses a font that the first page does not.

    glyphs: whether the first page holds the letters; it is dropped. Raises TexError where the marks do not fit the pages.
    """
    marks = bodies + glyphs
    ends = [int(m) for m in _MARK.findall(log)[:marks]]
    with pikepdf.open(io.BytesIO(pdf)) as whole:
        if len(ends) != marks or ends != sorted(set(ends)) or ends[-1] != len(whole.pages):
            raise TexError("the pages of a run could not be told apart", hint="does a template of your own leave out a mark?")
        known = _fonts(whole.pages[0])
        pages = [list(whole.pages[a:b]) for a, b in zip([0, *ends], ends, strict=False)][glyphs:]
        return [_whole(p) for p in pages], [any(_fonts(page) - known for page in p) for p in pages]


def _fonts(page: pikepdf.Page) -> set[str]:
    return set(page.Resources.get("/Font", pikepdf.Dictionary()).keys())


def _whole(pages: Sequence[pikepdf.Page]) -> bytes:
    """Some pages as a PDF of their own: the same pages, the same bytes."""
    with pikepdf.new() as out:
        out.pages.extend(pages)
        stream = io.BytesIO()
        out.save(stream, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.generate)
        return stream.getvalue()


@lru_cache(maxsize=2)
def _engine(*, unicode: bool) -> Engine:
    """The engine for letters within T1, or beyond. Raises TexError, with the packages that are missing."""
    found = find_engine("lualatex" if unicode else "pdflatex", unicode=unicode)
    if found is None:
        raise TexError("no TeX engine was found", hint=install_hint())
    return found


def tex_versions(*, own: bool) -> dict[str, str]:
    """The first line of what the engines say of themselves; own: LuaLaTeX too."""
    out = {}
    for name in ("pdflatex", *(["lualatex"] if own else [])):
        try:
            engine = _engine(unicode=name == "lualatex")
        except TexError:
            continue
        out[name] = subprocess.run([engine.path, "--version"], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False).stdout.partition("\n")[0].strip()
    return out

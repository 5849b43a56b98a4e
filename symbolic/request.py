"""What ``chainrule derive`` and ``chainrule verify`` were asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .calculus import check_assumed
from .errors import ChainruleError, SpecError, nearest
from .lesson import check_levels
from .render.engine import ENGINES

FORMATS = ("slides", "handout", "key", "tex", "md", "json")
PAGES = ("slides", "handout", "key")
ALSO = {"worksheet": "handout", "exercises": "handout", "solution": "key", "solutions": "key", "answers": "key", "presentation": "slides", "latex": "tex",
        "markdown": "md"}


@dataclass(frozen=True)
class Request:
    """What ``chainrule derive`` was asked for."""

    formats: tuple[str, ...] = PAGES
    levels: tuple[str, ...] = ("scalar", "matrix", "numbers")
    assume: tuple[str, ...] = ()
    every: bool = False
    digits: int = 4
    engine: str | None = None
    templates: Path | None = None

    def check(self) -> None:
        """Raises SpecError for an unknown format, level, rule or engine, or a missing folder of templates."""
        for name in self.formats:
            if name not in FORMATS:
                raise SpecError(f"--to {name}: no such format", hint="name the pages: slides, handout, key" if name == "pdf" else nearest(ALSO.get(name.lower(), name), FORMATS))
        for empty, option in ((not self.formats, "--to"), (not self.levels, "--level")):
            if empty:
                raise SpecError(f"{option} names nothing")
        engines = [e.name for e in ENGINES]
        if self.engine is not None and self.engine not in engines:
            raise SpecError(f"--engine {self.engine}: no such engine", hint=nearest(self.engine, engines))
        if self.templates is not None and not self.templates.is_dir():
            raise SpecError(f"--templates {self.templates}: no such folder")
        try:
            check_levels(self.levels)
            check_assumed(self.assume)
        except ChainruleError as e:
            raise SpecError(e.sentence, hint=e.hint) from None

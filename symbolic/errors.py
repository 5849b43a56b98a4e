"""The errors a user may meet: one clear sentence each, and the exit status that goes with it.

>>> str(SpecError("unknown activation 'sigmod'", where="net.yaml:5", hint="did you mean 'sigmoid'?"))
"net.yaml:5: unknown activation 'sigmod'; did you mean 'sigmoid'?"
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any


class ChainruleError(Exception):
    """Base of everything that is reported in one sentence, never as a traceback."""

    exit_status = 1

    def __init__(self, sentence: str, *, where: str = "", hint: str = "") -> None:
        self.sentence, self.where, self.hint = sentence, where, hint
        super().__init__(sentence)

    def __str__(self) -> str:
        text = f"{self.where}: {self.sentence}" if self.where else self.sentence
        return f"{text}; {self.hint}" if self.hint else text


class SpecError(ChainruleError):
    """What the person wrote cannot be understood: names, shapes, numbers, keys."""

    exit_status = 2


class ShapeError(SpecError):
    """Names and signs are understood, but the sizes do not fit together."""


class CheckError(ChainruleError):
    """A line of mathematics did not survive its check, so nothing is printed."""

    exit_status = 1


class TexError(ChainruleError):
    """The TeX engine is missing, failed, or hit a limit."""

    exit_status = 1


LONGEST_LIST = 300  # letters of a list of valid names; a longer one hides the sentence


def one_line(text: str) -> str:
    """Text from a file made safe for one line of a message."""
    line = "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))
    return line if len(line) <= 300 else line[:297] + "..."


def meant(word: str, rows: Mapping[str, Any]) -> str:
    """The row that a word names: by its name, or by another word of the field (the field `also` of a row), in any case; else the word itself."""
    return word if word in rows else next((n for n, row in rows.items() if _plain(word) in map(_plain, (n, *getattr(row, "also", ())))), word)


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint with the nearest valid name, or the list of valid names; a table of rows is searched by their other words too.

    >>> nearest("sigmod", ["relu", "sigmoid", "tanh"])
    "did you mean 'sigmoid'?"
    >>> nearest("zzz", ["relu", "tanh"])
    'valid names: relu, tanh'
    """
    names = list(dict.fromkeys(known))
    rows = known if isinstance(known, Mapping) else {}
    words = {n: n for n in names} | {w: n for n, row in rows.items() for w in getattr(row, "also", ()) if w not in rows}
    same = [w for w in words if _plain(w) == _plain(name)]
    close = same or difflib.get_close_matches(name, words, n=1, cutoff=0.6) or [n for n in names if len(name) > 3 and _plain(n).startswith(_plain(name))]
    if close:
        return f"did you mean {words[close[0]]!r}?"
    listed = ", ".join(names)
    if len(listed) > LONGEST_LIST:
        listed = listed[:listed.rindex(",", 0, LONGEST_LIST)] + ", ..."
    return f"valid names: {listed}"


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c not in "_- ")

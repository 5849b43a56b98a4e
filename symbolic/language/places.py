"""Indices that are computed from others, and how a constant map of entries reads with running indices.

>>> Shifted.of((("i", 2), ("p", 1)), 0), Listed.of([2, 0, 2], "m")
('2i+p-2', '(3,1,3)_{m}')
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..expr import Dim, Samples
from .takes import Full, Take

Letter = str | None
Fresh = Callable[[Dim, str], Letter]  # a letter for a size, None for the size 1; and the letter that is usual there


class Shifted(str):
    """An index that is computed from others, i+p-1: printed counting from 1, evaluated counting from 0."""

    terms: tuple[tuple[str, int], ...]
    start: int

    @classmethod
    def of(cls, terms: tuple[tuple[str | None, int], ...], start: int) -> str:
        """The index start + sum of factor * letter; a plain letter stays one, None stands for the index 0."""
        kept: tuple[tuple[str, int], ...] = ()
        for letter, c in terms:
            if isinstance(letter, Shifted):
                kept, start = (*kept, *((name, c * d) for name, d in letter.terms)), start + c * letter.start
            elif letter:
                kept = (*kept, (letter, c))
        if len(kept) == 1 and kept[0][1] == 1 and start == 0:
            return kept[0][0]
        constant = start + 1 - sum(c for _, c in kept)
        shown = "".join(("-" if c < 0 else "+") + (str(abs(c)) if abs(c) != 1 else "") + letter for letter, c in kept)
        shown += f"{constant:+d}" if constant or not kept else ""
        out = cls(shown.removeprefix("+"))
        out.terms, out.start = kept, start
        return out


class Listed(str):
    """An index that is looked up in a list, (3,1,3)_m: printed counting from 1, evaluated counting from 0."""

    places: tuple[int, ...]
    letter: str

    @classmethod
    def of(cls, places: Sequence[int], letter: str) -> Listed:
        """The entry of a list at a running index."""
        out = cls("({})_{{{}}}".format(",".join(str(k + 1) for k in places), letter))
        out.places, out.letter = tuple(places), letter
        return out


def position(letter: str, where: dict[str, int]) -> int:
    """The place that an index stands for, from 0."""
    if isinstance(letter, Listed):
        k = position(letter.letter, where)
        return letter.places[k] if 0 <= k < len(letter.places) else -1
    if isinstance(letter, Shifted):
        return letter.start + sum(c * where[name] for name, c in letter.terms)
    return where[letter]


def letters_of(index: str) -> tuple[str, ...]:
    """The running letters that an index is made of."""
    if isinstance(index, Listed):
        return letters_of(index.letter)
    return tuple(name for name, _ in index.terms) if isinstance(index, Shifted) else (index,)


@dataclass(frozen=True)
class Reading:
    """A map of entries with running indices: taken[at] = source[of] for every value of the letters.

    over: the letters with their sizes; at, of: an index for each dimension, None where it has size 1.
    """

    over: tuple[tuple[str, int], ...]
    at: tuple[Letter, Letter]
    of: tuple[Letter, Letter]


def row_by_row(size: Full, i: Letter, j: Letter) -> str:
    """The place of entry (i, j) when all entries are counted row by row."""
    return Shifted.of(((i, size[1]), (j, 1)), 0)


def reading(move: Take, fresh: Fresh) -> Reading | None:
    """How a map reads; None where no simple index says it."""
    if move.word == "windows":
        (down, across), stride, padding = move.window
        sides = move.across
        p, q, i, j = letters = tuple(map(fresh, (down, across, *sides), "pqkl"))
        pads = tuple(padding if d > 1 else 0 for d in move.source)
        of = (Shifted.of(((i, stride), (p, 1)), -pads[0]), Shifted.of(((j, stride), (q, 1)), -pads[1]))
        over = tuple((x, d) for x, d in zip(letters, (down, across, *sides), strict=True) if x)
        return Reading(over, _kept((row_by_row((down, across), p, q), row_by_row(sides, i, j)), move.shape), _kept(of, move.source))
    if move.word:  # the same entries row by row: one of the two sides must be a single row or column
        whole, single = (move.source, move.shape) if 1 in move.shape else (move.shape, move.source)
        if 1 not in single:
            return None
        i, j = fresh(whole[0], ""), fresh(whole[1], "")
        place = row_by_row(whole, i, j)
        two, one = (i, j), at_kept(place, single)
        return Reading(tuple((x, d) for x, d in zip((i, j), whole, strict=True) if x), *((one, two) if 1 in move.shape else (two, one)))
    rows = [c // move.source[1] for c in move.cells[::move.shape[1]]]
    columns = [c % move.source[1] for c in move.cells[:move.shape[1]]]
    straight = (rows == list(range(move.source[0])), columns == list(range(move.source[1])))
    letters = tuple(fresh(d if same else Samples(d), "") for d, same in zip(move.shape, straight, strict=True))  # what is looked up is counted by m
    found = tuple(_chosen(kept, size, x) for kept, size, x in zip((rows, columns), move.source, letters, strict=True))
    return Reading(tuple((x, d) for x, d in zip(letters, move.shape, strict=True) if x), (letters[0], letters[1]), _kept((found[0], found[1]), move.source))


def _chosen(kept: list[int], size: int, letter: Letter) -> Letter:
    """The index in the source of what is taken along one side."""
    if kept == list(range(size)):
        return letter
    if kept == list(range(kept[0], kept[0] + len(kept))):
        return Shifted.of(((letter, 1),), kept[0])
    assert letter is not None
    return Listed.of(kept, letter)


def at_kept(place: str, shape: Full) -> tuple[Letter, Letter]:
    """One index for a single row or column."""
    return _kept((place, place), shape)


def _kept(places: tuple[Letter, Letter], shape: Full) -> tuple[Letter, Letter]:
    return places[0] if shape[0] != 1 else None, places[1] if shape[1] != 1 else None

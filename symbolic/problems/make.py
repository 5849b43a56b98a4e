"""From a problem file and a seed to a question: draw, work out, check, word, and list the mistakes.

>>> from .format import read_text
>>> maker = Maker(read_text('''
... title: The slope of a square
... topics: [chain rule]
... parameters: {a: {integers: [2, 9]}}
... spec: {equations: {y: "x**2"}, at: {x: "{a}"}}
... text: "Let `y = x**2`."
... ask: [{find: dy/dx, points: 2}]
... ''', "square.yaml"))
>>> q = maker.make(5)
>>> q.index, q.parts[0].answer.value, q.parts[0].errors[0].slip
(5, (('14.0',),), 'exponent-left')
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from ..errors import ChainruleError, SpecError
from ..language.arithmetic import Matrix
from ..reading.numbers import ValueProblem
from ..slips import SLIPS
from .distractors import Mistake, moved
from .format import Ask, ProblemFile
from .kinds import Asking, Made
from .question import Carried, Figures, Line, Part, Question, canonical
from .second import QUANTITIES
from .solution import name_of, printed, said, stated
from .tolerance import tolerances
from .variants import Variants, conditions_met, figures
from .verdicts import ROWS
from .wording import Wording, sentence
from .worked import Key, Rejected, Work, checked, needed, spoken, unchecked

MOST_DRAWS = 400  # draws tried from one seed
MOST_DIGITS_MORE = 1  # that the longest given number may have, or lack, beside the other draws
LETTERS = "abcdefgh"
NOTHING = r"\text{-}"


class Maker:
    """Makes the questions of one problem file. Raises SpecError, located, for what the file says and cannot be.

    refused: how many draws were turned down so far, by reason.
    """

    def __init__(self, file: ProblemFile) -> None:
        self.file, self.variants = file, Variants(file)
        self.refused: Counter[str] = Counter()
        try:
            self.wording = Wording(file.text, list(file.parameters))
        except ValueProblem as e:
            raise SpecError(f"text: {e.sentence}", where=self._line("text", e.path), hint=e.hint) from None
        self.says = [self._say(k, ask) for k, ask in enumerate(file.ask)]

    def _say(self, k: int, ask: Ask) -> Wording:
        """The words of a part: its own, or those of its kind."""
        try:
            asked = QUANTITIES[ask.target].say if ask.kind == "find" and ask.target in QUANTITIES else ROWS[ask.kind].say.format(target=ask.target)
            return Wording(ask.say or asked, list(self.file.parameters))
        except ValueProblem as e:
            raise SpecError(f"ask, entry {k + 1}, say: {e.sentence}", where=self.file.where_is("ask", k, "say"), hint=e.hint) from None

    def _line(self, key: str, path: tuple[Any, ...]) -> str:
        """File and line of a place inside a block of text."""
        where = self.file.where_is(key)
        if "\n" not in self.file.text or not path or not where:
            return where
        name, _, line = where.rpartition(":")
        return f"{name}:{int(line) + 1 + int(path[0])}"

    def check(self) -> None:
        """Whether a first draw can be built, worded and asked, without any proof. Raises SpecError."""
        given = self._first_given()
        problem = self.variants.problem(given)
        self._worded(given, problem.network)
        for k, ask in enumerate(self.file.ask):
            self._keys(k, ask, problem)
            self._said(k, given, problem.network)

    def _first_given(self) -> Mapping[str, Any]:
        for index in range(min(self.variants.size, MOST_DRAWS)):
            try:
                return self.variants.given(index)
            except Rejected:
                continue
        raise SpecError("no draw of the parameters has a value", where=self.file.where_is("parameters"))

    # ------------------------------------------------------------ one question

    def make(self, seed: int) -> Question:
        """The question of a seed: the first draw of its walk that passes every check. Raises SpecError where none does."""
        refused: Counter[str] = Counter()
        for tried, index in enumerate(self.variants.walk(seed)):
            if tried == MOST_DRAWS:
                break
            try:
                return self.at(index, seed)
            except Rejected as e:
                refused[e.reason] += 1
                self.refused[e.reason] += 1
        reason, count = refused.most_common(1)[0]
        conditions = [f"not {text}" for text in self.file.where]
        place = ("where", conditions.index(reason)) if reason in conditions else ("parameters",)
        raise SpecError(f"none of {sum(refused.values())} draws makes a question; {count} times: {reason}", where=self.file.where_is(*place),
                        hint="widen the spaces or drop a condition")

    def at(self, index: int, seed: int = 0) -> Question:
        """The question of one draw. Raises Rejected where the draw makes none."""
        found = self._worked(index)
        hard = figures(found[0], found[2])
        like = self.reference
        if (hard.steps, hard.operations, hard.active) != (like.steps, like.operations, like.active) or abs(hard.digits - like.digits) > MOST_DIGITS_MORE:
            raise Rejected("it is harder or easier than the others")
        return self._question(index, seed, *found, hard)

    @cached_property
    def reference(self) -> Figures:
        """How hard the first draw that meets the conditions is: the others are as hard."""
        for tried, index in enumerate(self.variants.walk(0)):
            if tried == MOST_DRAWS:
                break
            try:
                found = self._worked(index)
                return figures(found[0], found[2])
            except Rejected as e:
                last = e.reason
        raise SpecError(f"no draw makes a question; the last one: {last}", where=self.file.where_is("parameters"), hint="widen the spaces or drop a condition")

    def _worked(self, index: int) -> tuple[Work, Mapping[str, Any], list[Key]]:
        """A draw with all its numbers, the conditions met."""
        if reason := self.variants.unmet(index):
            raise Rejected(reason)
        given = self.variants.given(index)
        problem = self.variants.problem(given)
        asked = [key for k, ask in enumerate(self.file.ask) for key in self._keys(k, ask, problem)]
        found = unchecked(problem, asked)
        conditions_met(self.file, given, found, list(found.keys))
        return found, given, asked

    def _keys(self, k: int, ask: Ask, problem: Any) -> list[Key]:
        try:
            return ROWS[ask.kind].keys(ask, problem.network, problem)
        except SpecError as e:
            raise SpecError(f"ask, entry {k + 1}: {e.sentence}", where=self.file.where_is("ask", k, ask.kind), hint=e.hint) from None

    def _worded(self, given: Mapping[str, Any], network: Any) -> Any:
        try:
            return self.wording.pieces(given, network)
        except ChainruleError as e:
            raise SpecError(f"text: {e.sentence}", where=self.file.where_is("text"), hint=e.hint) from None

    def _said(self, k: int, given: Mapping[str, Any], network: Any) -> tuple[tuple[str, str], ...]:
        try:
            return sentence(self.says[k], given, network)
        except ChainruleError as e:
            raise SpecError(f"ask, entry {k + 1}, say: {e.sentence}", where=self.file.where_is("ask", k, "say"), hint=e.hint) from None

    def _question(self, index: int, seed: int, found: Work, given: Mapping[str, Any], asked: list[Key], hard: Figures) -> Question:
        found = checked(found)
        allowed = tolerances(found)
        wrong: dict[int, Mapping[Any, Matrix]] = {}
        listed: list[tuple[str, Mistake]] = []  # with the part that lists it; what it moves in an earlier part counts as well
        shown: set[tuple[str, str, str]] = set()
        asked_for = [Asking(self.file, ask, k, given, found, allowed, seed, wrong) for k, ask in enumerate(self.file.ask)]
        made_of = [ROWS[a.ask.kind].make(a) for a in asked_for]
        for k, made in enumerate(made_of):
            listed += [(LETTERS[k], m) for m in made.behind if not any(m.same(b) for _, b in listed)]
        parts = [self._part(a, made, listed, shown) for a, made in zip(asked_for, made_of, strict=True)]
        stem, blocks = self._worded(given, found.network), stated(found)
        return Question(self.file.name, self.file.title, tuple(self.file.topics), index, canonical(stem, blocks, parts), stem,
                        tuple(parts), hard, found.how, blocks, f"{found.worst or 0:.0e}")

    def _part(self, a: Asking, made: Made, listed: list[tuple[str, Mistake]], shown: set[tuple[str, str, str]]) -> Part:
        """A part with its key; lines that an earlier part has shown are left out, unless marks stand at them."""
        solution = _kept(made.solution, shown)
        shown.update((x.key, x.left, x.right) for x in made.solution)
        carried = tuple(c for label, m in listed if (c := self._carried(a, m, label)).cells) if made.behind else ()
        return Part(LETTERS[a.place], a.ask.target if a.ask.kind != "select" else "", self._said(a.place, a.given, a.work.network), a.ask.worth, made.answer, self.file.digits, solution,
                    made.errors, carried, made.lines, self._steps(a) if carried else (), ROWS[a.ask.kind].reasons)

    def _steps(self, a: Asking) -> tuple[tuple[str, str, str], ...]:
        """The right value of every step of a part, beside which wrong ones are put."""
        return tuple((spoken(key, a.work.network), name_of(a.work, key), printed(a.work, a.work.value(key), self.file.digits)) for key in needed(a.work, [a.key]))

    def _carried(self, a: Asking, mistake: Mistake, label: str) -> Carried:
        """What each step of a part comes to after a mistake, where it differs; a dash where it comes to nothing."""
        found, cells_of = a.values(mistake), []
        for key in needed(a.work, [a.key]):
            if isinstance(key, str) and label > LETTERS[a.place] and mistake.slip in SLIPS and SLIPS[mistake.slip].kind != "forward":
                continue  # a mistake of the way back leaves the values before it alone
            right, wrong = a.work.value(key), found.get(key)
            if wrong is None or moved(wrong, right):
                cells_of.append((spoken(key, a.work.network), name_of(a.work, key), printed(a.work, wrong, self.file.digits) if wrong is not None else NOTHING))
        return Carried(mistake.slip, said(mistake.said, a.work), tuple(cells_of), label)


def _kept(lines: Sequence[Line], shown: set[tuple[str, str, str]]) -> tuple[Line, ...]:
    """The lines of a solution that have not been shown, or where marks stand; one that continues a line left out says again what it is."""
    out: list[Line] = []
    left, follows = "", False
    for x in lines:
        left = x.left or left
        if x.marks or (x.key, x.left, x.right) not in shown:
            out.append(x if follows else replace(x, left=left))
            follows = True
        else:
            follows = False
    return tuple(out)

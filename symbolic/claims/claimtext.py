"""The claims block of a spec: what somebody published, kept as it was written.

>>> read_claims({"z1": ["0.3775", "0.3925"], "gradients": {"z2": "0.1385"}, "dL/dW2": "dz2 @ a1.T"})[1]
Claim(key='z2', group='gradients', name='z2', numbers=Digits(text='0.1385', value=Fraction(277, 2000)), formula='', path=('gradients', 'z2'))
>>> [(s.kind, s.of, s.wrt, s.steps) for s in (subject("dL/dz2", ["x", "z2", "L"], "L"), subject("W1_new", ["W1", "L"], "L"))]
[('gradient', 'L', 'z2', 1), ('updated', 'W1', '', 1)]
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

from .. import expr as ex
from ..errors import ShapeError, SpecError, nearest
from ..expr import Expr
from ..language.parse import functions_in, known_functions, names_in, parse
from ..reading.numbers import Number, ValueProblem, last_digit, leaf, parse_number, parse_values, whole

if TYPE_CHECKING:
    from ..network import Network

MOST_CLAIMS = 500
MOST_ROUNDING = 30
GROUPS = ("gradients", "updated")
LATER = re.compile(r"after (\d+) steps?(?: at (\S+))?")  # a group: what a run comes to
ANGLE = re.compile(r"angle\((.+)\)")
MOST_LATER = 60  # steps
_WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_SLOPE = re.compile(r"(?<![\w.])d([A-Za-z]\w*)\s*/\s*d([A-Za-z]\w*)")
_NUMBER_WORDS = ("sqrt", "exp", "ln", "log", "sin", "cos", "tan", "pi")


@dataclass(frozen=True)
class Digits:
    """A number as somebody wrote it; 0.0150 has four decimals, 1/3 is exact."""

    text: str
    value: Number

    @property
    def unit(self) -> Fraction | None:
        """What one more in the last digit adds; None for an exact form."""
        return last_digit(self.text)


Written: TypeAlias = "Digits | tuple[Digits, ...] | tuple[tuple[Digits, ...], ...]"


@dataclass(frozen=True)
class Claim:
    """One claim. key: what it is about, as written; numbers or a formula; path: where it stands in the block.

    group: 'gradients', 'updated', 'after 3 steps' or '' (name is then the same as the key); 'notes' holds a statement in words,
    with the remark on it as its formula.
    """

    key: str
    group: str
    name: str
    numbers: Written | None
    formula: str
    path: tuple[str | int, ...] = field(default=())


@dataclass(frozen=True)
class Subject:
    """What a claim is about. kind: value, gradient (of, wrt), updated, after (the loss after the update), expression or angle (text).

    steps: how many updates; rate: the learning rate of that run, None for the one of the file.
    """

    kind: str
    of: str = ""
    wrt: str = ""
    text: str = ""
    steps: int = 1
    rate: Number | None = None


def read_claims(raw: object) -> tuple[Claim, ...]:
    """The claims of a block: keys with values, or a list of such blocks where one thing is claimed twice.

    Raises ValueProblem, with the path to it, for what is neither numbers nor a formula.
    """
    if isinstance(raw, tuple) and all(isinstance(c, Claim) for c in raw):
        return raw
    blocks = list(enumerate(raw)) if isinstance(raw, list) else [(None, raw)]
    claims = tuple(c for place, block in blocks for c in _block(block, () if place is None else (place,)))
    if len(claims) > MOST_CLAIMS:
        raise ValueProblem(f"{len(claims)} claims; at most {MOST_CLAIMS} are checked")
    return claims


def _block(block: object, at: tuple[str | int, ...]) -> Iterator[Claim]:
    if not isinstance(block, Mapping):
        raise ValueProblem("expected claims as keys with values", *at, hint="as in {y_hat: 0.7514, dL/dz2: y_hat - y}")
    for key, value in block.items():
        key = str(key).strip()
        if key == "notes":
            yield from _notes(value, (*at, key))
        elif key == "rounding":
            try:
                yield Claim(key, key, key, None, str(whole(value, 0, MOST_ROUNDING)), (*at, key))
            except ValueProblem as problem:
                raise ValueProblem(problem.sentence, *at, key) from None
        elif (key in GROUPS or LATER.fullmatch(key)) and isinstance(value, Mapping):
            for name, inner in value.items():
                yield _claim(str(name).strip(), key, inner, (*at, key, str(name)))
        else:
            yield _claim(key, "", value, (*at, key))


def _notes(value: object, at: tuple[str | int, ...]) -> Iterator[Claim]:
    """Statements in words: a list of texts, or each with a remark on it."""
    pairs = value.items() if isinstance(value, Mapping) else [(v, "") for v in (value if isinstance(value, list) else [value])]
    for text, remark in pairs:
        if not isinstance(text, str) or not isinstance(remark, (str, type(None))) or not text.strip():
            raise ValueProblem("expected a statement in words, or 'statement: remark'", *at, hint='as in ["Each cycle is an epoch."]')
        yield Claim(" ".join(text.split()), "notes", "", None, " ".join((remark or "").split()), at)


def _claim(name: str, group: str, value: object, path: tuple[str | int, ...]) -> Claim:
    key = f"{name}_new" if group == "updated" else f"{name} {group}" if LATER.fullmatch(group) else name
    if isinstance(value, Mapping):
        raise ValueProblem("expected numbers or a formula, not braces", *path, hint=f"groups are {', '.join(GROUPS)} and 'after 3 steps'")
    if value is None or value == "":
        raise ValueProblem("the claim is missing", *path, hint="write numbers or a formula behind it")
    if isinstance(value, str) and _is_formula(value):
        return Claim(key, group, name, None, value.strip(), path)
    try:
        return Claim(key, group, name, _digits(value), "", path)
    except ValueProblem as problem:
        raise ValueProblem(problem.sentence, *path, *problem.path, hint=problem.hint) from None


def _is_formula(text: str) -> bool:
    """Whether a text names values; `ln(3)/2` and `1e-3` name none."""
    try:
        parse_number(text)
        return False
    except ValueProblem:
        return any(word not in _NUMBER_WORDS for word in _WORD.findall(text))


def _digits(value: object) -> Written:
    parse_values(value)  # complains of rows that are not equally long, and of text
    if not isinstance(value, (list, tuple)):
        return Digits(str(value).strip(), leaf(value))
    return tuple(tuple(Digits(str(v).strip(), leaf(v)) for v in row) if isinstance(row, (list, tuple)) else Digits(str(row).strip(), leaf(row))
                 for row in value)  # type: ignore[return-value]


def flat(numbers: Written) -> list[Digits]:
    """Every number of a claim, in order."""
    return [numbers] if isinstance(numbers, Digits) else [d for row in numbers for d in flat(row)]


# ------------------------------------------------------------------ what a claim is about

def subject(key: str, names: Sequence[str], output: str, group: str = "") -> Subject:
    """What a key stands for, given the names of the spec and its output.

    Raises ValueProblem for a name that the spec does not have, with the nearest one.
    """
    if group in GROUPS:
        name = key.removesuffix("_new") if group == "updated" else key
        _known(name, names)
        return Subject("gradient", output, name) if group == "gradients" else Subject("updated", name)
    if later := LATER.fullmatch(group):
        return _later(key, names, output, later)
    if key in names:
        return Subject("value", key)
    if key in ("loss", "loss_after"):
        return Subject("value" if key == "loss" else "after", output)
    if key.endswith("_new") and key[:-4] in names:
        return Subject("updated", key[:-4])
    if slope := _SLOPE.fullmatch(key):
        _known(slope[1], names)
        _known(slope[2], names)
        return Subject("gradient", slope[1], slope[2])
    if key[:1] == "d" and key[1:] in names:
        return Subject("gradient", output, key[1:])
    if re.fullmatch(r"\w+", key):
        _known(key, [*names, "loss", "loss_after", *GROUPS, "rounding", "notes"])
    angle = ANGLE.fullmatch(key)
    check_formula(angle[1] if angle else key, names)
    return Subject("angle", text=angle[1]) if angle else Subject("expression", text=key)


def _later(name: str, names: Sequence[str], output: str, group: re.Match[str]) -> Subject:
    """A value or the loss at the end of a run of several steps."""
    steps = int(group[1]) if len(group[1]) < 4 else MOST_LATER + 1
    if not 1 <= steps <= MOST_LATER:
        raise ValueProblem(f"{group[1][:20]} steps, expected 1 to {MOST_LATER}")
    rate = None if group[2] is None else parse_number(group[2])
    if rate is not None and not float(rate) > 0:
        raise ValueProblem(f"expected a learning rate above 0, not {group[2]}")
    _known(name, [*names, "loss"])
    return Subject("after", output, steps=steps, rate=rate) if name in ("loss", output) else Subject("updated", name, steps=steps, rate=rate)


def _known(name: str, names: Sequence[str]) -> None:
    if name not in names:
        raise ValueProblem(f"{name!r} is not known here", hint=nearest(name, names))


def check_formula(text: str, names: Sequence[str], unnamed: frozenset[str] = frozenset()) -> None:
    """Raise ValueProblem for a formula that cannot be read, or that uses a name or function nobody knows."""
    plain, slopes = without_slopes(text, names)
    known = [*names, *(f"d{n}" for n in names), *slopes, "learning_rate", "eta"]
    try:
        used, called = names_in(plain), functions_in(plain)
    except SpecError as error:
        raise ValueProblem(error.sentence, hint=error.hint) from None
    for name in used:
        _known(name, known)
    for name in called:
        _known(name, [*known_functions(), "ones", *unnamed])


def without_slopes(text: str, names: Sequence[str]) -> tuple[str, dict[str, tuple[str, str]]]:
    """A formula in which every du/dv of known names is one name of its own, and what these names mean.

    >>> without_slopes("dL/dy_hat * a", ["L", "y_hat", "a"])
    ('slope_0 * a', {'slope_0': ('L', 'y_hat')})
    """
    found: dict[str, tuple[str, str]] = {}
    free: Callable[[int], str] = lambda k: f"slope_{k}" if f"slope_{k}" not in names else free(k + 1000)

    def replaced(match: re.Match[str]) -> str:
        u, v = match[1], match[2]
        if u not in names or v not in names or f"d{u}" in names or f"d{v}" in names:
            return match[0]
        name = free(len(found))
        found[name] = (u, v)
        return name

    return _SLOPE.sub(replaced, text), found


def formula(text: str, network: Network, slope: Callable[[str, str], Expr], rate: Expr | None = None) -> Expr:
    """A formula over the names of a network, with dV for the gradient of its output and du/dv for any slope, as a tree.

    slope: what du/dv stands for; rate: the learning rate. Raises ShapeError where the sizes do not fit, SpecError for anything else.
    """
    names = [*network.symbols, *network.other_names]
    plain, slopes = without_slopes(text, names)
    values = {n: network.symbols[network.resolve(n)].expr for n in names}
    used = set(names_in(plain)) - values.keys()
    pairs = {f"d{n}": (network.output, n) for n in names if f"d{n}" in used} | slopes
    values.update({name: slope(network.resolve(u), network.resolve(v)) for name, (u, v) in pairs.items()})
    values.update({name: rate for name in ("learning_rate", "eta") if name in used and rate is not None})
    unnamed = frozenset(e.data for eq in network.equations for e in ex.walk(eq.rhs) if e.op == "apply")
    try:
        return parse(plain, values, unnamed)
    except ShapeError:  # a published z = W x + b leaves it to the reader, or to NumPy, to repeat b for every example
        if not (repeated := _biases(network)):
            raise
        return parse(plain, {**values, **repeated}, unnamed)


def _biases(network: Network) -> dict[str, Expr]:
    """The biases of a batch, repeated for every example."""
    out = {}
    for name in network.names("parameter"):
        z, b = network.symbols.get(f"z{name[1:]}"), network.symbols[name]
        if name[:1] == "b" and z is not None and b.shape and b.shape != z.shape:
            one = ex.ones((z.shape[0], 1) if network.rows else (1, z.shape[1]))
            out[name] = ex.node("matmul", (one, b.expr) if network.rows else (b.expr, one))
    return out


def slope_name(network: Network, u: str, v: str) -> Expr:
    """du/dv as a name of its own, as it is printed."""
    shape = network.symbols[v].shape
    return ex.grad(u, v, shape) if u == network.output else ex.Expr("partial", (), (u, v, "local"), shape)


def schema(number: dict[str, Any], array: dict[str, Any]) -> dict[str, Any]:
    """The block in JSON Schema."""
    claim = {"anyOf": [*array["anyOf"], {"type": "string", "description": "a formula, as in dz2 @ a1.T"}]}
    notes = {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "object", "additionalProperties": {"type": "string"}}]}
    block = {"type": "object", "additionalProperties": claim, "properties": {
        **{group: {"type": "object", "additionalProperties": claim} for group in GROUPS}, "notes": notes,
        "rounding": {"type": "integer", "minimum": 0, "maximum": MOST_ROUNDING}},
        "patternProperties": {f"^{LATER.pattern}$": {"type": "object", "additionalProperties": claim}}}
    return {"anyOf": [block, {"type": "array", "items": block}]}

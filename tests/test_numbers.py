"""Numbers: exact where they can be, one sentence where they cannot."""

from __future__ import annotations

import subprocess
import sys
import time
from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from symbolic.errors import SpecError
from symbolic.reading.numbers import ValueProblem, is_decimal, parse_number, parse_values, shape, whole

RATIONAL = [
    ("0.10", Fraction(1, 10)), ("-2", Fraction(-2)), ("1.0e-3", Fraction(1, 1000)), (".5", Fraction(1, 2)), ("5.", Fraction(5)),
    ("+3", Fraction(3)), ("010", Fraction(10)), ("1/3", Fraction(1, 3)), ("2**-3", Fraction(1, 8)), ("-(1/2 - 2)*3", Fraction(9, 2)),
    ("sqrt(4)", Fraction(2)), ("sqrt(8)/sqrt(2)", Fraction(2)), ("sqrt(2)**2", Fraction(2)), ("ln(1)", Fraction(0)),
    ("exp(0)", Fraction(1)), ("exp(ln(2))", Fraction(2)), ("cos(pi)", Fraction(-1)), ("0**0", Fraction(1)), (" 7 ", Fraction(7)),
]  # fmt: skip

IRRATIONAL = [
    ("sqrt(2)", "sqrt(2)"), ("2/3*sqrt(2)", "2*sqrt(2)/3"), ("ln(3)", "log(3)"), ("log(3)", "log(3)"), ("exp(-1)", "exp(-1)"),
    ("pi", "pi"), ("-ln(3)/2", "-log(3)/2"), ("2**(1/2)", "sqrt(2)"), ("sin(pi/3)", "sqrt(3)/2"),
]  # fmt: skip

REFUSED = [
    ("1e-3", "read as text by YAML; write 1.0e-3 or 0.001"), ("-2E5", "write -2.0e+5 or -200000"), ("1e999", "too large"),
    ("1.0e999", "too large"), ("1/0", "divides by zero"), (".inf", "not a finite number"), ("-.Inf", "not a finite number"),
    ("nan", "not a finite number"), (".nan", "not a finite number"), ("inf", "not a finite number"), ("log(0)", "logarithm of zero"),
    ("ln(-2)", "logarithm of zero or a negative"), ("sqrt(-1)", "root of a negative"), ("(-8)**(1/3)", "root of a negative"),
    ("tan(pi/2)", "not finite"), ("1/(sqrt(2)-sqrt(2))", "divides by zero"), ("0**-1", "divides by zero"),
    ("1/(sqrt(2)+sqrt(3)-sqrt(5+2*sqrt(6)))", "divides by zero"), ("9**9**9", "exponent beyond 64"),
    ("((9**64)**64)**64", "too large"), ("exp(1000)", "too large"), ("exp(exp(exp(9)))", "too large"), ("exp(690)**3", "grows beyond"),
    ("sqrt(exp(600))*exp(600)", "finite"), ("yes", "truth value"), ("true", "truth value"), ("", "a number is missing"),
    ("x", "'x' is not known here"), ("sqr(2)", "did you mean 'sqrt'?"), ("e", "write exp(1)"), ("0,5", "write 0.5"),
    ("\u22120.3", "type -0.3"), ("1_000", "not a number"), ("0x10", "not a number"), ("2^3", "a power is written **"),
    ("1j", "not a number"), ("'a'", "not a number"), ("[1]", "not a number"), ("2 3", "a comma is missing"), ("log(2, 3)", "takes one number"),
    ("__import__('os').system('true')", "not a number"), ("(1).real", "not a number"), ("-" * 150 + "1", "nested deeper"),
    ("1" * 201, "at most 200"), ("(" * 90 + "1" + ")" * 90, "pairs of brackets"), ("1\0", "not a number"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), RATIONAL)
def test_rational_numbers_are_fractions(text: str, value: Fraction) -> None:
    found = parse_number(text)
    assert found == value and isinstance(found, Fraction)


@pytest.mark.parametrize(("text", "shown"), IRRATIONAL)
def test_other_numbers_are_exact(text: str, shown: str) -> None:
    assert str(parse_number(text)) == shown


@pytest.mark.parametrize(("text", "fragment"), REFUSED)
def test_refused_with_a_sentence(text: str, fragment: str) -> None:
    start = time.perf_counter()
    with pytest.raises(ValueProblem) as caught:
        parse_number(text)
    assert fragment in str(caught.value)
    assert time.perf_counter() - start < 5  # a guard against hanging; SymPy may have to be imported first


@pytest.mark.parametrize(("text", "expected"), [("0.5", True), ("1e3", True), ("2*x + .5", True), ("1.", True), ("1/3", False),
                                                ("3", False), ("X.T @ w1", False), ("x2e3", False)])  # fmt: skip
def test_is_decimal(text: str, expected: bool) -> None:
    assert is_decimal(text) is expected


def test_rational_numbers_do_not_import_sympy() -> None:
    code = "import sys; from symbolic.reading.numbers import parse_number as p; p('0.1'); p('2**-3/7'); sys.exit('sympy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_arrays_from_text_and_from_python() -> None:
    assert parse_values(["1/2", 0.1, 3]) == (Fraction(1, 2), Fraction(1, 10), Fraction(3))
    assert shape(parse_values([["1", "2", "3"]])) == (1, 3)
    assert shape(parse_values("2")) == ()


@pytest.mark.parametrize(
    ("raw", "path", "fragment"),
    [
        ([], (), "empty list"), ([[1, 2], [3]], (1,), "1 number, but the first row has 2"), ([1, [2]], (0,), "like the other rows"),
        ([[1], []], (1,), "like the other rows"), ([[[1]]], (0, 0), "three deep"), ([1, None], (1,), "missing"),
        ([[1, "nan"]], (0, 1), "finite"), ([True], (0,), "truth value"), ([{"a": 1}], (0,), "braces"), (float("inf"), (), "finite"),
    ],
)  # fmt: skip
def test_arrays_say_where_they_are_wrong(raw: object, path: tuple[int, ...], fragment: str) -> None:
    with pytest.raises(ValueProblem) as caught:
        parse_values(raw)
    assert fragment in str(caught.value) and caught.value.path == path


@pytest.mark.parametrize("raw", ["0", "-1", "2.0", "two", "1" * 5000, [2], True, None, "\u0662"])
def test_whole_numbers(raw: object) -> None:
    assert whole("2") == whole(2) == 2
    with pytest.raises(ValueProblem, match="whole number"):
        whole(raw)


@given(st.one_of(st.text(max_size=40), st.text("0123456789.+-*/()e sqrtlnpix,^", max_size=40)))
def test_any_text_is_a_number_or_a_sentence(text: str) -> None:
    try:
        value = parse_number(text)
    except SpecError as error:
        assert str(error)
    else:
        assert isinstance(value, Fraction) or value.is_real


@given(st.recursive(st.sampled_from(["2", "3/4", "pi", "10", "64", "0.5"]), lambda inner: st.one_of(
    st.builds("({}{}{})".format, inner, st.sampled_from(["+", "-", "*", "/", "**"]), inner),
    st.builds("{}({})".format, st.sampled_from(["sqrt", "ln", "exp", "sin", "-"]), inner)), max_leaves=12))  # fmt: skip
def test_any_expression_ends(text: str) -> None:
    start = time.perf_counter()
    try:
        parse_number(text)
    except SpecError as error:
        assert str(error)
    assert time.perf_counter() - start < 5

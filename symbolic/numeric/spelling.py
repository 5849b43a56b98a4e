"""How languages in the manner of C write Python's expressions, and how long lines are broken.

>>> tree = ast.parse("-(a - y) ** 2 * (1 if z > 0 else W[0][1] / 3)", mode="eval").body
>>> BRACES["c"](tree)
'-pow(a - y, 2.0) * (z > 0.0 ? 1.0 : W[0][1] / 3.0)'
>>> BRACES["javascript"](tree)
'-((a - y) ** 2) * (z > 0 ? 1 : W[0][1] / 3)'
>>> for line in folded("z = [first + second, third + fourth]", 24): print(line)
z = [first + second,
     third + fourth]
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 96
SIGNS: dict[type, tuple[str, int]] = {ast.Add: ("+", 5), ast.Sub: ("-", 5), ast.Mult: ("*", 6), ast.Div: ("/", 6)}
COMPARED: dict[type, str] = {ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<="}


@dataclass(frozen=True)
class Braces:
    """Writes an expression. power: how a power is written; floats: whether 1 is written 1.0; equal: the sign of a comparison."""

    power: str
    floats: bool
    equal: str

    def __call__(self, code: ast.expr) -> str:
        return self.write(code, 0)

    def write(self, code: ast.expr, outside: int) -> str:
        """The text of a part, in brackets where what stands around it binds more tightly."""
        text, own = self.part(code)
        return f"({text})" if own < outside else text

    def part(self, code: ast.expr) -> tuple[str, int]:
        """The text, and how tightly it binds: 1 a choice, 3 a comparison, 5 a sum, 6 a product, 7 a sign, 9 a name."""
        match code:
            case ast.Constant(int() | float() as value): return (repr(float(value)) if self.floats else repr(value)), 9
            case ast.Name(name): return name, 9
            case ast.Subscript(value, ast.Constant(int() as k)): return f"{self.write(value, 9)}[{k}]", 9
            case ast.Call(function, arguments): return f"{ast.unparse(function)}({', '.join(self.write(a, 0) for a in arguments)})", 9
            case ast.UnaryOp(ast.USub(), operand): return f"-{self.write(operand, 7)}", 7
            case ast.BinOp(base, ast.Pow(), exponent):
                above = self.power == "{} ** {}"
                text = self.power.format(self.write(base, 9 if above else 0), self.write(exponent, 9 if above else 0))
                return text, 6 if above else 9
            case ast.BinOp(left, sign, right):
                word, own = SIGNS[type(sign)]
                return f"{self.write(left, own)} {word} {self.write(right, own + 1)}", own
            case ast.Compare(left, [sign], [right]):
                word = self.equal if isinstance(sign, ast.Eq) else COMPARED[type(sign)]
                return f"{self.write(left, 4)} {word} {self.write(right, 4)}", 3
            case ast.IfExp(test, body, orelse): return f"{self.write(test, 2)} ? {self.write(body, 2)} : {self.write(orelse, 1)}", 1
            case ast.List(parts): return f"[{', '.join(self.write(p, 0) for p in parts)}]", 9
        raise ValueError(f"no spelling of {ast.unparse(code)}")


BRACES = {"c": Braces("pow({}, {})", floats=True, equal="=="), "javascript": Braces("{} ** {}", floats=False, equal="===")}


# ---------------------------------------------------------------- long lines

def folded(line: str, width: int = WIDTH, carried: Sequence[int] = ()) -> list[str]:
    """A line in pieces that fit, broken after a comma or before a sign, in the outermost bracket that reaches across.

    A line without a bracket around the place gets no break: whoever writes it puts one. carried: columns of brackets that earlier pieces opened.
    """
    if len(line) <= width:
        return [line]
    breaks: list[tuple[int, int, list[int]]] = []  # how willingly, where to break, the brackets that are open there
    opened = list(carried)
    quoted = False
    first = len(line) - len(line.lstrip())
    for k, c in enumerate(line[:width + 1]):
        quoted ^= c == '"'
        if quoted or k < first:
            continue
        if c in "([{":
            opened.append(k)
        elif c in ")]}":
            opened.pop()
        elif opened and c == " " and (line[k - 1] == "," or line[k:k + 3] in SIGNED or line[k:].startswith((" if ", " else "))) \
                and k > max(first, opened[-1] + 1):
            breaks.append((3 * len(opened) + (line[k - 1] != ",") + (line[k:k + 3] in SIGNED[2:]), k, list(opened)))
    if not breaks:
        return [line]
    _, at, around = min(breaks, key=lambda b: (b[0], -b[1]))
    indent = around[-1] + 1 if around[-1] < width // 2 else 8
    return [line[:at], *folded(" " * indent + line[at + 1:], width, around)]


SIGNED = (" + ", " - ", " * ", " / ", " @ ", " ? ", " : ", " ==")

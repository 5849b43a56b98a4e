"""A listing as text in a language: the functions alone, or a script that runs.

>>> from ..layers import stack
>>> from ..network import LayerPlan
>>> from .listing import derive, listing
>>> net = stack(("x", 2), "y", [LayerPlan(1, "sigmoid")], "half_squared_error")
>>> print(code_text(listing(net, derive(net), apart=True, update=False), "javascript").split("\\n\\n")[2])
function forward(x, W1, b1) {
  // The value of every layer.
  const z1 = W1[0] * x[0] + W1[1] * x[1] + b1;
  const a1 = sigmoid(z1);
  return a1;
}
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..expr import Shape
from .listing import Function, Listing
from .passes import Line, called, parsed, placed
from .spelling import WIDTH, folded
from .targets import Target, said, target

COMMENT_AT = 60  # comments stand in one column behind the lines, unless a line is longer than this


@dataclass(frozen=True)
class Start:
    """What a script starts from: values by the network's names, in rows; the learning rate of every step; said: remarks."""

    values: Mapping[str, Sequence[Sequence[float]]]
    rates: tuple[float, ...]
    said: tuple[str, ...] = ()


def code_text(found: Listing, to: str, title: str = "", start: Start | None = None) -> str:
    """The listing in a language; with a start, as a script.

    Raises SpecError for an unknown language, and for what the language cannot say.
    """
    row = target(to)
    found = _renamed(found, row)
    return WRITERS[row.suffix](found, row).document(title, start)


def _renamed(found: Listing, to: Target) -> Listing:
    """The listing with an underscore behind every name that means something in the language."""
    used = set(found.shapes) | set(found.sizes)
    reserved = to.reserved | ({"t"} if found.update and "t" in found.update.takes else set())
    new = {name: f"{name}_" for name in used if name in reserved}
    if not new:
        return found

    def line(x: Line) -> Line:
        return replace(x, name=new.get(x.name, x.name), code=placed(x.code, new))

    def function(f: Function | None) -> Any:
        return f and replace(f, takes=names(f.takes), gives=names(f.gives), lines=tuple(map(line, f.lines)))

    def names(given: Iterable[str]) -> tuple[str, ...]:
        return tuple(new.get(n, n) for n in given)

    made = replace(found.program, names={n: new.get(c, c) for n, c in found.program.names.items()},
                   slopes={n: new.get(c, c) for n, c in found.program.slopes.items()}, gradients={n: new.get(c, c) for n, c in found.program.gradients.items()})
    return replace(found, program=made, forward=function(found.forward), loss=function(found.loss), backward=function(found.backward), update=function(found.update),
                   look=function(found.look), shapes={new.get(n, n): s for n, s in found.shapes.items()})


class _Writer:
    """What the languages share: the order of the parts, and lines with comments behind them."""

    comment, indent, end = "#", "    ", ""

    def __init__(self, found: Listing, to: Target) -> None:
        self.found, self.to = found, to

    def document(self, title: str, start: Start | None) -> str:
        """All of it."""
        blocks = [self.functions(f) for f in self.helpers()]
        blocks += [self.functions(f) for f in self.found.functions]
        head = [*self.remark(title), *self.to.opening, *self.opened(blocks, start)]
        parts = [head] * bool(head) + blocks + ([self.script(start)] if start else [])
        return self.between().join("\n".join(part) for part in parts) + "\n"

    def between(self) -> str:
        return "\n\n"

    def opened(self, blocks: Sequence[Sequence[str]], start: Start | None) -> list[str]:
        """What stands in front of the functions."""
        return []

    def remark(self, text: str) -> list[str]:
        """A comment of one line; of the text only what can be printed, so that it stays one."""
        clean = "".join(c if c.isprintable() else " " for c in text).strip(" \\")
        return [f"{self.comment} {clean}"] if clean else []

    def helpers(self) -> list[Function]:
        """Functions of the table, and what the language lacks where they or the lines call it."""
        every = (*self.found.helpers, *self.found.functions)
        calls = {called(n) for f in every for x in f.lines for n in ast.walk(x.code) if isinstance(n, ast.Call)}
        forms = {form.partition("(")[0] for name in calls if isinstance(form := self.to.calls.get(name), str)}
        lacking = [Function(name, ("z",), (Line("result", parsed(body)),), ("result",), "log(1 + exp(z)), without overflow.")
                   for name, body in self.to.support.items() if name in forms]
        return [*lacking, *self.found.helpers]

    def functions(self, f: Function) -> list[str]:
        raise NotImplementedError

    def script(self, start: Start) -> list[str]:
        raise NotImplementedError

    def body(self, f: Function) -> list[str]:
        """The lines of a function; each rule in a comment, behind its line where all find room there."""
        made = [(self.line(x, f), x.said) for x in f.lines]
        short = [len(lines[0]) for lines, note in made if note and len(lines) == 1 and len(lines[0]) <= COMMENT_AT]
        column = max(short, default=0)
        out = []
        for lines, note in made:
            behind = f"{lines[-1]:<{column}}  {self.comment} {note}"
            if not note:
                out += lines
            elif len(lines) == 1 and len(behind) + len(self.indent) <= WIDTH:
                out.append(behind)
            else:
                out += [*_wrapped(f"{self.comment} ", note), *lines]
        return [self.indent + x for x in out]

    def valued(self, f: Function) -> list[str]:
        """The body of a function of the table: its last line is its value."""
        *first, last = f.lines
        returned = self.assigned("return", said(last.code, self.to))
        return self.body(replace(f, lines=tuple(first))) + [self.indent + x.replace("return = ", "return ", 1) for x in returned]

    def line(self, x: Line, f: Function) -> list[str]:
        return self.assigned(x.name, said(x.code, self.to))

    def assigned(self, name: str, value: str) -> list[str]:
        """name = value, in as many lines as it takes."""
        room = WIDTH - len(self.indent)
        lines = folded(f"{name} = {value}{self.end}", room)
        return lines if all(len(x) <= room for x in lines) else folded(f"{name} = ({value}){self.end}", room)

    def value(self, name: str, given: Sequence[Sequence[float]]) -> Any:
        """Rows as the script holds them: a number, a flat list for a column or a row if entry by entry, or rows."""
        shape = self.found.shapes[name]
        if not shape:
            return given[0][0]
        if self.found.apart and 1 in shape:
            return [v for row in given for v in row]
        return [list(row) for row in given]

    def start_values(self, start: Start) -> dict[str, Any]:
        """What is given, by the name it has in the code, and the first values of the optimizer's states."""
        names = self.found.program.names
        out = {names[n]: self.value(names[n], start.values[n]) for n in self.found.program.leaves}
        for state, first in self.found.states.items():
            shape = self.found.shapes[state] or (1, 1)
            out[state] = self.value(state, [[first] * int(shape[1])] * int(shape[0]))
        return out

    def evaluated(self) -> list[Function]:
        """The functions of one evaluation, in order."""
        return [f for f in (self.found.forward, self.found.loss, self.found.backward) if f]


def _wrapped(prefix: str, text: str) -> list[str]:
    return [prefix + x for x in textwrap.wrap(text, WIDTH - len(prefix) - 4)]


# ---------------------------------------------------------------- Python, and its libraries

class _Python(_Writer):
    def between(self) -> str:
        return "\n\n\n"

    def opened(self, blocks: Sequence[Sequence[str]], start: Start | None) -> list[str]:
        calls = {n.func.id for f in (*self.found.helpers, *self.found.functions) for x in f.lines for n in ast.walk(x.code)
                 if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
        out = [line for name, line in self.to.support.items() if name in calls and not self.found.apart]
        out = ["", *out] if out else []
        rows = [x for name, cells in self.found.tables.items() for x in folded(f"{name} = {self.to.made.format(cells)}")]
        return [*out, *([""] + rows if rows else [])]

    def document(self, title: str, start: Start | None) -> str:
        text = super().document(title, start)
        return text.replace("import numpy as np", "import math\n\nimport numpy as np", 1) if "np.vectorize(math." in text else text

    def functions(self, f: Function) -> list[str]:
        room = folded(f"def {f.name}({', '.join(f.takes)}):")
        lines = [*room, f'{self.indent}"""{f.said}"""']
        return lines + (self.valued(f) if f.gives == ("result",) else self.body(f) + [self.indent + x for x in _tuple("return ", f.gives)])

    def call(self, f: Function) -> list[str]:
        values = ", ".join("epoch" if n == "t" and f is self.found.update else n for n in f.takes)
        given = ", ".join(f.gives)
        return self.assigned(given if len(given) <= WIDTH // 2 else f"({given})", f"{f.name}({values})")

    def script(self, start: Start) -> list[str]:
        found, made = self.found, self.to.made
        out = ["def show(name, value):", f'{self.indent}print(name, "=", {self.to.shown.format("value")})', "", ""]
        for remark in start.said:
            out += self.remark(remark)
        for name, value in self.start_values(start).items():
            out += self.assigned(name, made.format(value))
        once = [x for f in self.evaluated() for x in self.call(f)]
        out += ["", *once, f'show("{found.output}", {found.output})', *(f'show("{g}", {g})' for g in found.gradients)]
        if self.to.autodiff:
            out += ["", *self.checked()]
        if found.update and start.rates:
            rates = len(set(start.rates)) > 1
            out += ["", *self.assigned("learning_rates" if rates else "learning_rate", str(list(start.rates) if rates else start.rates[0])),
                    f"for epoch in range(1, {len(start.rates) + 1}):"]
            body = ["learning_rate = learning_rates[epoch - 1]"] if rates else []
            evaluate = [x for f in self.evaluated() if f is not found.backward for x in self.call(f)]
            if found.look:
                kept = ", ".join(found.parameters)
                body += [f"here = {kept}", *self.call(found.look), *self.call(found.forward), *self.call(found.backward), f"{kept} = here"]
            body += [*self.call(found.update), *evaluate, *([] if found.look else self.call(found.backward)), f'show(f"{found.output} after step {{epoch}}", {found.output})']
            out += [self.indent + x for x in body]
        return out

    def checked(self) -> list[str]:
        """The same gradients by the library's own differentiation."""
        found = self.found
        last = found.output
        inside = [x for f in self.evaluated() if f is not found.backward for x in self.call(f)]
        count = tuple(range(len(found.parameters)))
        return [f"# The same gradients by {self.to.autodiff}, which may choose another one at a kink or a tie",
                *folded(f"def cost({', '.join(found.parameters)}):"), *(self.indent + x for x in inside), f"{self.indent}return {last}", "", "",
                *self.assigned("theirs", f"{self.to.autodiff}(cost, argnums={count})({', '.join(found.parameters)})"),
                *self.assigned("difference", f"max(float(abs(a - b).max()) for a, b in zip(({', '.join(found.gradients)}{',' * (len(found.gradients) == 1)}), theirs))"),
                f'print("largest difference from {self.to.autodiff}:", difference)']


def _tuple(word: str, names: Sequence[str]) -> list[str]:
    """return a, b, c; in brackets where it does not fit."""
    line = word + ", ".join(names)
    return [line] if len(line) <= WIDTH else folded(f"{word}({', '.join(names)})", WIDTH - 4)


# ---------------------------------------------------------------- JavaScript

# JavaScript has no erf: its series (all terms have one sign), and for large arguments the continued fraction of erfc (Abramowitz and Stegun 7.1.6, 7.1.14).
ERF = """
function erf(x) {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x, sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= 2 * x * x / (2 * n + 1);
    sum += term;
  }
  return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
}

function erfc(x) {
  if (x < 2) return 1 - erf(x);
  let rest = x;
  for (let k = 100; k > 0; k--) rest = x + k / 2 / rest;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / rest;
}""".splitlines()


class _JavaScript(_Writer):
    comment, indent, end = "//", "  ", ";"

    def opened(self, blocks: Sequence[Sequence[str]], start: Start | None) -> list[str]:
        return ERF if any("erf(" in x or "erfc(" in x for block in blocks for x in block) else []

    def line(self, x: Line, f: Function) -> list[str]:
        return self.assigned(x.name if x.name in f.takes else f"const {x.name}", said(x.code, self.to))

    def functions(self, f: Function) -> list[str]:
        head = [*folded(f"function {f.name}({', '.join(f.takes)}) {{"), *(self.indent + x for x in self.remark(f.said))]
        if f.gives == ("result",):
            return [*head, *self.valued(f), "}"]
        return head + self.body(f) + [self.indent + x for x in folded(f"return {_listed(f.gives)};", WIDTH - 2)] + ["}"]

    def call(self, f: Function, word: str = "") -> list[str]:
        values = ", ".join("epoch" if n == "t" and f is self.found.update else n for n in f.takes)
        return self.assigned(word + _listed(f.gives), f"{f.name}({values})")

    def script(self, start: Start) -> list[str]:
        found = self.found
        out = ["function show(name, value) {", "  console.log(name + ' = ' + JSON.stringify(value));", "}", ""]
        for remark in start.said:
            out += self.remark(remark)
        for name, value in self.start_values(start).items():
            out += self.assigned(f"let {name}", str(value))
        out += ["", *(x for f in self.evaluated() for x in self.call(f, "let ")), *(f"show('{n}', {n});" for n in (found.output, *found.gradients))]
        if found.update and start.rates:
            out += ["", *self.assigned("const learning_rates", str(list(start.rates))), f"for (let epoch = 1; epoch <= {len(start.rates)}; epoch++) {{"]
            body = ["const learning_rate = learning_rates[epoch - 1];"]
            evaluate = [x for f in self.evaluated() if f is not found.backward for x in self.call(f)]
            if found.look:
                kept = _listed(found.parameters)
                body += [f"const here = {kept};", *self.call(found.look), *self.call(found.forward), *self.call(found.backward), f"{kept} = here;"]
            body += [*self.call(found.update), *evaluate, *([] if found.look else self.call(found.backward)), f"show('{found.output} after step ' + epoch, {found.output});"]
            out += [*(self.indent + x for x in body), "}"]
        return out


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"


# ---------------------------------------------------------------- C

class _C(_Writer):
    comment, end = "//", ";"

    def opened(self, blocks: Sequence[Sequence[str]], start: Start | None) -> list[str]:
        """Every value is declared here; those of the file with their numbers."""
        given = self.start_values(start) if start else {}
        out = ["#include <string.h>"] * bool(start and self.found.look) + [""]
        if start:
            out += [x for remark in start.said for x in self.remark(remark)]
            for name, value in given.items():
                out += self.assigned(f"static double {self.declared(name)}", _braces(value))
        lines = [x.name for f in self.found.functions for x in f.lines if x.name in self.found.shapes]
        names = self.found.program.names
        rest = [n for n in dict.fromkeys([*(names[n] for n in self.found.program.leaves), *self.found.states, *lines]) if n not in given]
        out += textwrap.wrap(f"static double {', '.join(map(self.declared, rest))};", WIDTH, subsequent_indent=" " * 14)
        taken = self.found.update.takes if self.found.update else ()
        return out + ["static double learning_rate;"] * ("learning_rate" in taken) + ["static double t;"] * ("t" in taken)

    def declared(self, name: str, before: str = "") -> str:
        return before + name + "".join(f"[{d}]" for d in _dims(self.found.shapes[name]))

    def line(self, x: Line, f: Function) -> list[str]:
        if isinstance(x.code, ast.List):
            cells: list[str] = []
            for i, part in enumerate(x.code.elts):
                inner = part.elts if isinstance(part, ast.List) else [part]
                places = [f"{x.name}[{i}][{j}]" for j in range(len(inner))] if isinstance(part, ast.List) else [f"{x.name}[{i}]"]
                cells += [line for place, code in zip(places, inner, strict=True) for line in self.assigned(place, said(code, self.to))]
            return cells
        return self.assigned(x.name if x.name in self.found.shapes else f"double {x.name}", said(x.code, self.to))

    def functions(self, f: Function) -> list[str]:
        if f.gives == ("result",):
            head = [f"static double {f.name}({', '.join(f'double {n}' for n in f.takes)}) {{", *(self.indent + x for x in self.remark(f.said))]
            return [*head, *self.valued(f), "}"]
        return [f"void {f.name}(void) {{", *(self.indent + x for x in self.remark(f.said)), *self.body(f), "}"]

    def show(self, name: str) -> list[str]:
        """printf for all entries, as rows."""
        dims = _dims(self.found.shapes[name])
        if not dims:
            return [f'printf("{name} = %.17g\\n", {name});']
        out = [f'printf("{name} = [");']
        for i in range(dims[0]):
            cells = [f"{name}[{i}]"] if len(dims) == 1 else [f"{name}[{i}][{j}]" for j in range(dims[1])]
            form = ", ".join(["%.17g"] * len(cells))
            form, comma = (f"[{form}]", ", ") if len(dims) == 2 else (form, ", ")
            out += folded(f'printf("{form}{comma if i < dims[0] - 1 else ""}", {", ".join(cells)});')
        return [*out, 'printf("]\\n");']

    def script(self, start: Start) -> list[str]:
        found = self.found
        once = [f"{f.name}();" for f in self.evaluated()]
        body = [*once, *(x for n in (found.output, *found.gradients) for x in self.show(n))]
        if found.update and start.rates:
            inner = ["learning_rate = learning_rates[epoch - 1];", *(["t = epoch;"] if "t" in found.update.takes else [])]
            if found.look:  # the gradients are taken ahead, and the step goes from here
                inner += [f"double {self.declared(n, 'here_')};" for n in found.parameters] + [f"memcpy(&here_{n}, &{n}, sizeof {n});" for n in found.parameters]
                inner += ["look_ahead();", "forward();", "backward();", *(f"memcpy(&{n}, &here_{n}, sizeof {n});" for n in found.parameters)]
            inner += ["update_parameters();", *once, f'printf("{found.output} after step %d = %.17g\\n", epoch, {found.output});']
            body += ["", *self.assigned(f"const double learning_rates[{len(start.rates)}]", _braces(list(start.rates))),
                     f"for (int epoch = 1; epoch <= {len(start.rates)}; epoch++) {{", *(self.indent + x for x in inner), "}"]
        return ["int main(void) {", *(self.indent + x if x else "" for x in body), f"{self.indent}return 0;", "}"]


def _dims(shape: Shape) -> list[int]:
    return [int(d) for d in shape if d != 1]


def _braces(value: Any) -> str:
    return "{" + ", ".join(map(_braces, value)) + "}" if isinstance(value, list) else repr(float(value))


WRITERS: dict[str, type[_Writer]] = {"py": _Python, "js": _JavaScript, "c": _C}

"""Values at a point, and the judgement whether two numbers agree: what every check looks things up in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mpmath import mp

from .. import expr as ex
from ..errors import CheckError
from ..expr import Expr
from ..index import position
from ..language.arithmetic import MP, Matrix, entries
from ..network import Network
from ..values import difference

AGREE = 30  # digits to which a line must agree


class Lookup(dict[Any, Any]):
    """Values at a point; local derivatives and derivatives still to be taken come from differences on demand."""

    def __init__(self, network: Network, point: Mapping[Any, Matrix]) -> None:
        super().__init__()
        self.network, self.point = network, point

    def __missing__(self, key: Any) -> Any:
        if isinstance(key, Expr) and key.op == "diff":
            found = self._slope(key.args[0], key.data)
        elif isinstance(key, tuple) and isinstance(key[0], tuple):
            return self._entry_slope(*key)
        elif isinstance(key, tuple) and key[-1] == "local":
            found = self._slope(self.network.equation(key[0]).rhs, key[1])
        else:
            return self.point[key]
        self[key] = found
        return found

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or key in self.point

    def moved(self, name: str, value: Matrix) -> Lookup:
        """The same point with one value changed."""
        other = Lookup(self.network, self.point)
        other[name] = value
        return other

    def _slope(self, rhs: Expr, name: str) -> Matrix:
        return difference(lambda m: entries(rhs, self.moved(name, m), MP), self.point[name], [[mp.mpf(1)]])

    def _entry_slope(self, u: tuple[str, tuple[str, ...]], v: tuple[str, tuple[str, ...]]) -> Callable[[dict[str, int]], Any]:
        def at(where: dict[str, int]) -> Any:
            (p, q), (r, s) = (self._position(*x, where) for x in (u, v))
            value = self.point[v[0]]
            direction = [[mp.mpf((i, j) == (r, s)) for j in range(len(value[0]))] for i in range(len(value))]
            return difference(lambda m: entries(self.network.equation(u[0]).rhs, self.moved(v[0], m), MP), value, direction)[p][q]

        return at

    def _position(self, name: str, letters: tuple[str, ...], where: dict[str, int]) -> tuple[int, int]:
        left = iter(letters)
        i, j = (position(next(left), where) if d != 1 else 0 for d in self.network.symbols[name].shape or (1, 1))
        return i, j


def agreement(got: Any, expected: Any, of: str, wrt: str, claim: Expr | None) -> Any:
    """How far (relatively) a claimed derivative is from differences of the forward pass.

    Raises CheckError where that is more than the last of AGREE digits.
    """
    error = abs(got - expected) / max(abs(expected), abs(got), mp.mpf(10) ** -25)
    if not error < mp.mpf(10) ** -AGREE:
        raise CheckError(f"d{of}/d{wrt} = {ex.text(claim) if claim is not None else 0} failed its check: it gives {mp.nstr(got, 8)} where "
                         f"differences of the forward pass give {mp.nstr(expected, 8)}; nothing was written")
    return error

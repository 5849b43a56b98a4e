"""Constants that SymPy does not have."""

from __future__ import annotations

from typing import Any

import sympy as sp
from mpmath import mp
from sympy.core.singleton import Singleton


class _SeluConstant(sp.NumberSymbol):
    """A constant of SELU, from the closed form of Klambauer et al. (2017): outputs of mean 0 and variance 1 stay so."""

    is_real = is_positive = True
    is_irrational = None
    letter = ""

    def _as_mpf_val(self, prec: int) -> Any:
        with mp.workprec(prec + 20):
            tail, far, e = mp.erfc(1/mp.sqrt(2)), mp.erfc(mp.sqrt(2)), mp.e
            below = 2*far*e**2 + mp.pi*tail**2*e - 2*(2 + mp.pi)*tail*mp.sqrt(e) + mp.pi + 2
            scale = (1 - tail*mp.sqrt(e))*mp.sqrt(2*mp.pi/below)
            return (scale if self.letter == r"\lambda" else -mp.sqrt(2/mp.pi)/(tail*mp.sqrt(e) - 1))._mpf_

    def approximation_interval(self, number_class: Any) -> None:
        """No bounds are known to SymPy; the number itself decides."""

    def _latex(self, printer: Any) -> str:
        return self.letter

    def _sympystr(self, printer: Any) -> str:
        return self.letter[1:]

    def _mpmathcode(self, printer: Any) -> str:
        return f"{printer._module_format('mpmath.mpf')}('{self.evalf(120)}')"


class SeluScale(_SeluConstant, metaclass=Singleton):
    """lambda = 1.0507..."""

    letter = r"\lambda"


class SeluAlpha(_SeluConstant, metaclass=Singleton):
    """alpha = 1.6732..."""

    letter = r"\alpha"

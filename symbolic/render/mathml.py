r"""LaTeX as MathML for pages in a browser, by the library math-core; and text that is HTML already.

>>> print(mathml(r"W^{\top}"))
<math><msup><mi>W</mi><mi>⊤</mi></msup></math>
"""

from __future__ import annotations

from functools import lru_cache

from math_core import LatexError, LatexToMathML

from ..errors import ChainruleError

_CONVERTER = LatexToMathML(fancy_error=False)


class Html(str):
    """Text that is HTML already; everything else is escaped by the templates."""

    def __html__(self) -> str:
        return str(self)


@lru_cache(maxsize=4096)
def mathml(tex: str, *, display: bool = False) -> Html:
    """A formula as MathML. Raises ChainruleError with the formula."""
    try:
        return Html(_CONVERTER.convert_with_local_state(tex, displaystyle=display))
    except LatexError as e:
        raise ChainruleError(f"a formula has no MathML: {tex} ({str(e).splitlines()[0]})") from None

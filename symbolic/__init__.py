"""chainrule: derive, check, print and teach the gradients of neural networks."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
_API = ("check_gradients", "assert_gradients")  # imported when first asked for, so that importing the package stays light


def __getattr__(name: str) -> Any:
    if name in _API:
        from .check import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_API])

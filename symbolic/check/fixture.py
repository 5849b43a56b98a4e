"""The pytest fixture ``check_gradients``: a test that fails, with a few lines that say why, unless every gradient is right.

    def test_mine(check_gradients):
        check_gradients("4-3-2 relu sigmoid", backward, loss="mse")
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def check_gradients() -> Callable[..., Any]:
    """`symbolic.assert_gradients`."""
    from .api import assert_gradients

    return assert_gradients

"""What several commands share."""

from __future__ import annotations

import click


def words(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    """An option that takes names separated by commas."""
    return tuple(w.strip() for w in (value or "").split(",") if w.strip())

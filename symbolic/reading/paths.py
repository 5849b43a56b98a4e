"""Where in a file of keys something stands, and how that is said."""

from __future__ import annotations

from typing import TypeAlias

Step: TypeAlias = str | int  # a key, or a place in a list
Path: TypeAlias = tuple[Step, ...]


def spoken(path: Path) -> str:
    """A path in words: which key, which layer, which number.

    >>> spoken(("layers", 1, "W", 0, 2)), spoken(("inputs", "x", 3)), spoken(("wrt", 0))
    ('layer 2, W, row 1, entry 3', 'inputs x, entry 4', 'wrt, entry 1')
    """
    places = [step + 1 for step in path if isinstance(step, int)]
    words = [step for step in path if isinstance(step, str)]
    parts = [" ".join(words)] if words else []
    if path[:1] == ("layers",) and places:
        parts = [f"layer {places.pop(0)}", *words[1:]]
    if len(places) > 1:
        parts.append(f"row {places.pop(0)}")
    return ", ".join([*parts, *(f"entry {place}" for place in places)])

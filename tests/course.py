"""The numbered examples by their names alone, so that a new one in the middle moves no test."""

from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"


def example(name: str) -> Path:
    """The file of an example: ``example("two-layers")``."""
    (path,) = EXAMPLES.glob(f"[0-9][0-9]-{name}.yaml")
    return path

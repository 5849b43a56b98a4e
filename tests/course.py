"""The numbered examples by their names alone, so that a new one in the middle moves no test; and the worked network of many tests."""

from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"
TWO_LAYERS = """\
inputs:  {x: [0.05, 0.10]}
targets: {y: [0.01]}
layers:
  - {units: 2, activation: sigmoid, W: [[0.15, 0.20], [0.25, 0.30]], b: [0.35, 0.35]}
  - {units: 1, activation: sigmoid, W: [[0.40, 0.45]], b: [0.60]}
loss: half_squared_error
learning_rate: 0.5
"""


def example(name: str) -> Path:
    """The file of an example: ``example("two-layers")``."""
    (path,) = EXAMPLES.glob(f"[0-9][0-9]-{name}.yaml")
    return path

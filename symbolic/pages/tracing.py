"""From a file to the path of its first training steps, worked through in high precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import SpecError
from ..lectures.descent import Path as Steps, run
from ..lesson import plan
from ..numeric.job import first_steps
from ..problem import build
from ..reading.specfile import load
from ..spec import Init
from ..verify import certify
from .sheet import Sheet

SCHEME = "glorot_uniform"  # as training draws weights where the file names no scheme


def traced(file: Path, steps: int, digits: int, batch: int | None = None) -> tuple[Sheet, Steps]:
    """The sheet of a file, and so many steps of its optimizer (gradient descent where none is named) from its numbers.

    batch: examples a step, in place of the file's own; of a data set, the examples that training takes first are worked through.
    Raises SpecError where there are no numbers to work through, CheckError for a step that fails its check.
    """
    spec = load(file)
    examples_of_file = spec.data is None
    if spec.learning_rate is None:
        raise SpecError("a step needs learning_rate", where=spec.where(), hint="for example learning_rate: 0.1")
    if spec.data is not None:
        spec = first_steps(spec, steps, batch)
    elif batch is not None:
        spec = spec.model_copy(update={"optimizer": {**(spec.optimizer or {"name": "gradient_descent"}), "batch": str(batch)}})
    given = {**(spec.optimizer or {"name": "gradient_descent"}), "steps": str(steps)}
    if examples_of_file and spec.train is not None and spec.train.batch is not None and "batch" not in given:
        given |= {"batch": str(spec.train.batch), "seed": str(spec.train.seed)}
    changes: dict[str, Any] = {"optimizer": given, "compare": None}
    if spec.is_network and spec.init is None and any(x.W is None and not x.weights for x in spec.layers):
        changes["init"] = Init(scheme=SCHEME, seed=spec.train.seed if spec.train else 0)
    problem = build(spec.model_copy(update=changes))
    if problem.descent is None:
        raise SpecError("there are no numbers to work through", where=spec.where(), hint="give every number")
    certified = certify(plan(problem.network, ("matrix", "numbers"), wrt=problem.wrt), problem.numbers())
    sheet = Sheet(problem, certified, digits=digits)
    try:
        return sheet, run(problem, sheet.lesson.derivation, problem.descent)
    except ArithmeticError as e:
        raise SpecError(f"the given numbers cannot be computed with: {e}", where=file.name) from None

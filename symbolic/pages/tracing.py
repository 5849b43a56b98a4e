"""From a file to the path of its first training steps, worked through in high precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import SpecError
from ..lectures.descent import Path as Steps, run
from ..lesson import plan
from ..problem import build
from ..spec import Init, load
from ..verify import certify
from .sheet import Sheet

SCHEME = "glorot_uniform"  # as training draws weights where the file names no scheme


def traced(file: Path, steps: int, digits: int) -> tuple[Sheet, Steps]:
    """The sheet of a file, and so many steps of its optimizer (gradient descent where none is named) from its numbers.

    Raises SpecError where there are no numbers to work through, CheckError for a step that fails its check.
    """
    spec = load(file)
    if spec.data is not None:
        raise SpecError("a trace works through examples that stand in the file", where=spec.where("data"), hint="write inputs and targets; two or three examples are enough")
    if spec.learning_rate is None:
        raise SpecError("a step needs learning_rate", where=spec.where(), hint="for example learning_rate: 0.1")
    given = {**(spec.optimizer or {"name": "gradient_descent"}), "steps": str(steps)}
    if spec.train is not None and spec.train.batch is not None and "batch" not in given:
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

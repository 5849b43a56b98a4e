"""Numbers: the derivation as a program (``compile``), in NumPy, in preallocated buffers, or in plain Python floats."""

from .compiled import Bound, Compiled, compile
from .program import Program, Statement, program

__all__ = ["Bound", "Compiled", "Program", "Statement", "compile", "program"]

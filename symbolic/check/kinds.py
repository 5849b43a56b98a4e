"""All ways in which files give gradients, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Callable

from .frameworks import autograd_functions, losses, modules
from .layerobjects import layers
from .scripts import scripts, trainers
from .setting import Interface, Setting
from .ways import functions, objects

WAYS: list[Callable[[Setting], Interface | None]] = [modules, autograd_functions, losses, layers, functions, objects, trainers, scripts]

"""The start of a function in Lambda: no garbage collection, and no compilation of dataclasses.

The modules and clients that a function loads remain in use, so a collection during the start finds nothing
and only visits all of them again. After the start, ``gc.freeze()`` excludes them from the collections during
requests too, which then visit the objects of requests only (Python's documentation of ``gc.freeze``).

``dataclasses`` writes the methods of each class as source code, and compiles them whenever a process loads
the class. Byte code does not contain them, so a build stores the compiled methods by their source
(scripts/deployed_stack/dataclass_methods.py). Methods with another source are compiled as usual.
"""

import dataclasses
import gc
import marshal
import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

METHODS = os.path.join(os.path.dirname(__file__), f"dataclasses.{sys.implementation.cache_tag}.bin")  # noqa: PTH118, PTH120 - pathlib is loaded later

_Handler = TypeVar("_Handler", bound=Callable[..., object])


def begin() -> None:
    """Prepare for loading modules. A function's package calls this before its other modules are loaded.

    Outside of Lambda, nothing happens, because tools and tests also import single modules of a function.
    """
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        gc.disable()
        if os.path.exists(METHODS):  # noqa: PTH110
            _use_compiled_methods()


def _use_compiled_methods() -> None:
    with open(METHODS, "rb") as file:  # noqa: PTH123
        compiled = marshal.load(file)  # noqa: S302 - a file of the same package

    def execute(source: str, *scopes: Any) -> None:
        stored = compiled.get(source)
        exec(source if stored is None else marshal.loads(stored), *scopes)  # noqa: S102, S302

    # The module calls the built-in function unless it has a function of this name itself.
    vars(dataclasses)["exec"] = execute


def completes(handler: _Handler) -> _Handler:
    """Restart the garbage collector: the outermost decorator of a handler, at the end of its module."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    return handler

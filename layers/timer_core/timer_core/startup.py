"""The garbage collector while a function starts.

The modules and clients that a function loads remain in use, so a collection during the start finds nothing
and only visits all of them again. After the start, ``gc.freeze()`` excludes them from the collections during
requests too, which then visit the objects of requests only (Python's documentation of ``gc.freeze``).
"""

import gc
import os
from collections.abc import Callable
from typing import TypeVar

_Handler = TypeVar("_Handler", bound=Callable[..., object])


def begin() -> None:
    """Stop the garbage collector. A function's package calls this before its other modules are loaded.

    Outside of Lambda, nothing happens, because tools and tests also import single modules of a function.
    """
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        gc.disable()


def completes(handler: _Handler) -> _Handler:
    """Restart the garbage collector: the outermost decorator of a handler, at the end of its module."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    return handler

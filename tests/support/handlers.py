"""Freshly imported handlers in this process, and the clock that they read."""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from types import ModuleType
from typing import Any

import pytest

from tests.support.described import check_body
from tests.support.permissions import acting_as, function_of, template_names
from timer_core import settings


@contextmanager
def loaded(name: str, table_name: str, **variables: str) -> Iterator[ModuleType]:
    """Import a function's modules again, as a cold start does, and apply the function's policies to it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TABLE_NAME", table_name)
        patch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
        for variable, value in variables.items():
            patch.setenv(variable, value)
        package = name.partition(".")[0]
        for known in _modules_of(package):
            patch.delitem(sys.modules, known)
        settings.settings.cache_clear()
        module = importlib.import_module(name)
        patch.setattr(module, "handler", as_function(name, _described(module, module.handler)))
        yield module
        # Only the modules that were known before come back. A package must not lack its modules then.
        for known in _modules_of(package):
            del sys.modules[known]
    settings.settings.cache_clear()


def _modules_of(package: str) -> list[str]:
    return [known for known in sys.modules if known.partition(".")[0] == package]


def _described(module: ModuleType, handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Compare the responses of an API's function with its models."""
    if not hasattr(module, "resolver"):
        return handler

    @wraps(handler)
    def compare(event: Any, context: Any) -> Any:
        is_head = event["requestContext"]["http"]["method"] == "HEAD"
        response = handler(event, context)
        if not is_head:
            check_body(module.resolver(), event, response)
        return response

    return compare


def as_function(name: str, handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    function = function_of(name)
    names = template_names(function)

    @wraps(handler)
    def act(event: Any, context: Any) -> Any:
        with acting_as(function, names):
            return handler(event, context)

    return act


@dataclass
class Clock:
    """The present time that a handler reads (milliseconds since the epoch); tests advance it."""

    ms: int

    def __call__(self) -> int:
        return self.ms

    def advance(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)

"""IAM's evaluation of the policies in template.yaml, applied to the handlers in this process.

Each handler that the tests load runs under the policies of its function's role. A call to AWS is refused if
the policies do not allow the call, as in IAM.
"""

from __future__ import annotations

import os
import re
import runpy
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from deployed_stack.paths import ROOT
from tests.support.connection import REGION
from tests.support.template import ACCOUNT, template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import pytest

    Statement = Mapping[str, Any]

# The operations of each service that botocore in the layer supports.
OPERATIONS: dict[str, set[str]] = runpy.run_path(str(ROOT / "layers/slim_botocore.py"))["OPERATIONS"]


@dataclass(frozen=True)
class Call:
    """A call to AWS that needs a permission.

    Attributes
    ----------
    action
        The IAM action, such as ``dynamodb:PutItem``.
    resource
        The ARN of the resource.
    leading_keys
        For items of a table: their partition keys (``dynamodb:LeadingKeys``).
    stage
        For a version of a secret: its staging label (``secretsmanager:VersionStage``); empty if the request
        names none.
    """

    action: str
    resource: str
    leading_keys: tuple[str, ...] = ()
    stage: str = ""


# ---------------------------------------------------------------------- IAM


def is_allowed(call: Call, statements: Iterable[Statement]) -> bool:
    """Evaluate policies as IAM does within an account: one statement must allow a call, and none may deny it.

    Source: "Policy evaluation logic" in IAM's User Guide. Features that template.yaml does not use
    (principals, NotAction, NotResource, other operators) fail an assertion.
    """
    matching = [statement for statement in statements if _applies(statement, call)]
    effects = {statement["Effect"] for statement in matching}
    return effects == {"Allow"}


def _applies(statement: Statement, call: Call) -> bool:
    unknown = statement.keys() - {"Sid", "Effect", "Action", "Resource", "Condition"}
    assert not unknown, unknown
    return (
        # IAM ignores the case of actions, but not of resources.
        any(_matches(pattern.lower(), call.action.lower()) for pattern in _listed(statement["Action"]))
        and any(_matches(pattern, call.resource) for pattern in _listed(statement["Resource"]))
        and all(_holds(operator, keys, call) for operator, keys in statement.get("Condition", {}).items())
    )


def _holds(operator: str, keys: Mapping[str, Any], call: Call) -> bool:
    if (operator, set(keys)) == ("StringEquals", {"secretsmanager:VersionStage"}):
        return call.stage in _listed(keys["secretsmanager:VersionStage"])
    assert set(keys) == {"dynamodb:LeadingKeys"}, (operator, keys)
    patterns = _listed(keys["dynamodb:LeadingKeys"])
    matches = [any(_matches(pattern, key) for pattern in patterns) for key in call.leading_keys]
    # IAM's User Guide, "Set operators for multivalued context keys".
    if operator == "ForAllValues:StringLike":
        return all(matches)
    assert operator == "ForAnyValue:StringLike", (operator, keys)
    return any(matches)


def _matches(pattern: str, text: str) -> bool:
    return _compiled(pattern).fullmatch(text) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    wanted = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.compile(wanted, re.DOTALL)


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


# ---------------------------------------------------------------------- the template's roles


@cache
def statements_of(function: str) -> tuple[Statement, ...]:
    """Return the statements of the policies of a function's role, by the function's logical id."""
    source = template()
    role_arn = source.value(source.resources[function]["Properties"]["Role"])
    role = source.resources[role_arn.rpartition("/")[2]]["Properties"]
    documents = [policy["PolicyDocument"] for policy in role["Policies"]]
    managed = [source.resources[policy["!Ref"]] for policy in role["ManagedPolicyArns"]]
    documents += [policy["Properties"]["PolicyDocument"] for policy in managed]
    return tuple(statement for document in documents for statement in source.value(document)["Statement"])


@cache
def function_of(module: str) -> str:
    """Return the logical id of the function whose handler is in a module."""
    functions = template().of_type("AWS::Serverless::Function")
    (found,) = (name for name, one in functions.items() if one["Handler"] == f"{module}.handler")
    return found


def template_names(function: str) -> dict[str, str]:
    """Map the names of a function's resources in this environment to their names in the template."""
    source = template(ClosingComment="true")
    written = source.resources[function]["Properties"]["Environment"]["Variables"]
    return {
        os.environ[variable]: source.value(value)
        for variable, value in ({"TABLE_NAME": {"!Ref": "TimerTable"}} | written).items()
        if os.environ.get(variable)
    }


# ---------------------------------------------------------------------- calls


def calls_of(
    service: str, operation: str, parameters: Mapping[str, Any], names: Mapping[str, str]
) -> list[Call]:
    """Return the IAM actions that a request to AWS requires, each with its resource.

    Source: "Actions, resources, and condition keys" of each service in AWS's Service Authorization Reference.

    Raises
    ------
    KeyError
        The service or operation is not supported here.
    """
    named: dict[str, Callable[[str, Mapping[str, Any], Callable[[str], str]], list[Call]]] = {
        "dynamodb": _of_dynamodb,
        "sqs": lambda operation, parameters, name: [
            Call(
                # A batch needs the permission of its messages.
                f"sqs:{operation.removesuffix('Batch')}",
                f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name(parameters['QueueUrl']).rpartition('/')[2]}",
            )
        ],
        "secretsmanager": lambda operation, parameters, name: [
            Call(
                f"secretsmanager:{operation}",
                name(parameters["SecretId"]),
                stage=parameters.get("VersionStage", ""),
            )
        ],
        # A client's address names the API and its stage; a request names only the connection.
        "apigatewaymanagementapi": lambda operation, parameters, _name: [
            Call(
                "execute-api:ManageConnections",
                f"arn:aws:execute-api:{REGION}:{ACCOUNT}:LiveApi/live/"
                f"{'POST' if operation == 'PostToConnection' else 'DELETE'}/@connections/"
                f"{parameters['ConnectionId']}",
            )
        ],
        "lambda": lambda operation, parameters, name: [
            Call(f"lambda:{operation}Function", name(parameters["FunctionName"]))
        ],
        "ssm": lambda operation, parameters, name: [
            Call(f"ssm:{operation}", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{name(parameters['Name'])}")
        ],
    }
    return named[service](operation, parameters, lambda given: names.get(given, given))


def _of_dynamodb(operation: str, parameters: Mapping[str, Any], name: Callable[[str], str]) -> list[Call]:
    def call(action: str, table: str, *keys: str, index: str = "") -> Call:
        arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name(table)}"
        return Call(f"dynamodb:{action}", f"{arn}/index/{index}" if index else arn, keys)

    def of_item(action: str, request: Mapping[str, Any]) -> Call:
        item = request.get("Key") or request["Item"]
        return call(action, request["TableName"], item["pk"]["S"])

    if operation in {"GetItem", "PutItem", "UpdateItem", "DeleteItem"}:
        return [of_item(operation, parameters)]
    if operation == "Query":
        (value,) = re.findall(r"^\(?\S+ = (:\S+?)\b", parameters["KeyConditionExpression"])
        key = parameters["ExpressionAttributeValues"][value]["S"]
        return [call("Query", parameters["TableName"], key, index=parameters.get("IndexName", ""))]
    if operation == "BatchGetItem":
        return [
            call("BatchGetItem", table, *(key["pk"]["S"] for key in request["Keys"]))
            for table, request in parameters["RequestItems"].items()
        ]
    if operation == "TransactWriteItems":
        actions = {
            "Put": "PutItem",
            "Update": "UpdateItem",
            "Delete": "DeleteItem",
            "ConditionCheck": "ConditionCheckItem",
        }
        return [
            of_item(actions[kind], request)
            for one in parameters["TransactItems"]
            for kind, request in one.items()
        ]
    raise KeyError(operation)


# ---------------------------------------------------------------------- enforcement


@dataclass
class Guard:
    """Refuses the calls that a function's policies do not allow, and records all calls.

    Attributes
    ----------
    calls
        The calls of each function, by its logical id.
    refused
        The refused calls, each with the function's logical id.
    """

    calls: dict[str, set[Call]] = field(default_factory=dict)
    refused: list[tuple[str, Call]] = field(default_factory=list)

    def check(self, service: str, operation: str, parameters: Mapping[str, Any]) -> None:
        """Check a request to AWS, unless the test itself makes it.

        Raises
        ------
        ClientError
            ``AccessDeniedException``, as in AWS, if the policies do not allow the request.
        ValueError
            If botocore in the layer does not support the operation.
        """
        acting = _acting.get()
        if acting is None:
            return
        function, names = acting
        if operation not in OPERATIONS[service]:
            self.refused.append((function, Call(f"{service}:{operation}", "*")))
            raise ValueError(f"layers/slim_botocore.py does not keep {service}:{operation}")
        for call in calls_of(service, operation, parameters, names | template_names(function)):
            self.calls.setdefault(function, set()).add(call)
            if not is_allowed(call, statements_of(function)):
                self.refused.append((function, call))
                message = f"{function} may not {call}"
                raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, operation)


guard = Guard()
# The function that runs in this thread, and the names of its resources.
_acting: ContextVar[tuple[str, dict[str, str]] | None] = ContextVar("acting", default=None)


@contextmanager
def acting_as(function: str, names: dict[str, str]) -> Iterator[None]:
    """Attribute calls to a function, including calls from threads that the function starts."""
    token = _acting.set((function, names))
    try:
        yield
    finally:
        _acting.reset(token)


def enforce_policies(patch: pytest.MonkeyPatch) -> None:
    """Check the calls of functions to AWS before they are sent."""
    send, submit = vars(BaseClient)["_make_api_call"], ThreadPoolExecutor.submit

    def guarded(client: Any, operation: str, parameters: Any) -> Any:
        guard.check(client.meta.service_model.service_name, operation, parameters)
        return send(client, operation, parameters)

    def with_context(pool: Any, function: Any, /, *arguments: Any, **keywords: Any) -> Any:
        return submit(pool, copy_context().run, function, *arguments, **keywords)

    patch.setattr(BaseClient, "_make_api_call", guarded)
    patch.setattr(ThreadPoolExecutor, "submit", with_context)

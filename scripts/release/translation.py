"""template.yaml as CloudFormation receives it, after the SAM transform, with AWS's schemas of its types."""

import json
import subprocess
from typing import Any, NamedTuple

from deployed_stack.paths import SAM

# Run by the SAM CLI's interpreter, whose environment also contains cfn-lint with AWS's schemas.
_TRANSLATE = """
import json, sys
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from samcli.yamlhelper import yaml_parse
from samtranslator.public.translator import ManagedPolicyLoader
from samtranslator.translator.transform import transform
source = yaml_parse(sys.stdin.read())
for resource in source["Resources"].values():
    for name in ("CodeUri", "ContentUri"):
        if name in resource.get("Properties", {}):
            resource["Properties"][name] = "s3://bucket/key"
source.get("Globals", {}).get("Function", {})["CodeUri"] = "s3://bucket/key"
template = transform(source, {}, ManagedPolicyLoader(None))
schemas = {
    kind: PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    for kind in {resource["Type"] for resource in template["Resources"].values()}
}
keys = ("createOnlyProperties", "conditionalCreateOnlyProperties", "primaryIdentifier", "readOnlyProperties")
lists = {kind: {key: schema.get(key, []) for key in keys} for kind, schema in schemas.items()}
handlers = ("create", "read", "update", "delete")
permissions = {
    kind: [one for name in handlers for one in schema["handlers"].get(name, {}).get("permissions", [])]
    for kind, schema in schemas.items()
}
print(json.dumps([template, lists, permissions]))
"""


class Translation(NamedTuple):
    """A template after the transform."""

    template: dict[str, Any]
    schemas: dict[str, dict[str, list[str]]]
    """Lists of properties in AWS's schema of each resource type, by type and by the list's name."""
    permissions: dict[str, list[str]]
    """The permissions with which CloudFormation creates, reads, updates and deletes each resource type."""


def translate(text: str) -> Translation:
    """Return a SAM template as CloudFormation receives it.

    Raises
    ------
    subprocess.CalledProcessError
        SAM refuses the template.
    """
    output = subprocess.run(
        [SAM.with_name("python"), "-c", _TRANSLATE],
        input=text,
        env={"AWS_DEFAULT_REGION": "us-east-1", "SAM_CLI_TELEMETRY": "0"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return Translation(*json.loads(output))

"""The files of Swagger UI, with which the page api.html shows the API.

Swagger UI (Apache-2.0) is part of Powertools' package, which the functions need anyway, so it is pinned and
updated with that package. docs/decisions/0020-api-viewer.md compares it with others.
"""

from collections.abc import Mapping
from importlib.resources import files

from deployed_stack.paths import ROOT

# The files' names in Powertools' package, and in the bucket.
_FILES = {
    "swagger-ui-bundle.min.js": "swagger-ui/swagger-ui-bundle.js",
    "swagger-ui.min.css": "swagger-ui/swagger-ui.css",
}
_NOTICE = """\
swagger-ui-bundle.js and swagger-ui.css are Swagger UI, https://github.com/swagger-api/swagger-ui
Copyright SmartBear Software Inc.
They are unchanged, and licensed under the Apache License 2.0, which follows. The bundle contains packages
under other licenses; the project's package on npm, swagger-ui-dist, lists them.

"""


def viewer_files() -> Mapping[str, bytes]:
    """Return Swagger UI's script and style sheet with their license, by their keys in the bucket."""
    package = files("aws_lambda_powertools.event_handler.openapi.swagger_ui")
    found = {key: (package / name).read_bytes() for name, key in _FILES.items()}
    license_text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    return found | {"swagger-ui/LICENSE.txt": (_NOTICE + license_text).encode()}

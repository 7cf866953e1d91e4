"""Deployment of the page to the bucket that CloudFront serves."""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote

from deployed_stack.api_viewer import viewer_files
from deployed_stack.documentation import documentation
from deployed_stack.javascript import BUNDLES, bundled, minified
from deployed_stack.paths import ROOT
from deployed_stack.stack import DeployedStack

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# A changed file keeps its name, because there is no build step. Browsers therefore revalidate their copies on
# each use (the response is mostly a 304), so that a page never combines files of two versions. A
# deployment invalidates the changed files in CloudFront's cache; if that fails, they expire after an hour.
_REVALIDATED = "public, max-age=0, s-maxage=3600, must-revalidate"
# Browsers may keep pictures for a day, because an outdated picture does no harm.
_KEPT_FOR_A_DAY = "public, max-age=86400"


@dataclass(frozen=True)
class _Kind:
    content_type: str
    cache_control: str = _REVALIDATED


# The mimetypes module is not used, because its results depend on the machine.
_KINDS = {
    ".html": _Kind("text/html; charset=utf-8"),
    ".js": _Kind("text/javascript; charset=utf-8"),
    ".css": _Kind("text/css; charset=utf-8"),
    ".json": _Kind("application/json"),
    ".txt": _Kind("text/plain; charset=utf-8"),
    # Type declarations, which editors read.
    ".ts": _Kind("text/plain; charset=utf-8"),
    ".svg": _Kind("image/svg+xml; charset=utf-8", _KEPT_FOR_A_DAY),
    ".png": _Kind("image/png", _KEPT_FOR_A_DAY),
    ".webp": _Kind("image/webp", _KEPT_FOR_A_DAY),
    ".ico": _Kind("image/x-icon", _KEPT_FOR_A_DAY),
}


class UnknownFileType(Exception):
    """A file in web/ has an extension for which no content type is defined."""


@dataclass(frozen=True)
class WebDeployment:
    """The changes that a deployment made to the bucket."""

    uploaded: Sequence[str]
    deleted: Sequence[str]
    unchanged: int

    def __str__(self) -> str:
        def listed(change: str, keys: Sequence[str]) -> str:
            return f"{len(keys)} {change} ({', '.join(keys)})" if keys else f"0 {change}"

        parts = [listed("uploaded", self.uploaded), listed("deleted", self.deleted)]
        return f"web/: {', '.join(parts)}, {self.unchanged} unchanged"


def deploy_page(stack: DeployedStack) -> WebDeployment:
    """Replace the contents of the stack's web bucket with web/, the API's viewer and the documentation."""
    return deploy_web(stack, ROOT / "web", {**viewer_files(), **documentation()})


def deploy_web(
    stack: DeployedStack, folder: Path, generated: Mapping[str, bytes] = MappingProxyType({})
) -> WebDeployment:
    """Replace the contents of the stack's web bucket with the files of a folder, processed by `served`.

    Add the files in ``generated``, which are named by their keys, as they are. Upload only files whose
    content or headers differ, delete objects without a file, and invalidate both in CloudFront's caches.
    Ignore hidden files.

    Raises
    ------
    UnknownFileType
        The type of a file is unknown. Nothing was changed.
    """
    files = {**_files(folder), **generated}
    s3, bucket = stack.aws.client("s3"), stack.outputs["WebBucketName"]
    stored = _etags(s3, bucket)
    # Upload pages after the files that they load, and modules after the modules in subfolders.
    keys = sorted(files, key=lambda key: (key.endswith(".html"), -key.count("/"), key))
    uploaded: list[str] = []
    deleted: list[str] = []
    try:
        for key in keys:
            kind, body = _KINDS[PurePosixPath(key).suffix], files[key]
            if not _is_stored(s3, bucket, key, stored.get(key), kind, body):
                s3.put_object(
                    Bucket=bucket,
                    Key=key,
                    Body=body,
                    ContentType=kind.content_type,
                    CacheControl=kind.cache_control,
                )
                uploaded.append(key)
        for key in sorted(stored.keys() - files.keys()):
            s3.delete_object(Bucket=bucket, Key=key)
            deleted.append(key)
    finally:
        # Invalidate even after a failure, because the next deployment finds these files unchanged.
        if uploaded or deleted:
            _invalidate(stack, [*uploaded, *deleted])
    return WebDeployment(uploaded, deleted, len(files) - len(uploaded))


def served(path: Path) -> bytes:
    """Return the content to serve for a file.

    Scripts are minified, and those in `BUNDLES` include the modules that they import.
    """
    if path.suffix != ".js":
        return path.read_bytes()
    return (bundled(path) if path.name in BUNDLES else minified(path)).encode()


def _files(folder: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in relative.parts):
            if path.suffix not in _KINDS:
                raise UnknownFileType(
                    f"{relative}: scripts/deployed_stack/web.py has no type for such files."
                )
            files[relative.as_posix()] = served(path)
    return files


def _etags(s3: "S3Client", bucket: str) -> Mapping[str, str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", [])}


def _is_stored(s3: "S3Client", bucket: str, key: str, etag: str | None, kind: _Kind, body: bytes) -> bool:
    # If an object was uploaded in one part and encrypted with SSE-S3, its ETag is its MD5 digest (S3's API
    # reference, "Object").
    if etag != f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"':
        return False
    head = s3.head_object(Bucket=bucket, Key=key)
    return _Kind(head["ContentType"], head.get("CacheControl", "")) == kind


def _invalidate(stack: DeployedStack, keys: Sequence[str]) -> None:
    paths = [f"/{quote(key)}" for key in keys]
    # CloudFront serves the default root object under two paths.
    if "index.html" in keys:
        paths.append("/")
    stack.aws.client("cloudfront").create_invalidation(
        DistributionId=stack.resources["WebDistribution"],
        InvalidationBatch={
            "Paths": {"Quantity": len(paths), "Items": paths},
            "CallerReference": str(uuid.uuid4()),
        },
    )

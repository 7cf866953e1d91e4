"""Upload of web/ to the bucket that CloudFront serves."""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from deployed_stack.javascript import BUNDLES, bundled, minified
from deployed_stack.stack import DeployedStack

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Changed files keep their names, so browsers revalidate their copies each time, mostly with a 304: a page
# never mixes files of two versions. CloudFront answers from its own copy until the invalidation, or for an
# hour at most.
_REVALIDATED = "public, max-age=0, s-maxage=3600, must-revalidate"
# Yesterday's picture does no harm.
_KEPT_FOR_A_DAY = "public, max-age=86400"


@dataclass(frozen=True)
class _Kind:
    content_type: str
    cache_control: str = _REVALIDATED


# Not from the mimetypes module, whose answers depend on the machine.
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
    ".ico": _Kind("image/x-icon", _KEPT_FOR_A_DAY),
}


class UnknownFileType(Exception):
    """A file of web/ has a type without a content type in `_KINDS`."""


@dataclass(frozen=True)
class WebDeployment:
    """The changes of an upload."""

    uploaded: Sequence[str]
    deleted: Sequence[str]
    unchanged: int

    def __str__(self) -> str:
        def named(what: str, keys: Sequence[str]) -> str:
            return f"{len(keys)} {what} ({', '.join(keys)})" if keys else f"0 {what}"

        parts = [named("uploaded", self.uploaded), named("deleted", self.deleted)]
        return f"web/: {', '.join(parts)}, {self.unchanged} unchanged"


def deploy_web(stack: DeployedStack, folder: Path) -> WebDeployment:
    """Make the stack's page exactly the files of a folder, in the form of `served`.

    Only files that differ in content or headers are uploaded, and only changed files are invalidated in
    CloudFront. Hidden files are skipped.

    Raises
    ------
    UnknownFileType
        A file has an unknown type; nothing was changed.
    """
    files = _files(folder)
    s3, bucket = stack.aws.client("s3"), stack.outputs["WebBucketName"]
    stored = _etags(s3, bucket)
    # A page is uploaded after its scripts, and a module after those in the folders below it.
    keys = sorted(files, key=lambda key: (key.endswith(".html"), -key.count("/"), key))
    uploaded: list[str] = []
    deleted: list[str] = []
    try:
        for key in keys:
            kind, body = _KINDS[files[key].suffix], served(files[key])
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
        # Also after a failure, because the next deployment finds these files unchanged.
        if uploaded or deleted:
            _invalidate(stack, [*uploaded, *deleted])
    return WebDeployment(uploaded, deleted, len(files) - len(uploaded))


def served(path: Path) -> bytes:
    """Return a file as it is served: scripts are minified, and those of `BUNDLES` include their imports."""
    if path.suffix != ".js":
        return path.read_bytes()
    return (bundled(path) if path.name in BUNDLES else minified(path)).encode()


def _files(folder: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in relative.parts):
            if path.suffix not in _KINDS:
                raise UnknownFileType(
                    f"{relative}: scripts/deployed_stack/web.py has no content type for such files."
                )
            files[relative.as_posix()] = path
    return files


def _etags(s3: "S3Client", bucket: str) -> Mapping[str, str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", [])}


def _is_stored(s3: "S3Client", bucket: str, key: str, etag: str | None, kind: _Kind, body: bytes) -> bool:
    # "Object" in S3's API reference: the ETag of an object that was put in one part with SSE-S3 is its MD5
    # digest.
    if etag != f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"':
        return False
    head = s3.head_object(Bucket=bucket, Key=key)
    return _Kind(head["ContentType"], head.get("CacheControl", "")) == kind


def _invalidate(stack: DeployedStack, keys: Sequence[str]) -> None:
    paths = [f"/{quote(key)}" for key in keys]
    # The default root object has two paths.
    if "index.html" in keys:
        paths.append("/")
    stack.aws.client("cloudfront").create_invalidation(
        DistributionId=stack.resources["WebDistribution"],
        InvalidationBatch={
            "Paths": {"Quantity": len(paths), "Items": paths},
            "CallerReference": str(uuid.uuid4()),
        },
    )

"""Putting web/ where CloudFront serves it from."""

import mimetypes
import uuid
from pathlib import Path

from deployed_stack.stack import DeployedStack

# Always revalidated: there is no build step to give a changed file another name.
_CACHE_CONTROL = "no-cache"


def upload_web(stack: DeployedStack, folder: Path) -> int:
    """Make the stack's page exactly the files of a folder, and drop the former ones from CloudFront's caches.

    Returns
    -------
    int
        How many files were uploaded.
    """
    s3 = stack.aws.client("s3")
    bucket = stack.outputs["WebBucketName"]
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    for key, path in files.items():
        s3.put_object(
            Bucket=bucket,
            Key=key,
            Body=path.read_bytes(),
            ContentType=content_type(path.name),
            CacheControl=_CACHE_CONTROL,
        )
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    for stale in {item["Key"] for page in pages for item in page.get("Contents", [])} - files.keys():
        s3.delete_object(Bucket=bucket, Key=stale)
    stack.aws.client("cloudfront").create_invalidation(
        DistributionId=stack.resources["WebDistribution"],
        InvalidationBatch={
            "Paths": {"Quantity": 1, "Items": ["/*"]},
            "CallerReference": str(uuid.uuid4()),
        },
    )
    return len(files)


def content_type(file_name: str) -> str:
    """Return the Content-Type to serve a file with, as browsers insist on it for modules and styles."""
    guessed = mimetypes.guess_type(file_name)[0] or "application/octet-stream"
    is_text = guessed.startswith("text/") or guessed in {"application/json", "image/svg+xml"}
    return f"{guessed}; charset=utf-8" if is_text else guessed

"""The state that environments restored from one snapshot must not share (Lambda SnapStart).

Ids and secrets come from the operating system's generator, which is safe after a restore. Nothing is fetched
during initialization, so no cache and no connection is in the snapshot; botocore renews expired credentials
("Handling uniqueness with Lambda SnapStart").
"""

import os


def reseed_after_restore() -> None:
    """Give each restored environment random numbers of its own, if this process becomes a snapshot.

    Otherwise all of them would wait equally long before they repeat a request, and disturb each other again.
    """
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        import random

        # Only Lambda's runtime has this package ("Lambda SnapStart runtime hooks for Python").
        from snapshot_restore_py import register_after_restore

        register_after_restore(random.seed)

"""Sign a delivery, and verify its signature.

GitHub's documentation: "Validating webhook deliveries".
"""

import hmac
from collections.abc import Iterable

_PREFIX = "sha256="


def sign(secret: str, body: bytes) -> str:
    """Return the ``X-Hub-Signature-256`` of a body."""
    return _PREFIX + hmac.digest(secret.encode(), body, "sha256").hex()


def is_signed(body: bytes, signature: str, secrets: Iterable[str]) -> bool:
    """Whether the raw body was signed with one of the secrets; empty secrets are ignored.

    The comparison takes the same time for every wrong signature.
    """
    given = signature.encode()
    matches = [hmac.compare_digest(sign(secret, body).encode(), given) for secret in secrets if secret]
    return any(matches)

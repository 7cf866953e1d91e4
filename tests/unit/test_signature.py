"""Signing and verifying deliveries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timer_core.github.webhooks.signature import is_signed, sign

# This example is from GitHub's documentation, "Validating webhook deliveries".
SECRET = "It's a Secret to Everybody"
BODY = b"Hello, World!"
SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def test_githubs_own_example_is_signed() -> None:
    assert sign(SECRET, BODY) == SIGNATURE
    assert is_signed(BODY, SIGNATURE, [SECRET])


@pytest.mark.parametrize("secrets", [[SECRET, "old"], ["new", SECRET], ["", SECRET]])
def test_both_secrets_are_accepted_during_a_rotation(secrets: list[str]) -> None:
    assert is_signed(BODY, SIGNATURE, secrets)


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "sha256=",
        SIGNATURE[:-1],
        SIGNATURE[:20],
        SIGNATURE + "0",
        SIGNATURE.removeprefix("sha256="),
        SIGNATURE.replace("sha256", "sha1"),
        SIGNATURE.upper(),
        SIGNATURE.replace("757", "758"),
        f" {SIGNATURE}",
        f"{SIGNATURE},{SIGNATURE}",
        "sha256=" + "é" * 64,
        sign("another secret", BODY),
        sign(SECRET, BODY + b"\n"),
    ],
)
def test_any_other_signature_is_refused(signature: str) -> None:
    assert not is_signed(BODY, signature, [SECRET])


@pytest.mark.parametrize(
    "body", [b"", b"Hello, World", b"hello, world!", b"Hello, World!\n", b"\xef\xbb\xbfHello, World!"]
)
def test_a_changed_body_is_refused(body: bytes) -> None:
    assert not is_signed(body, SIGNATURE, [SECRET])


@pytest.mark.parametrize("secrets", [[], [""], ["", ""]])
def test_an_empty_secret_signs_nothing(secrets: list[str]) -> None:
    assert not is_signed(BODY, sign("", BODY), secrets)


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.binary())
def test_any_secret_signs_any_bytes(secret: str, body: bytes) -> None:
    assert is_signed(body, sign(secret, body), [secret])


@given(st.text(st.characters(codec="utf-8")))
def test_any_header_text_can_be_checked(signature: str) -> None:
    assert not is_signed(BODY, signature, ["another secret"])

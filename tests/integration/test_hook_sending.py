"""The function that sends notifications: its requests to a real HTTPS server, and its retries."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from hooks.addresses import AddressRefused, public_address
from hooks.transport import SendingFailed, Transport
from tests.support.gateway import Context
from tests.support.handlers import Clock, loaded
from tests.support.receiver import NAME, Receiver
from timer_core.clock import now_ms
from timer_core.domain.ids import new_ulid
from timer_core.domain.notifications import Happening
from timer_core.domain.outgoing_webhooks import RETRIED_FOR_MS, OutgoingWebhook, Target, WebhookFormat
from timer_core.domain.visibility import Visibility
from timer_core.github.webhooks.signature import sign
from timer_core.store.outgoing_webhooks import Notification, Notifications, OutgoingWebhooks, SendingState
from timer_core.store.people import PeopleStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from timer_core.store.people import Person
    from timer_core.store.table import Table

SECRET = "a secret of the receiver"


@pytest.fixture(scope="module")
def module_receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def receiver(module_receiver: Receiver) -> Receiver:
    module_receiver.requests.clear()
    module_receiver.names.clear()
    module_receiver.status, module_receiver.location, module_receiver.drip_s = 204, "", 0
    return module_receiver


def transport(receiver: Receiver, *, timeout_s: float = 5) -> Transport:
    """Return a transport for which each name leads to the receiver."""
    return Transport(lambda _host, _port: "127.0.0.1", receiver.trusted, timeout_s)


def target(receiver: Receiver, host: str = NAME, path: str = "/") -> Target:
    return Target(True, host, receiver.port, path)


# ---------------------------------------------------------------------- requests


def test_a_request_names_the_host_and_not_the_address(receiver: Receiver) -> None:
    status = transport(receiver).post(target(receiver, path="/a?b=c"), b"{}", {"X-Test": "1"})
    (request,) = receiver.requests
    assert (status, request.path, request.body) == (204, "/a?b=c", b"{}")
    assert request.headers["host"] == f"{NAME}:{receiver.port}"
    assert request.headers["x-test"] == "1"
    assert receiver.names == [NAME]


def test_the_connection_is_opened_to_the_address_that_was_checked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads somewhere else a moment later ("DNS rebinding") is not resolved again."""
    resolved: list[str] = []
    resolve = socket.getaddrinfo

    def note(host: str, *arguments: Any, **options: Any) -> Any:
        resolved.append(host)
        return resolve(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", note)
    transport(receiver).post(target(receiver), b"{}", {})
    assert resolved == ["127.0.0.1"]


def test_a_certificate_of_another_name_is_refused(receiver: Receiver) -> None:
    with pytest.raises(SendingFailed, match="tls"):
        transport(receiver).post(target(receiver, "other.example.com"), b"{}", {})
    assert receiver.requests == []


def test_a_certificate_of_an_unknown_authority_is_refused(receiver: Receiver) -> None:
    with pytest.raises(SendingFailed, match="tls"):
        Transport(lambda _host, _port: "127.0.0.1").post(target(receiver), b"{}", {})
    assert receiver.requests == []


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.status, receiver.location = 307, f"https://{NAME}:{receiver.port}/other"
    assert transport(receiver).post(target(receiver), b"{}", {}) == 307
    assert len(receiver.requests) == 1


def test_a_response_that_never_ends_is_a_timeout(receiver: Receiver) -> None:
    receiver.drip_s = 0.05
    with pytest.raises(SendingFailed, match="timeout"):
        transport(receiver, timeout_s=0.5).post(target(receiver), b"{}", {})


def test_a_host_that_accepts_and_says_nothing_is_a_timeout(receiver: Receiver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(SendingFailed, match="timeout"):
            transport(receiver, timeout_s=0.5).post(Target(True, NAME, port, "/"), b"{}", {})


def test_a_refused_connection_is_a_failure(receiver: Receiver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(SendingFailed, match="connection"):
        transport(receiver).post(Target(True, NAME, port, "/"), b"{}", {})


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["169.254.169.254"], ["8.8.8.8", "10.0.0.1"], ["8.8.8.8", "::ffff:10.0.0.1"]],
)
def test_a_name_that_leads_to_a_private_network_gets_no_connection(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(socket, "socket", None)
    with pytest.raises(AddressRefused):
        public_address(NAME, 443)
    with pytest.raises(SendingFailed, match="address_refused"):
        Transport().post(Target(True, NAME, 443, "/"), b"{}", {})


def test_ipv4_is_preferred_because_not_every_network_has_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2606:2800::1", 443, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 443)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert public_address(NAME, 443) == "93.184.215.14"


# ---------------------------------------------------------------------- the function


class Queue:
    """The delays of the function's messages."""

    def __init__(self) -> None:
        self.delays: dict[str, int] = {}

    def change_message_visibility(self, **request: Any) -> None:
        assert request["QueueUrl"] == "https://queue.example"
        self.delays[request["ReceiptHandle"]] = request["VisibilityTimeout"]


class Sender:
    """The function, a person, an outgoing webhook that leads to the receiver, and a notification."""

    def __init__(self, module: ModuleType, table: Table, person: Person, queue: Queue, clock: Clock) -> None:
        self.module, self.person, self.queue, self.clock = module, person, queue, clock
        self.webhooks, self.notifications = OutgoingWebhooks(table), Notifications(table)
        self.people = PeopleStore(table)
        self.people.register(person.user_id, person.login, now_ms=clock.ms)
        self.webhook = self.add()
        self.notification = self.notify()

    def add(self, **members: Any) -> OutgoingWebhook:
        given: dict[str, Any] = {
            "id": new_ulid(self.clock.ms),
            "url": f"https://{NAME}/told",
            "secret": SECRET,
            "happenings": frozenset(Happening),
            "format": WebhookFormat.JSON,
            "created_ms": self.clock.ms,
        }
        webhook = OutgoingWebhook(**given | members)
        # The limit of webhooks is that of the organization, and the tests share a table.
        for other in self.webhooks.all():
            self.webhooks.remove(other.id)
        self.webhooks.add(webhook)
        return webhook

    def notify(self, happening: Happening = Happening.CONFIRMED) -> Notification:
        number = new_ulid(self.clock.ms)
        body = {
            "event": happening.value,
            "id": number,
            "at": "2026-11-28T12:00:00.000Z",
            "person": {"id": self.person.user_id, "login": self.person.login},
            "day": {"date": "2026-11-27", "working_duration": 27_000.0},
        }
        notification = Notification(number, self.person.user_id, happening, body)
        self.notifications.put(notification, now_ms=self.clock.ms)
        return notification

    def send(self, *, received: int = 1, age_ms: int = 0, again: bool = False) -> bool:
        """Invoke the function with the notification's message, and return whether the message is done."""
        body = {
            "webhook": self.webhook.id,
            "user": self.person.user_id,
            "notification": self.notification.id,
        } | ({"again": True} if again else {})
        record = {
            "messageId": "1",
            "receiptHandle": "handle",
            "body": json.dumps(body),
            "attributes": {
                "ApproximateReceiveCount": str(received),
                "SentTimestamp": str(self.clock.ms - age_ms),
            },
        }
        response = self.module.handler({"Records": [record]}, Context())
        return bool(response["batchItemFailures"] == [])

    @property
    def state(self) -> tuple[SendingState, list[int | str | None]]:
        sending = self.notifications.sending(self.webhook.id, self.notification.id)
        return sending.state, [one.status or one.failure for one in sending.attempts]


@pytest.fixture
def sender(
    shared_table: Table,
    new_person: Callable[[], Person],
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Sender]:
    with loaded("hooks.send", shared_table.name, HOOK_QUEUE_URL="https://queue.example") as module:
        queue, clock = Queue(), Clock(now_ms())
        monkeypatch.setattr(module, "_sqs", lambda: queue)
        monkeypatch.setattr(module, "now_ms", clock)
        local = module.Transport(lambda _host, _port: "127.0.0.1", receiver.trusted, 0.5)

        class Redirected:
            """Connects to the receiver's port in place of 443, the only one that may be called."""

            def post(self, given: Target, *rest: Any) -> int:
                status: int = local.post(given._replace(port=receiver.port), *rest)
                return status

        monkeypatch.setattr(module, "transport", Redirected())
        yield Sender(module, shared_table, new_person(), queue, clock)


def test_a_notification_is_sent_with_its_event_its_id_and_a_signature(
    sender: Sender, receiver: Receiver
) -> None:
    assert sender.send()
    (request,) = receiver.requests
    assert request.path == "/told"
    assert json.loads(request.body) == sender.notification.body
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-issue-timer-event"] == "timesheet.confirmed"
    assert request.headers["x-issue-timer-delivery"] == sender.notification.id
    assert request.headers["x-issue-timer-signature-256"] == sign(SECRET, request.body)
    assert sender.state == (SendingState.SENT, [204])


def test_without_a_secret_it_has_no_signature(sender: Sender, receiver: Receiver) -> None:
    sender.webhook = sender.add(secret="")
    assert sender.send()
    assert "x-issue-timer-signature-256" not in receiver.requests[0].headers


def test_a_chat_gets_a_text(sender: Sender, receiver: Receiver) -> None:
    sender.webhook = sender.add(format=WebhookFormat.SLACK)
    assert sender.send()
    expected = {"text": f"{sender.person.login} confirmed 2026-11-27: 7h 30m"}
    assert json.loads(receiver.requests[0].body) == expected


@pytest.mark.parametrize("status", [301, 307, 400, 404, 410, 429, 500, 503])
def test_a_notification_that_is_not_accepted_waits_for_another_attempt(
    sender: Sender, receiver: Receiver, status: int
) -> None:
    receiver.status = status
    assert not sender.send(received=3)
    assert sender.state == (SendingState.WAITING, [status])
    assert 120 <= sender.queue.delays["handle"] <= 240
    receiver.status = 200
    assert sender.send(received=4)
    assert sender.state == (SendingState.SENT, [status, 200])


def test_after_three_days_it_is_given_up(sender: Sender, receiver: Receiver) -> None:
    receiver.status = 500
    assert not sender.send(age_ms=RETRIED_FOR_MS - 1)
    assert sender.send(age_ms=RETRIED_FOR_MS)
    assert sender.state == (SendingState.GIVEN_UP, [500, 500])


def test_a_repeated_message_is_not_sent_again(sender: Sender, receiver: Receiver) -> None:
    assert sender.send()
    assert sender.send(received=2)
    assert len(receiver.requests) == 1


def test_an_admin_can_have_it_sent_again(sender: Sender, receiver: Receiver) -> None:
    assert sender.send()
    assert sender.send(again=True)
    assert [request.body for request in receiver.requests] == [receiver.requests[0].body] * 2
    assert sender.state == (SendingState.SENT, [204, 204])


def test_nothing_is_sent_about_a_person_who_is_hidden_meanwhile(sender: Sender, receiver: Receiver) -> None:
    receiver.status = 500
    assert not sender.send()
    sender.people.choose_visibility(sender.person.user_id, Visibility.NOBODY)
    assert sender.send(received=2)
    assert len(receiver.requests) == 1


def test_a_ping_of_a_hidden_admin_is_sent(sender: Sender, receiver: Receiver) -> None:
    sender.people.choose_visibility(sender.person.user_id, Visibility.NOBODY)
    sender.notification = sender.notify(Happening.PING)
    assert sender.send()
    assert len(receiver.requests) == 1


def test_nothing_is_sent_to_a_webhook_that_was_removed(sender: Sender, receiver: Receiver) -> None:
    sender.webhooks.remove(sender.webhook.id)
    assert sender.send()
    assert receiver.requests == []


def test_a_change_of_the_address_counts_for_waiting_notifications(sender: Sender, receiver: Receiver) -> None:
    receiver.status = 500
    assert not sender.send()
    sender.webhook = sender.add(id=sender.webhook.id, url=f"https://{NAME}/new")
    receiver.status = 200
    assert sender.send(received=2)
    assert [request.path for request in receiver.requests] == ["/told", "/new"]


def test_an_address_that_is_not_public_is_given_up_at_once(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 443))]
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **__: private if host == NAME else resolve(host, *rest)
    )
    monkeypatch.setattr(sender.module, "transport", sender.module.Transport())
    assert sender.send()
    assert sender.state == (SendingState.GIVEN_UP, ["address_refused"])


def test_an_address_that_a_stored_webhook_must_not_have_is_given_up(sender: Sender) -> None:
    sender.webhook = sender.add(url="http://127.0.0.1/")
    assert sender.send()
    assert sender.state == (SendingState.GIVEN_UP, ["address_refused"])


def test_a_host_that_did_not_respond_in_time_is_left_alone_for_a_minute(
    sender: Sender, receiver: Receiver
) -> None:
    receiver.drip_s = 0.05
    assert not sender.send()
    assert not sender.send(received=2)
    assert len(receiver.requests) == 1
    assert sender.queue.delays["handle"] <= 120
    sender.clock.advance(61)
    receiver.drip_s = 0
    assert sender.send(received=3)
    assert sender.state == (SendingState.SENT, ["timeout", 204])


def test_a_message_that_cannot_be_read_fails_alone(sender: Sender, receiver: Receiver) -> None:
    broken = {"messageId": "x", "receiptHandle": "h", "body": "{", "attributes": {}}
    broken["attributes"] = {"ApproximateReceiveCount": "1", "SentTimestamp": "1"}
    response = sender.module.handler({"Records": [broken]}, Context())
    assert response == {"batchItemFailures": [{"itemIdentifier": "x"}]}
    assert receiver.requests == []

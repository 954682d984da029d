"""Asks a model one way after the other, until one answers."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from xgen_deploy.backends.question import Question
from xgen_deploy.bounded_json import read_json
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.errors import UnreachableError, XgenError, exit_code_of
from xgen_deploy.limits import PAGE
from xgen_deploy.run.run import Run
from xgen_deploy.secret_text import SecretText
from xgen_deploy.secrets.delivered import InstanceSecrets
from xgen_deploy.secrets.gateway import GatewaySecrets
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.secrets.source import HostFiles
from xgen_deploy.state.endpoint import local_address
from xgen_deploy.state.observation import Observed, records_of
from xgen_deploy.state.record import Record
from xgen_deploy.state.secret_uses import engine_key
from xgen_deploy.transport.base import WebRequest
from xgen_deploy.verify.answer import Answer
from xgen_deploy.verify.checks import key_header
from xgen_deploy.verify.direct import NotDirect, stream_direct, why_not_direct
from xgen_deploy.verify.entry_points import Way
from xgen_deploy.visible import visible

How = Literal["gateway", "gateway over ssh", "ssh", "this machine"]


@dataclass(frozen=True)
class Asked:
    way: Way
    how: How
    answer: Answer


class _NoAnswer(XgenError):
    """Nothing listens there; another way may do."""


def ask_one_of(
    run: Run,
    observed: Observed,
    ways: Sequence[Way],
    question: Question,
    screen: Screen,
) -> Asked:
    """The answer to the question, put to each way's model, printed as it comes. Raises XgenError
    where no way answers, or one answers with an error."""
    records, errors = records_of(observed), list[XgenError]()
    secrets = SecretResolver(run.site)
    for way in ways:
        own = replace(question, model=way.model, kind=way.kind)
        try:
            return _Asking(run, records[way.host], secrets, way, own, screen).ask()
        except (_NoAnswer, UnreachableError) as error:
            errors.append(error)
    nobody = XgenError("\n".join(map(str, errors)))
    nobody.exit_code = exit_code_of(errors)
    raise nobody


@dataclass
class _Asking:
    """One way."""

    run: Run
    record: Record
    secrets: SecretResolver
    way: Way
    question: Question
    screen: Screen

    def ask(self) -> Asked:
        """Raises _NoAnswer and UnreachableError where another way may do, XgenError for an answer
        that is an error."""
        why_not = why_not_direct(self.way)
        if why_not is None:
            try:
                reply = _Reply(self.question, self.screen)
                self._say("gateway")
                stream_direct(self.way, self._request(direct=True), reply.take)
                return self._ended(reply, "gateway")
            except NotDirect as error:
                why_not = str(error)
        how = self._how()
        self._say(how, why_not if self.way.through_gateway else "")
        reply = _Reply(self.question, self.screen)
        self.run.connections[self.way.host].stream(self._request(direct=False), reply.take)
        return self._ended(reply, how)

    def _how(self) -> How:
        if self.run.site.hosts[self.way.host].connection == "local":
            return "this machine"
        return "gateway over ssh" if self.way.through_gateway else "ssh"

    def _say(self, how: How, why: str = "") -> None:
        way = self.way
        by = {
            "gateway": f"through the gateway {way.url}",
            "gateway over ssh": f"through the gateway on {way.host}, over SSH",
            "ssh": f"{way.host}/{way.name}, over SSH",
            "this machine": f"{way.host}/{way.name}, on this machine",
        }[how]
        self.screen.note(f"{by}{f': {why}' if why else ''}")

    def _request(self, *, direct: bool) -> WebRequest:
        way = self.way
        return WebRequest(
            address=way.address or "" if direct else local_address(way.listen),
            port=way.port,
            path=self.question.path,
            body=json.dumps(self.question.body).encode(),
            headers={"Content-Type": "application/json", **key_header(self._key())},
            tls=way.tls,
        )

    def _key(self) -> SecretText | None:
        """The manifest's, else what was delivered there; of a gateway else its own."""
        way, ref = self.way, self.way.api_key
        if not way.locked:
            return None
        layout = self.run.layout(way.host)
        with self.run.connections[way.host].session() as session:
            files = HostFiles(way.host, session)
            if way.through_gateway and self.record.gateway is not None:
                of_gateway = GatewaySecrets(self.secrets, files, layout, self.record)
                return of_gateway.asking(self.record.gateway.spec)
            last = self.record.instances.get(way.name)
            own = InstanceSecrets(self.secrets, files, layout, way.name, last)
            return own.value(engine_key(way.host, way.name), ref) if ref else None

    def _ended(self, reply: "_Reply", how: How) -> Asked:
        where = f"{self.way.host}/{self.way.name}"
        answer = reply.end()
        if answer is None:
            raise _NoAnswer(f"{where} does not answer on port {self.way.port}: {reply.error}")
        if answer.problem:
            status = "" if answer.status == 200 else f"HTTP {answer.status}: "
            templates = "chat template" in answer.problem.lower() and not self.question.complete
            hint = "\n  Add --complete: the model goes on with the text." if templates else ""
            raise XgenError(f"{where}: {status}{answer.problem}{hint}")
        return Asked(self.way, how, answer)


class _Reply:
    """What comes back: a line with the status, then the body, which is printed as it comes."""

    def __init__(self, question: Question, screen: Screen) -> None:
        self._question = question
        self._screen = screen
        self._head = b""
        self._answer: Answer | None = None
        self.error = "the connection was lost"

    def take(self, piece: bytes) -> None:
        if self._answer is None:
            head, newline, piece = (self._head + piece).partition(b"\n")
            self._head = head
            if not newline:
                return
            status, self.error = _status(head)
            if not status:
                return
            self._answer = Answer(self._question, status)
        self._print(self._answer.feed(piece))

    def end(self) -> Answer | None:
        """None where nothing answered."""
        if self._answer is not None:
            self._print(self._answer.end())
        return self._answer

    def _print(self, texts: Iterable[str]) -> None:
        for text in texts:
            if not self._screen.json:
                print(visible(text), end="", flush=True)


def _status(head: bytes) -> tuple[int, str]:
    try:
        value = read_json(head, PAGE)
        return int(value["status"]), str(value["error"])
    except (ValueError, KeyError, TypeError):
        return 0, "its answer cannot be read"

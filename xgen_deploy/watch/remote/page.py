"""The whole page of a host: engines, gateway, GPUs, memory, and the facts."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable

from xgen_deploy.watch.remote import gpus, stored_facts
from xgen_deploy.watch.remote.engines import ask_engine
from xgen_deploy.watch.remote.gateway import ask_gateway
from xgen_deploy.watch.remote.host import ask_host
from xgen_deploy.watch.remote.samples import Sample, page_text, sample
from xgen_deploy.watch.remote.sources import Answer, Source, Sources

# What is asked anew for each page.
AT_ONCE = 15.0
PATIENCE = 9.0
# Several who ask at the same time get the same page.
SAME_PAGE = 1.0
STOPPED = "xgen_instance_stopped_by_intent"
INFO = "xgen_instance_info"


class Page:
    """`facts` are read for each page."""

    def __init__(
        self, settings: dict[str, Any], credentials: str | None, facts: Callable[[], Answer]
    ) -> None:
        self._common = (("project", settings["project"]), ("host", settings["host"]))
        self._credentials = credentials
        self._facts = facts
        self._gpus = gpus.GPUs(settings["software_gpu"], settings["reserved_mb"])
        self._sources = Sources(self._all(settings))
        self._stored = Answer([])
        self._lock = threading.Lock()
        self._text, self._until = "", 0.0

    def text(self, seconds: float = PATIENCE) -> str:
        """Within so many seconds."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._text = page_text(self._collect(seconds), self._common)
                self._until = time.monotonic() + SAME_PAGE
            return self._text

    def _collect(self, seconds: float) -> list[Sample]:
        """The facts first: they say which instances are to be asked at all."""
        self._stored = self._read_facts()
        samples = self._sources.collect(seconds)
        recorded = {_label(s, "gpu_uuid") for s in samples if s.name == INFO} - {""}
        lost = gpus.lost_samples(recorded, self._gpus.known)
        return self._numbered([*samples, *lost])

    def _read_facts(self) -> Answer:
        try:
            return self._facts()
        except Exception as error:
            return Answer([], f"{type(error).__name__}: {error}")

    def _all(self, settings: dict[str, Any]) -> list[Source]:
        sources = [
            Source("facts", stored_facts.INTERVAL, lambda _: self._stored),
            Source("gpus", gpus.INTERVAL, lambda _: self._gpus.ask()),
            Source("host", AT_ONCE, lambda _: ask_host()),
        ]
        if settings["gateway"] is not None:
            gateway = settings["gateway"]
            sources.append(Source("gateway", AT_ONCE, lambda s: ask_gateway(gateway, s)))
        return [*sources, *(self._engine(engine) for engine in settings["engines"])]

    def _engine(self, engine: dict[str, Any]) -> Source:
        def ask(seconds: float) -> Answer:
            labels = {"instance": engine["instance"], "model": engine["model"]}
            if any(s.value and _is_of(s, engine["instance"]) for s in self._stored.samples):
                return Answer([sample("xgen_instance_up", 0, **labels)])
            return ask_engine(engine, self._credentials, seconds)

        return Source(f"engine:{engine['instance']}", AT_ONCE, ask)

    def _numbered(self, samples: list[Sample]) -> list[Sample]:
        """The collector of facts asks no GPU, so it does not know their numbers."""
        index = {n: str(g["index"]) for g in self._gpus.known for n in gpus.names(g)}
        return [_with_index(s, index) for s in samples]


def _is_of(each: Sample, instance: str) -> bool:
    return each.name == STOPPED and ("instance", instance) in each.labels


def _label(each: Sample, name: str) -> str:
    return dict(each.labels).get(name, "")


def _with_index(each: Sample, index: dict[str, str]) -> Sample:
    labels = dict(each.labels)
    if labels.get("gpu_index") != "" or labels.get("gpu_uuid", "") not in index:
        return each
    labels["gpu_index"] = index[labels["gpu_uuid"]]
    return each._replace(labels=tuple(labels.items()))

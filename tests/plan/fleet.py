"""Several hosts with a manifest over all of them, in values: planned, and as if applied."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.plan.deciding import RENDERER, desired_state
from tests.render.scene import FLAGS, HOSTS, model_facts
from tests.site_file import load_site
from xgen_deploy.errors import UnreachableError
from xgen_deploy.manifest.limit import limit
from xgen_deploy.plan.build import maintenance_plan, make_plan
from xgen_deploy.plan.maintenance import Maintaining, Request
from xgen_deploy.resolve.request import probe_request
from xgen_deploy.state.facts import EngineFacts, HostFacts, ModelFacts, ServiceFacts
from xgen_deploy.state.gpu import GPUDetectionResult, GPUInfo
from xgen_deploy.state.layout import system_layout
from xgen_deploy.state.observation import Observation, observation_of
from xgen_deploy.state.plan import Operation, Plan
from xgen_deploy.state.record import InstanceRecord, Record
from xgen_deploy.state.site import Site
from xgen_deploy.state.stopped import Stopped

LAYOUT = system_layout("p")
MODEL = {"source": "/m/Qwen3-8B-Q4_K_M.gguf", "n_ctx": 4096}
Place = Mapping[str, list[dict[str, Any]]]


class Fleet:
    """`kinds` are the hosts' by name (see tests/render/hosts.yaml); `free` a host's free memory
    in MiB, `unseen` those that cannot be reached, `bare` those without a usable Python, `edited`
    those whose units are others."""

    def __init__(self, folder: Path, kinds: Mapping[str, str], **top: Any) -> None:
        self._folder = folder
        self._kinds = dict(kinds)
        self._top = top
        self.records = {name: Record(project="p") for name in kinds}
        self.unseen: set[str] = set()
        self.bare: set[str] = set()
        self.edited: set[str] = set()
        self.free: dict[str, int] = {}

    def site(self, place: Place, *limits: str, models: Mapping[str, Any] | None = None) -> Site:
        named = {one["model"] for ones in place.values() for one in ones}
        manifest = {
            "project": "p",
            "runtime": "systemd",
            "inventory": {"all": {"hosts": {name: {} for name in self._kinds}}},
            "binaries": {"llama": "/opt/engine"},
            "models": {**dict.fromkeys(sorted(named), MODEL), **(models or {})} or {"q": MODEL},
            "hosts": {name: list(place.get(name, [])) for name in self._kinds},
            **self._top,
        }
        path = self._folder / "fleet.yaml"
        path.write_text(yaml.safe_dump(manifest))
        return limit(load_site(str(path)), limits)

    def plan(
        self,
        place: Place,
        *limits: str,
        models: Mapping[str, Any] | None = None,
        skip_refused: bool = False,
        refuses_unfit: bool = True,
    ) -> Plan:
        site = self.site(place, *limits, models=models)
        observed = {name: self._observed(site, name) for name in site.hosts}
        desired = desired_state(site)
        return make_plan(
            site,
            observed,
            desired,
            {},
            now=0.0,
            skip_refused=skip_refused,
            refuses_unfit=refuses_unfit,
        )

    def maintained(
        self,
        place: Place,
        action: Maintaining,
        *names: str,
        on: Mapping[str, tuple[str, ...]] | None = None,
    ) -> Plan:
        """What `stop`, `start` or `restart` would do to these instances, or to all."""
        site = self.site(place)
        observed = {name: self._observed(site, name) for name in site.hosts}
        wanted = {
            h: tuple(d.name for d in site.on(h) if not names or d.name in names) for h in site.hosts
        }
        return maintenance_plan(site, observed, Request(action, on or wanted), now=0.0)

    def applied(self, operations: Iterable[Operation]) -> None:
        """As if these had gone well."""
        for one in operations:
            record = self.records[one.host]
            instances = {k: v for k, v in record.instances.items() if k != one.name}
            if one.instance is not None:
                instances[one.name] = _entry(one)
            self.records[one.host] = record.model_copy(
                update={"instances": instances, "revision": record.revision + 1}
            )

    def stopped(self, host: str, name: str) -> None:
        """By an operator, on purpose."""
        record = self.records[host]
        entry = record.instances[name].model_copy(update={"stopped": Stopped(by="ops", at=0.0)})
        instances = {**record.instances, name: entry}
        self.records[host] = record.model_copy(update={"instances": instances})

    def _observed(self, site: Site, name: str) -> Observation | UnreachableError:
        if name in self.unseen:
            return UnreachableError(name, "no route to it")
        facts = self._facts(site, name)
        if name in self.bare:
            machine = {"hostname", "arch", "kernel", "user", "uid", "now", "cores", "gpu"}
            facts = HostFacts(probe="sh", **{m: getattr(facts, m) for m in machine})
        return observation_of(name, facts, LAYOUT)

    def _model(self, key: str, source: str) -> ModelFacts:
        return model_facts(key, source).model_copy(update={"size": 5 << 30})

    def _facts(self, site: Site, name: str) -> HostFacts:
        kind, record = HOSTS[self._kinds[name]], self.records[name]
        request = probe_request(site, site.hosts[name], LAYOUT)
        gpus = [GPUInfo(index=i, **g) for i, g in enumerate(kind["gpus"])]
        return HostFacts.model_validate(
            {
                "probe": "python", "hostname": name, "arch": "x86_64", "kernel": "6.8",
                "user": "root", "uid": 0, "now": 0.0, "cores": 16, "systemd": "255",
                "memory_available_mb": self.free.get(name),
                "gpu": GPUDetectionResult(gpus=tuple(gpus), detection_method="pynvml"),
                **kind.get("facts", {}),
                "docker": {"state": "absent"},
                "models": [self._model(m.key, m.source) for m in request.models],
                "engines": [_engine(e.backend, e.binary) for e in request.engines],
                "services": [
                    _service(n, r, edited=name in self.edited) for n, r in record.instances.items()
                ],
                "etc_files": [
                    {"path": f"{LAYOUT.settings(n + r.slot)}/{file}", "kind": "file"}
                    for n, r in record.instances.items() for file in ("env", "api-key")
                ],
                "record": record.model_dump_json(exclude_none=True),
            }
        )  # fmt: skip


def _engine(backend: str, binary: str | None) -> EngineFacts:
    flags = tuple(FLAGS["new"]["flags"]), tuple(FLAGS["new"]["markers"])
    asks = backend.startswith("llama-server")
    return EngineFacts(
        backend=backend,
        binary=binary,
        state="s1",
        entrypoint=("/engine",),
        flags=flags[0] if asks else (),
        markers=flags[1] if asks else (),
    )


def _entry(one: Operation) -> InstanceRecord:
    instance = one.instance
    assert instance is not None
    definition = RENDERER.on(LAYOUT).render(instance).definition
    digest = hashlib.sha256(definition.content.encode()).hexdigest()
    return InstanceRecord(
        spec=instance.spec,
        digest=instance.digest,
        declared=instance.declared,
        files={definition.path: digest},
        pins=instance.pins,
        slot=instance.slot,
    )


def _service(name: str, record: InstanceRecord, *, edited: bool) -> ServiceFacts:
    (digest,) = record.files.values()
    return ServiceFacts(
        name=f"{LAYOUT.service(name + record.slot)}.service",
        kind="unit",
        state="inactive" if record.stopped else "active",
        sub_state="running",
        sha256="another" if edited else digest,
        enabled=True,
        pid=7,
    )

"""A host on which a manifest was applied, in values: what a plan sees a moment later."""

import hashlib
from collections.abc import Collection, Container, Iterable
from pathlib import Path
from typing import Any

from tests.plan.deciding import RENDERER, desired_state
from tests.render.scene import Scene
from xgen_deploy.plan.host_plan import Scope, plan_host
from xgen_deploy.resolve.host import resolve_host
from xgen_deploy.state.facts import ContainerFacts, FileFacts, HostFacts, ServiceFacts
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.observation import observation_of
from xgen_deploy.state.plan import HostPlan
from xgen_deploy.state.record import InstanceRecord, Record
from xgen_deploy.state.repin import Repin
from xgen_deploy.state.stopped import Stopped


class World:
    """`facts` and `record` may be disturbed before `plan`."""

    def __init__(self, case: dict[str, Any], folder: Path) -> None:
        self.scene = Scene(case, folder)
        self.record = Record(project="p")
        self.facts: HostFacts = self.scene.facts

    def apply(self, *, repin: Container[int] = ()) -> None:
        """As if everything had gone well."""
        rendering = RENDERER.on(self.scene.layout)
        site, layout = self.scene.site, self.scene.layout
        resolved = resolve_host(site, site.hosts["h"], self.facts, self.record, layout, repin=repin)
        assert not resolved.refusals, resolved.refusals
        instances: dict[str, InstanceRecord] = {}
        services, boxes, files = [], [], []
        for one in resolved.instances:
            rendered = rendering.render(one)
            files += [FileFacts(path=f.path, kind="file", mode=f.mode) for f in rendered.files]
            digest = hashlib.sha256(rendered.definition.content.encode()).hexdigest()
            instances[one.name] = InstanceRecord(
                spec=one.spec,
                digest=one.digest,
                files={rendered.definition.path: digest},
                pins=one.pins,
                ready_seconds=5.0,
                invocation="run-1",
            )
            services.append(
                ServiceFacts(
                    name=f"{rendered.service}.service",
                    kind="unit",
                    state="active",
                    sub_state="running",
                    sha256=digest,
                    enabled=True,
                    pid=7,
                    invocation="run-1",
                )
            )
            if one.spec.runtime == "docker":
                boxes.append(
                    ContainerFacts(
                        name=rendered.service,
                        id="c1",
                        image_id=one.spec.engine_state or "",
                        state="running",
                        ports=(one.spec.port,),
                        labels={
                            "xgen.project": "p",
                            "xgen.instance": one.name,
                            "xgen.digest": one.digest,
                        },
                    )
                )
        self.record = self.record.model_copy(update={"instances": instances, "revision": 1})
        docker = self.facts.docker.model_copy(update={"containers": tuple(boxes)})
        self.fact(services=tuple(services), docker=docker, etc_files=tuple(files))

    def service(self, **changes: object) -> None:
        """Something befell the (first) unit."""
        first, *rest = self.facts.services
        services = (first.model_copy(update=changes), *rest)
        self.facts = self.facts.model_copy(update={"services": services})

    def container(self, **changes: object) -> None:
        """Something befell the (first) container; `gone=True`: it is not there."""
        first, *rest = self.facts.docker.containers
        boxes = (
            tuple(rest) if changes.pop("gone", False) else (first.model_copy(update=changes), *rest)
        )
        docker = self.facts.docker.model_copy(update={"containers": boxes})
        self.facts = self.facts.model_copy(update={"docker": docker})

    def fact(self, **changes: object) -> None:
        self.facts = self.facts.model_copy(update=changes)

    def cards(self, gpus: Iterable[GPUInfo]) -> None:
        """The host has these GPUs now, numbered in this order."""
        found = tuple(g.model_copy(update={"index": n}) for n, g in enumerate(gpus))
        self.fact(gpu=self.facts.gpu.model_copy(update={"gpus": found}))

    def stopped(self, name: str) -> None:
        """By an operator, on purpose."""
        entry = self.record.instances[name].model_copy(
            update={"stopped": Stopped(by="ops", at=0.0)}
        )
        self.record = self.record.model_copy(
            update={"instances": {**self.record.instances, name: entry}}
        )

    def plan(
        self,
        case: dict[str, Any] | None = None,
        folder: Path | None = None,
        *,
        repin: Collection[int] = (),
    ) -> HostPlan:
        """For the same manifest, or for another `case` of it."""
        scene = Scene(case, folder) if case is not None and folder is not None else self.scene
        facts = self.facts.model_copy(
            update={
                "record": self.record.model_dump_json(exclude_none=True),
                "models": scene.facts.models,
                "engines": scene.facts.engines,
            }
        )
        observation = observation_of("h", facts, scene.layout)
        cards = frozenset(("h", index) for index in repin)
        desired = desired_state(scene.site, repin=Repin(cards=cards)).of(observation)
        return plan_host(scene.site, observation, desired, Scope())

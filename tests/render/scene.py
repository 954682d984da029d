"""A host as a probe would describe it, and what this tool makes of a manifest there."""

import itertools
from pathlib import Path
from typing import Any

import yaml

from tests.site_file import load_site
from xgen_deploy.render.instance import Rendering
from xgen_deploy.render.rendered import Rendered
from xgen_deploy.render.templates import Templates
from xgen_deploy.resolve.host import Resolved, resolve_host
from xgen_deploy.resolve.request import probe_request
from xgen_deploy.run.template_files import read_templates
from xgen_deploy.state.facts import EngineFacts, HostFacts, ModelFacts
from xgen_deploy.state.gpu import GPUDetectionResult, GPUInfo
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.layout import Layout, process_layout, system_layout
from xgen_deploy.state.record import Record
from xgen_deploy.state.site import Site

HERE = Path(__file__).parent
HOSTS: dict[str, Any] = yaml.safe_load((HERE / "hosts.yaml").read_text())
MODELS: dict[str, Any] = yaml.safe_load((HERE / "models.yaml").read_text())
FLAGS: dict[str, Any] = yaml.safe_load((HERE / "flags.yaml").read_text())
_KEYS = frozenset(
    (
        "case",
        "host",
        "models",
        "place",
        "expect",
        "refused",
        "top",
        "runtime",
        "flags",
        "vars",
        "entrypoint",
        "cdi",
    )
)


class Scene:
    """One case: `host`, `models`, `place` (a list), and what stands over the manifest's top."""

    def __init__(self, case: dict[str, Any], folder: Path) -> None:
        self._case = case
        self.site = self._site(folder)
        self.layout = _layout(self.site)
        self.facts = self._facts()

    def resolved(self) -> Resolved:
        record = Record(project=self.site.project)
        return resolve_host(self.site, self.site.hosts["h"], self.facts, record, self.layout)

    def rendered(self, instance: Instance) -> Rendered:
        """Raises Unsupported."""
        return Rendering(self.layout, Templates(read_templates())).render(instance)

    def _site(self, folder: Path) -> Site:
        runtime = self._case.get("runtime", "systemd")
        local = {"ansible_connection": "local"} if runtime == "process" else {}
        manifest = {
            "project": "p",
            "runtime": runtime,
            "inventory": {"all": {"hosts": {"h": {**local, **self._case.get("vars", {})}}}},
            "images": dict.fromkeys(("llama", "vllm"), "registry.local/engine:1"),
            "binaries": {"llama": "/opt/engine", "vllm": "/opt/vllm/bin/vllm"},
            **self._case.get("top", {}),
            "models": self._case["models"],
            "hosts": {"h": self._case["place"]},
        }
        path = folder / "manifest.yaml"
        path.write_text(yaml.safe_dump(manifest))
        return load_site(str(path))

    def _facts(self) -> HostFacts:
        host = self._case["host"]
        gpus = [GPUInfo(index=i, **g) for i, g in enumerate(HOSTS[host]["gpus"])]
        request = probe_request(self.site, self.site.hosts["h"], self.layout)
        return HostFacts.model_validate(
            {
                "probe": "python",
                "hostname": "h",
                "arch": "x86_64",
                "kernel": "6.8",
                "user": "root",
                "uid": 0,
                "now": 0.0,
                "cores": 16,
                "systemd": "255",
                "gpu": GPUDetectionResult(gpus=tuple(gpus), detection_method="pynvml"),
                **HOSTS[host].get("facts", {}),
                "docker": {
                    "state": "ok",
                    "version": "29.1.0",
                    "runtimes": ["runc"] if "cdi" in self._case else ["runc", "nvidia"],
                    "cdi_devices": self._case.get("cdi", []),
                    "cli": "/usr/bin/docker",
                },
                "models": [model_facts(m.key, m.source) for m in request.models],
                "engines": [self._engine(e.model_dump()) for e in request.engines],
            }
        )

    def _engine(self, request: dict[str, Any]) -> EngineFacts:
        generation = self._case.get("flags", "new")
        entrypoint = request["entrypoint"] or self._case.get("entrypoint", ("/engine",))
        asks = request["has_help"] and generation != "unknown"
        return EngineFacts(
            backend=request["backend"],
            binary=request["binary"],
            image=request["image"],
            state="s1" if entrypoint != [] else None,
            entrypoint=tuple(entrypoint or ()),
            error="no ENTRYPOINT" if request["image"] and entrypoint is None else None,
            flags=tuple(FLAGS[generation]["flags"]) if asks else (),
            markers=tuple(FLAGS[generation]["markers"]) if asks else (),
        )


def cases(folder: Path) -> list[dict[str, Any]]:
    """Every case of every file there, each with its own name."""
    files = sorted(folder.glob("*.yaml"))
    found = list(itertools.chain.from_iterable(yaml.safe_load(f.read_text()) for f in files))
    for case in found:
        check_keys(case)
    return found


def check_keys(case: dict[str, Any]) -> None:
    """Raises ValueError for one that nobody reads."""
    unknown = case.keys() - _KEYS
    if unknown:
        raise ValueError(f"case {case.get('case')!r}: unknown: {', '.join(sorted(unknown))}")


def _layout(site: Site) -> Layout:
    if site.runtime == "process":
        return process_layout("p", "/home/me/.local/state")
    return system_layout("p")


def model_facts(key: str, source: str) -> ModelFacts:
    return ModelFacts.model_validate({"key": key, "path": source, "state": "m1", **MODELS[source]})

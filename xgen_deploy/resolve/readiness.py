"""Why a host cannot use a backend yet that its hardware supports. Pure."""

from xgen_deploy.backends.availability import available_backends
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.resolve.engines import build_named, named_for_host
from xgen_deploy.resolve.entrypoints import wrong_program
from xgen_deploy.state.facts import EngineFacts, HostFacts
from xgen_deploy.state.host import Host
from xgen_deploy.state.site import Site


def not_ready(site: Site, host: Host, facts: HostFacts) -> dict[str, str]:
    """Backend -> reason, in order of preference, without those that are ready."""
    if facts.no_python is not None:
        return dict.fromkeys(available_backends(facts.gpu.gpus).backends, facts.no_python)
    runtime = host.runtime or site.runtime
    asked: dict[str, list[EngineFacts]] = {}
    for engine in facts.engines:
        asked.setdefault(engine.backend, []).append(engine)
    reasons: dict[str, str] = {}
    for backend in available_backends(facts.gpu.gpus).backends:
        answers = asked.get(backend, [])
        errors = [problem for a in answers if (problem := _problem(a))]
        if not answers:
            named = named_for_host(site, host, backend) or any(
                build_named(d, d.runtime, backend) for d in site.on(host.name)
            )
            what = "image" if runtime == "docker" else "binary"
            reasons[backend] = (
                "not checked: no placement here uses it" if named else (f"no {what} named")
            )
        elif len(errors) == len(answers):
            reasons[backend] = errors[0]
        elif runtime == "docker" and facts.docker.state != "ok":
            reasons[backend] = f"Docker: {facts.docker.reason or facts.docker.state}"
    return reasons


def _problem(build: EngineFacts) -> str | None:
    backend = backend_named(build.backend)
    wrong = wrong_program(backend, build) if backend is not None else None
    return wrong.reason if wrong is not None else build.error

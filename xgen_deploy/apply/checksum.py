"""The stated SHA-256 of a model's file, checked on the host once for each state of the file."""

from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.state.instance import Instance
from xgen_deploy.transport.base import HostError

_HOUR = 3600.0


def check_sha256(context: HostContext, instance: Instance) -> None:
    """Runs before anything is stopped. Raises HostError where the content differs."""
    spec = instance.spec
    if spec.sha256 is None:
        return
    last = context.record.instances.get(instance.name)
    if last and (last.spec.sha256, last.spec.model_state) == (spec.sha256, spec.model_state):
        return
    done = context.session.run(["sha256sum", "--", spec.model_path], timeout=_HOUR)
    digest = done.stdout.split(" ", 1)[0].lstrip("\\")
    if done.returncode != 0:
        raise HostError(
            context.name,
            f"the SHA-256 of {spec.model_path} could not be computed: {done.stderr.strip()}",
        )
    if digest != spec.sha256.lower():
        raise HostError(
            context.name,
            f"{spec.model_path} is not the stated file: its SHA-256 is "
            f"{digest}, the manifest says {spec.sha256.lower()}",
        )

"""Pulls the images that a host lacks, before anything is changed."""

from xgen_deploy.apply.events import Event, Listener
from xgen_deploy.errors import XgenError
from xgen_deploy.state.plan import HostPlan
from xgen_deploy.transport.base import Session

_PULL = 3600.0


class NotPulled(XgenError):
    """A host could not pull an image; nothing was changed there."""


def pull_images(plan: HostPlan, session: Session, tell: Listener) -> bool:
    """Whether anything was pulled: the plan must then be made again, for a build that was not
    there could not be asked what it can do. Raises NotPulled.
    """
    images = {
        (o.instance.docker_cli, o.instance.spec.image)
        for o in plan.operations
        if o.instance is not None and o.instance.engine.pull and o.instance.spec.image
    }
    images |= {
        (o.gateway.docker_cli, o.gateway.image)
        for o in plan.operations
        if o.gateway is not None and o.gateway.image and o.gateway.image_state is None
    }
    for cli, image in sorted(images):
        tell(Event(kind="progress", host=plan.host, text=f"pulling {image}"))
        done = session.run([cli, "pull", "--quiet", image], timeout=_PULL)
        if done.returncode != 0:
            error = done.complaint or "no reason given"
            raise NotPulled(f"{plan.host}: pulling {image} failed: {error}")
    return bool(images)

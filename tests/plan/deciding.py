"""What plans are made with here: this version's templates, and no machine's own folders."""

from xgen_deploy.plan.desired import DesiredState
from xgen_deploy.render.instance import Renderer
from xgen_deploy.render.templates import Templates
from xgen_deploy.run.template_files import read_templates
from xgen_deploy.state.repin import NO_REPIN, Repin
from xgen_deploy.state.site import Site

RENDERER = Renderer(Templates(read_templates()), "python3")


def desired_state(site: Site, *, repin: Repin = NO_REPIN) -> DesiredState:
    return DesiredState(site, RENDERER, repin=repin)

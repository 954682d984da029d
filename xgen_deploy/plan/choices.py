"""What a plan chose, held on to: what is carried out is that plan. Pure."""

from xgen_deploy.frozen import replace
from xgen_deploy.state.plan import Plan
from xgen_deploy.state.site import Site


def with_choices(site: Site, plan: Plan) -> Site:
    """The site, with nothing left to choose where something is to be done."""
    chosen = {
        (o.host, o.name): o.instance.declared.chosen
        for o in plan.operations
        if o.instance is not None and o.instance.declared.chosen is not None
    }
    if not chosen:
        return site
    declared = (replace(d, chosen=chosen.get((d.host, d.name), d.chosen)) for d in site.declared)
    return replace(site, declared=tuple(declared))

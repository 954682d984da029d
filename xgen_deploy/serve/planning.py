"""The plan that `plan` would make, for what a user sees of a site."""

import time

from xgen_deploy.audit.git import origin_of
from xgen_deploy.frozen import replace
from xgen_deploy.plan.build import default_scope, make_plan
from xgen_deploy.plan.desired import DesiredState
from xgen_deploy.plan.forecasts import with_forecasts
from xgen_deploy.run.local_sources import with_local_sources
from xgen_deploy.run.run import Run
from xgen_deploy.serve.security.scope import observed_of
from xgen_deploy.state.observation import Observed, facts_of
from xgen_deploy.state.plan import Plan
from xgen_deploy.state.repin import NO_REPIN
from xgen_deploy.state.site import Site


def plan_of(run: Run, site: Site, observed: Observed, *, refuses_unfit: bool = True) -> Plan:
    """`site` is that of the run, or a part of it; `refuses_unfit` as in plan/build.py. Raises
    XgenError where a file of this machine that hosts are to get is missing.
    """
    if run.catalog is not None:
        site = with_local_sources(site, run.catalog)
    site = replace(site, origin=site.origin or origin_of(site.manifest_file))
    observed = observed_of(site, observed)
    desired = DesiredState(site, run.renderer, repin=NO_REPIN, rebalance=False)
    scopes = {host: default_scope(site, host) for host in observed}
    plan = make_plan(site, observed, desired, scopes, now=time.time(), refuses_unfit=refuses_unfit)
    return replace(plan, hosts=with_forecasts(plan.hosts, facts_of(observed)))

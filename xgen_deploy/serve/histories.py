"""What hosts remember of applies, for what a user sees of a site."""

from xgen_deploy.apply.histories import Histories
from xgen_deploy.serve.context import ServeContext
from xgen_deploy.serve.security.scope import observed_of, seen_by
from xgen_deploy.serve.security.users import User
from xgen_deploy.state.observation import Observed


def histories_of(context: ServeContext, user: User) -> tuple[Histories, Observed]:
    """By host, with the last look at it."""
    with context.observations() as observations:
        site = seen_by(user, observations.run.site)
        observed = observed_of(site, observations.now())
        histories = observations.histories()
    return {host: entries for host, entries in histories.items() if host in site.hosts}, observed

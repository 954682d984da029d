"""What hosts remember of applies, for what a user sees of a site."""

from xgen_deploy.apply.histories import Histories
from xgen_deploy.apply.history import followed_entries
from xgen_deploy.serve.context import ServeContext
from xgen_deploy.serve.security.scope import observed_of, seen_by
from xgen_deploy.serve.security.users import User
from xgen_deploy.state.observation import Observed
from xgen_deploy.transport.fleet import each


def histories_of(context: ServeContext, user: User) -> tuple[Histories, Observed]:
    """By host, with the last look at it."""
    with context.observations() as observations:
        run = observations.run
        site = seen_by(user, run.site)
        observed = observed_of(site, observations.now())
        histories = each(
            [run.connections[host] for host in site.hosts],
            lambda connection: followed_entries(connection, run.layout(connection.name)),
        )
    return histories, observed

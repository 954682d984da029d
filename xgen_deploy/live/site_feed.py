"""The feed over the hosts of a run."""

from collections.abc import Callable

from xgen_deploy.live.feed import Feed, Reporter, Reports
from xgen_deploy.live.program import reporter_program
from xgen_deploy.live.request import report_request
from xgen_deploy.run.run import Run
from xgen_deploy.state.observation import Observed, records_of
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.read_only import ReadOnly


def site_feed(run: Run, observed: Callable[[], Observed], *, interval: float | None = None) -> Feed:
    """`observed` is the last look at the hosts, whose records tell what runs there."""

    def reporter(connection: Connection) -> Reporter:
        def report(interval: float) -> Reports:
            name = connection.name
            record = records_of(observed()).get(name)
            request = report_request(
                run.site.hosts[name], record, run.layout(name), interval=interval
            )
            return connection.report(reporter_program(), request)

        return report

    reporters = {n: reporter(ReadOnly(c)) for n, c in run.connections.items()}
    return Feed(reporters, interval=interval)

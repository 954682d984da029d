"""What pyinfra is asked: the same unit, the same container."""

import os

from pyinfra.operations import docker, systemd

INSTANCE = os.environ["BENCH_INSTANCE"]

systemd.service(service=f"{INSTANCE}.service", running=True, enabled=True, _sudo=True)
docker.container(container=INSTANCE, present=True, start=True, _sudo=True)

"""Has this host's Docker pull an image with a login for its registry: over standard input, in
memory, and in no file.
"""

from __future__ import annotations

import base64
import json
import sys

from xgen_deploy.transfer.remote import docker_api


def main() -> None:
    asked = json.load(sys.stdin)
    login = {
        "username": asked["user"],
        "password": asked["password"],
        "serveraddress": asked["registry"],
    }
    header = base64.urlsafe_b64encode(json.dumps(login).encode()).decode()
    target = f"/images/create?fromImage={docker_api.named(asked['image'])}"
    try:
        docker_api.send(target, headers={"X-Registry-Auth": header})
    except docker_api.DockerError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)

"""Who runs the tool on this machine."""

import getpass
import os
import socket
from collections.abc import Mapping

from xgen_deploy.audit.event import Actor

SERVE_USER = "XGEN_SERVE_USER"  # set by `serve` for the processes that it starts


def actor() -> Actor:
    return Actor(login=login(), control_host=socket.gethostname(), ci=ci_job(os.environ))


def login() -> str:
    """The login that the tool runs as, after the user of `serve` who asked for it: `operator1 via
    serve, deploy`."""
    user = os.environ.get(SERVE_USER)
    return f"{user} via serve, {getpass.getuser()}" if user else getpass.getuser()


def ci_job(env: Mapping[str, str]) -> str | None:
    """The CI job in a few words, from variables that GitHub, GitLab and Jenkins set."""
    if env.get("GITHUB_ACTIONS"):
        words = ("github", env.get("GITHUB_REPOSITORY"), "run", env.get("GITHUB_RUN_ID"))
        return _words(*words, by=env.get("GITHUB_ACTOR"))
    if env.get("GITLAB_CI"):
        words = ("gitlab", env.get("CI_PROJECT_PATH"), "job", env.get("CI_JOB_ID"))
        return _words(*words, by=env.get("GITLAB_USER_LOGIN"))
    if env.get("JENKINS_URL"):
        return _words("jenkins", env.get("JOB_NAME"), "build", env.get("BUILD_NUMBER"))
    return "another CI" if env.get("CI") else None


def _words(*words: str | None, by: str | None = None) -> str:
    return " ".join([*(w or "?" for w in words), *(["by", by] if by else [])])

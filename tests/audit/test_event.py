"""What an event holds, and what it never does."""

import pytest

from xgen_deploy.audit.actor import ci_job
from xgen_deploy.audit.event import Actor, Subject, safe

SUBJECT = Subject(
    project="p",
    actor=Actor(login="kim", control_host="desk"),
    what="apply",
    manifest="site.yaml",
    manifest_digest="d" * 64,
    apply=7,
)


def test_it_tells_who_did_what() -> None:
    event = SUBJECT.event(1_800_000_000.0, "ok", host="gpu-a", instance="q", action="update")
    assert (event.login, event.control_host, event.apply) == ("kim", "desk", 7)
    assert event.time == "2027-01-15T08:00:00.000+00:00"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://kim:hunter2@hub.example/m.gguf is gone", "https://hub.example/m.gguf is gone"),
        ("got 403 from https://hub.example/m?token=abc today", "https://hub.example/m today"),
        ("https://hub.example/m#secret", "https://hub.example/m"),
    ],
)
def test_a_url_loses_what_may_be_secret(text: str, kept: str) -> None:
    event = SUBJECT.event(0.0, "failed", reason=text, cause=text)
    for told in (event.reason, event.cause):
        assert told is not None
        assert told.endswith(kept)
        assert not any(word in told for word in ("hunter2", "abc", "secret"))


def test_a_long_reason_is_cut() -> None:
    assert len(safe("x" * 100_000) or "") == 500


@pytest.mark.parametrize(
    ("env", "job"),
    [
        ({}, None),
        (
            {
                "GITHUB_ACTIONS": "true",
                "GITHUB_REPOSITORY": "acme/site",
                "GITHUB_RUN_ID": "12",
                "GITHUB_ACTOR": "kim",
            },
            "github acme/site run 12 by kim",
        ),
        (
            {"GITLAB_CI": "true", "CI": "true", "CI_PROJECT_PATH": "acme/site", "CI_JOB_ID": "9"},
            "gitlab acme/site job 9",
        ),
        (
            {"JENKINS_URL": "https://u:p@ci/", "JOB_NAME": "site", "BUILD_NUMBER": "3"},
            "jenkins site build 3",
        ),
        ({"CI": "true"}, "another CI"),
    ],
)
def test_a_ci_job_is_named(env: dict[str, str], job: str | None) -> None:
    assert ci_job(env) == job

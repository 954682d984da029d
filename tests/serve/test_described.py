"""The API answers as its OpenAPI says, whatever it is sent."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks as of_openapi
from starlette.testclient import TestClient

from tests.apply.conftest import q
from tests.serve.conftest import Serve
from tests.serve.credentials import TOKEN_HASH
from xgen_deploy.serve.settings import Asked

EXAMPLES = 8
ENDLESS = ("/api/events",)
CHECKS = [
    schemathesis.checks.not_a_server_error,
    of_openapi.status_code_conformance,
    of_openapi.content_type_conformance,
    of_openapi.response_schema_conformance,
]
TRIED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.filterwarnings("ignore:Setting per-request cookies")
@pytest.mark.parametrize("changes", ["off", "propose"])
def test_every_operation_answers_as_described(serve: Serve, changes: Any) -> None:
    served = serve(
        {"h": "h100"},
        asked=Asked(changes=changes),
        applied=True,
        hosts={"h": [q()]},
        serve={"users": {"ci": {"role": "admin", "token_hash": TOKEN_HASH}}},
    )
    served.context.rate_limit.failed = lambda *_: None  # type: ignore[method-assign]
    browser = served.script()
    described = browser.get("/api/openapi.json").json()
    paths, statuses = set(), Counter[int]()
    for found in schemathesis.openapi.from_dict(described).get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if operation.path not in ENDLESS:
            paths.add(operation.path)
            TRIED(given(case=operation.as_strategy())(_checked(browser, statuses)))()
    assert {"/api/management/gpus", "/api/plan", "/api/management/load"} <= paths
    assert statuses.keys() >= {200, 404, 422}


def _checked(browser: TestClient, statuses: Counter[int]) -> Any:
    def check(case: Case[Any]) -> None:
        if case.query and "follow" in case.query:
            case.query["follow"] = "false"  # it would go on
        sent = case.as_transport_kwargs(base_url=str(browser.base_url))
        answer = browser.request(**sent)
        statuses[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    return check

"""Every operation of the HTTP API, called with what nobody thinks of: no fault, and no answer against the document."""

import os
from typing import Any

import pytest

from tests.web.conftest import Web

schemathesis = pytest.importorskip("schemathesis")
LEFT = ("ignored_auth", "unsupported_method", "positive_data_acceptance")  # the first two are attacks of their own
BODILESS = ("negative_data_rejection",)  # any bytes are a file
EXAMPLES = int(os.environ.get("API_EXAMPLES", "3"))


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_api_keeps_to_its_document(web: Web) -> None:
    client = web.client("fuzz")
    document = client.get("/openapi.json?plugins=rest_vault").json()
    for path in list(document["paths"]):
        if path.endswith("/events"):
            del document["paths"][path]  # a stream, tried elsewhere
    schema = schemathesis.openapi.from_dict(document)
    headers = dict(client.headers)
    tried = 0
    for result in schema.get_all_operations():
        _try(result.ok(), web.base, headers)
        tried += 1
    assert tried >= 30


def _try(operation: Any, base: str, headers: dict[str, str]) -> None:
    from hypothesis import HealthCheck, given, settings

    names = LEFT + (BODILESS if operation.path == "/api/v1/files" else ())
    excluded = [schemathesis.checks.CHECKS.get_one(name) for name in names]

    @given(case=operation.as_strategy())
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def call(case: Any) -> None:
        response = case.call(base_url=base, headers=headers)
        case.validate_response(response, excluded_checks=excluded)

    call()

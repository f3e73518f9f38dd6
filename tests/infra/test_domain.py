"""A name of the operator's own."""

from typing import Any

import pytest

from tests.infra.conftest import (
    CERTIFICATE,
    OTHER_DEV,
    OTHER_PROD,
    Find,
    allowed_values,
    find_in,
    synthesize,
)


@pytest.fixture(scope="module")
def named() -> dict[str, Any]:
    return synthesize(**OTHER_PROD)


def test_the_api_answers_only_at_the_root_of_the_domain_and_by_no_tls_below_1_2(
    named: dict[str, Any],
) -> None:
    (domain,) = find_in(named, "AWS::ApiGateway::DomainName")
    (api,) = find_in(named, "AWS::ApiGateway::RestApi")
    (mapping,) = find_in(named, "AWS::ApiGateway::BasePathMapping")

    assert named["Outputs"]["ApiUrl"]["Value"] == "https://passwords.example/"
    assert domain["DomainName"] == "passwords.example"
    assert domain["SecurityPolicy"] == "TLS_1_2"
    assert domain["SecurityPolicy"] in allowed_values("apigateway", "SecurityPolicy")
    assert domain["RegionalCertificateArn"] == CERTIFICATE
    assert domain["EndpointConfiguration"]["Types"] == ["REGIONAL"]
    assert api["DisableExecuteApiEndpoint"] is True
    assert "BasePath" not in mapping
    assert named["Resources"][mapping["Stage"]["Ref"]]["Type"] == "AWS::ApiGateway::Stage"


def test_the_zone_leads_to_the_domain_by_either_kind_of_address(named: dict[str, Any]) -> None:
    records = find_in(named, "AWS::Route53::RecordSet")
    (domain,) = find_in(named, "AWS::ApiGateway::DomainName")

    assert sorted(record["Type"] for record in records) == ["A", "AAAA"]
    assert domain["EndpointConfiguration"]["IpAddressType"] == "dualstack"
    for record in records:
        assert record["Name"] == "passwords.example."
        assert record["HostedZoneId"] == "Z0123456789"
        assert record["AliasTarget"]["DNSName"]["Fn::GetAtt"][1] == "RegionalDomainName"


def test_without_a_zone_the_records_are_the_operators() -> None:
    template = synthesize(**OTHER_DEV)

    assert find_in(template, "AWS::Route53::RecordSet") == []
    _, attribute = template["Outputs"]["DomainTarget"]["Value"]["Fn::GetAtt"]
    assert attribute == "RegionalDomainName"


def test_without_a_domain_the_api_keeps_the_name_that_aws_gave_it(
    find: Find, template: dict[str, Any]
) -> None:
    (api,) = find("AWS::ApiGateway::RestApi")

    assert find("AWS::ApiGateway::DomainName") == []
    assert not api["DisableExecuteApiEndpoint"]
    assert "execute-api" in str(template["Outputs"]["ApiUrl"]["Value"])

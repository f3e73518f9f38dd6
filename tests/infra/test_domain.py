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


def test_the_api_answers_only_at_the_root_of_the_domain(
    named: dict[str, Any],
) -> None:
    (domain,) = find_in(named, "AWS::ApiGateway::DomainName")
    (api,) = find_in(named, "AWS::ApiGateway::RestApi")
    (mapping,) = find_in(named, "AWS::ApiGateway::BasePathMapping")

    assert named["Outputs"]["ApiUrl"]["Value"] == "https://passwords.example"
    assert domain["DomainName"] == "passwords.example"
    assert domain["RegionalCertificateArn"] == CERTIFICATE
    assert domain["EndpointConfiguration"]["Types"] == ["REGIONAL"]
    assert api["DisableExecuteApiEndpoint"] is True
    assert "BasePath" not in mapping
    assert named["Resources"][mapping["Stage"]["Ref"]]["Type"] == "AWS::ApiGateway::Stage"


@pytest.mark.parametrize("settings", [OTHER_PROD, {"stage": "prod"}, {"stage": "dev"}])
def test_the_api_and_its_domain_speak_no_tls_without_forward_secrecy(
    settings: dict[str, str],
) -> None:
    """AWS applies the policy of the API to its domain, and 1.0 where nobody chose."""
    template = synthesize(**settings)
    kinds = ("AWS::ApiGateway::RestApi", "AWS::ApiGateway::DomainName")
    found = [one for kind in kinds for one in find_in(template, kind)]
    policies = {one["SecurityPolicy"] for one in found}

    assert len(found) == (2 if "domainName" in settings else 1)
    assert policies == {"SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09"}
    assert policies <= {*allowed_values("apigateway", "SecurityPolicy")}
    # AWS wants a mode with each of its new policies. This one ties a connection to its host name.
    assert {one["EndpointAccessMode"] for one in found} == {"STRICT"}


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
    parts = template["Outputs"]["ApiUrl"]["Value"]["Fn::Join"][1]
    assert "execute-api" in str(parts)
    # Without a slash at its end, so that a path can follow.
    assert template["Resources"][parts[-1]["Ref"]]["Type"] == "AWS::ApiGateway::Stage"

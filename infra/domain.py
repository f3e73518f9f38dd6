"""A custom domain for the API."""

from typing import cast

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as certificatemanager
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from constructs import Construct

from infra.api import TLS
from infra.settings import Deployment


class Domain(Construct):
    """The custom domain, the API at its root, and DNS records."""

    def __init__(
        self, scope: Construct, id_: str, *, settings: Deployment, api: apigateway.RestApi
    ) -> None:
        super().__init__(scope, id_)
        self.url = f"https://{settings.domain_name}"
        domain = apigateway.DomainName(
            self,
            "DomainName",
            domain_name=settings.domain_name,
            certificate=certificatemanager.Certificate.from_certificate_arn(
                self, "Certificate", settings.certificate_arn
            ),
            endpoint_type=apigateway.EndpointType.REGIONAL,
            mapping=api,
        )
        self.target: str = domain.domain_name_alias_domain_name
        """The AWS name that a DNS record made by hand must point to."""
        # The CDK has no input for it; without it nothing answers to the AAAA record.
        own = cast("apigateway.CfnDomainName", domain.node.default_child)
        own.add_property_override("EndpointConfiguration.IpAddressType", "dualstack")
        # AWS applies the policy of the API to requests for its domain, so both have the same.
        for name, value in TLS.items():
            own.add_property_override(name, value)
        if settings.hosted_zone_id:
            zone = route53.HostedZone.from_hosted_zone_id(self, "Zone", settings.hosted_zone_id)
            target = route53.RecordTarget.from_alias(targets.ApiGatewayDomain(domain))
            # The final dot makes the name absolute, so the zone's name is not needed.
            name = f"{settings.domain_name}."
            route53.ARecord(self, "A", zone=zone, record_name=name, target=target)
            route53.AaaaRecord(self, "Aaaa", zone=zone, record_name=name, target=target)

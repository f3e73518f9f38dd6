"""The settings of the CDK's context, where a wrong one ends in a sentence."""

from collections.abc import Sequence
from typing import Any, get_type_hints

import pytest

from infra.settings import (
    ARGUMENTS_ONLY,
    NEEDS,
    RULES,
    STAGES,
    Choices,
    Deployment,
    StageChoices,
    read_arguments,
    read_context,
)

NO_ORIGINS = [
    *("*", "null", "app.example", "//app.example", "https://", "file://", "capacitor:localhost"),
    *("https://app.example/", "capacitor://localhost/", "https://app.example?a", "https://a/b"),
    *("https://*.example", "capacitor://*", "*://app.example", "HTTPS://app.example"),
    *("https://App.example", "https://me@app.example", "https://a b", "1ab://c", "https://a,null"),
]
CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/6c0b5b3a"


@pytest.mark.parametrize(
    ("context", "sentence"),
    [
        ({"stage": "staging"}, "stage must be one of local, dev, prod, not 'staging'."),
        ({"stage": ["prod"]}, r"stage must be one of local, dev, prod, not \['prod'\]."),
        ({"alarm-email": "ops@example.com"}, "There is no setting 'alarm-email'"),
        ({"userPoolId": "eu-west-1_Imported0"}, "userPoolId is set, so set userPoolClientId as"),
        ({"userPoolClientId": "client"}, "userPoolClientId is set, so set userPoolId as"),
        ({"revealUserExistence": "yes"}, "revealUserExistence must be true or false, not 'yes'."),
        ({"cloudWatchRole": ["true"]}, "cloudWatchRole must be true or false, not"),
        ({"userPoolId": 1, "userPoolClientId": "client"}, "userPoolId must be text, not 1."),
        ({"forbiddenWords": "Acme,io"}, "forbiddenWords must be comma-separated words of 3 to 64"),
        ({"allowedClientIds": 1}, "allowedClientIds must be comma-separated names, such as"),
        *(
            ({"allowedOrigins": one}, "allowedOrigins must be comma-separated origins, such as")
            for one in NO_ORIGINS
        ),
        ({"alarmEmail": "ops"}, "alarmEmail must be like ops@example.com, not 'ops'."),
        ({"resetsPerMinute": "0"}, "resetsPerMinute must be a whole number from 1 to 12000, not"),
        ({"resetsPerMinute": "12001"}, "resetsPerMinute must be a whole number from 1 to 12000, "),
        (
            {"reservedConcurrency": -1},
            "reservedConcurrency must be a whole number from 0 to 1000, ",
        ),
        ({"stage": "prod", "mailFrom": ""}, "prod needs mailFrom or a userPoolId: Cognito's own"),
        ({"mailFrom": "example.com"}, "mailFrom must be like no-reply@example.com, not"),
        ({"mailReplyTo": "help@example.com"}, "mailReplyTo is set, so set mailFrom as well."),
        ({"mailName": "Acme <x>"}, "mailName must be like Acme, not 'Acme <x>'."),
        ({"mailName": "Acme\u3000KK"}, "mailName must be like Acme, not 'Acme.u3000KK'."),
        ({"mailReplyTo": "help"}, "mailReplyTo must be like help@example.com, not 'help'."),
        ({"mailConfigurationSet": "a/b"}, "mailConfigurationSet must be like passwords, not 'a/b'"),
        ({"supportUrl": "http://example.com"}, "supportUrl must be like https://example.com/help"),
        ({"mailUnknownAddresses": "true"}, "mailUnknownAddresses is set, so set mailFrom as"),
        ({"firewall": "on"}, "firewall must be one of off, count, block, not 'on'."),
        ({"firewall": ["off"]}, "firewall must be one of off, count, block, not"),
        ({"domainName": "https://passwords.example/"}, "domainName must be like passwords.example"),
        ({"domainName": "passwords.example"}, "domainName is set, so set certificateArn as"),
        ({"certificateArn": CERTIFICATE}, "certificateArn is set, so set domainName as"),
        ({"certificateArn": "6c0b5b3a"}, "certificateArn must be like arn:aws:acm:"),
        ({"hostedZoneId": "Z0123456789"}, "hostedZoneId is set, so set domainName as well"),
        ({"hostedZoneId": "passwords.example"}, "hostedZoneId must be like Z0123456789"),
        ({"serverCallers": "web,Web"}, "serverCallers must be one or two different names of"),
        ({"serverCallers": "a,b,c"}, "serverCallers must be one or two different names of"),
        ({"serverCallers": "web-2"}, "serverCallers must be one or two different names of"),
        ({"updatePasswordAttempts": "0"}, "updatePasswordAttempts must be a whole number from 1"),
        ({"attemptsPerAddress": "some"}, "attemptsPerAddress must be a whole number from 1 to"),
        ({"ipv6AddressPrefix": 48}, "ipv6AddressPrefix must be a whole number from 56 to 128, not"),
        ({"ipv6NetworkPrefix": "64"}, "ipv6NetworkPrefix must be a whole number from 16 to 55"),
        ({"breachEndpoint": "range.example"}, "breachEndpoint must be like https://api.pwnedpass"),
        ({"breachEndpoint": "http://range.example/range"}, "breachEndpoint must be like https://"),
        ({"responseInterval": "slow"}, "responseInterval must be a number from 0 to 5, not"),
        ({"codePause": "0.5"}, "codePause must be a whole number from 0 to 600, not '0.5'."),
        ({"responseInterval": "6"}, "responseInterval must be a number from 0 to 5, not '6'."),
    ],
)
def test_a_wrong_setting_is_named_in_one_sentence(context: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}"):
        read_context(context)


def test_every_mistake_is_listed_at_once() -> None:
    wrong = {"stage": "prod", "limits": "no", "memorySize": 1, "userPoolId": "a", "mail": "x"}

    with pytest.raises(ValueError, match="limits") as raised:
        read_context(wrong)

    assert [line.split()[0] for line in str(raised.value).splitlines()] == [
        *("limits", "memorySize", "There", "userPoolId")
    ]


def test_a_setting_in_cdk_json_may_have_its_json_type() -> None:
    origins, clients = ["https://a.example:8443", "capacitor://localhost"], ["web", "mobile"]

    as_json = {"allowedOrigins": origins, "allowedClientIds": clients, "cloudWatchRole": False}
    as_text = {"allowedOrigins": ",".join(origins), "allowedClientIds": "web, mobile"}

    assert read_context(as_json) == read_context(as_text | {"cloudWatchRole": "false"})


def test_what_the_cdk_itself_keeps_is_no_setting_and_the_default_stage_is_dev() -> None:
    kept = {"acknowledged-issue-numbers": [12345], "cli-telemetry": False, "aws:cdk:one": "x"}

    assert read_context(kept) == read_context({}) == Deployment.of_stage("dev")


def test_every_setting_has_a_rule_and_the_type_that_the_constructs_read() -> None:
    chosen, read = get_type_hints(StageChoices), get_type_hints(Deployment)
    alike = {Sequence[str]: tuple[str, ...]}

    assert RULES.keys() == chosen.keys() | {"lower_case_usernames"}
    assert {name: alike.get(kind, kind) for name, kind in chosen.items()} == {
        name: read[name] for name in chosen
    }
    assert {*NEEDS, *NEEDS.values(), *ARGUMENTS_ONLY} <= chosen.keys()


@pytest.mark.parametrize("stage", STAGES)
def test_the_defaults_of_a_stage_and_what_it_sets_are_values_that_rules_accept(stage: str) -> None:
    deployment = Deployment.of_stage(stage)

    for name, rule in RULES.items():
        assert rule.read(getattr(deployment, name)) == getattr(deployment, name)


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_a_construct_has_the_defaults_of_its_stage_but_for_the_role_of_the_account(
    stage: str,
) -> None:
    given = {name: getattr(Deployment.of_stage(stage), name) for name in Choices.__annotations__}

    for arguments in ({}, given | {"cloud_watch_role": False}):
        mistakes, chosen = read_arguments("shop", stage, arguments)

        assert mistakes == []
        assert chosen == Deployment.of_stage(stage).replace(stage="shop", cloud_watch_role=False)

"""The template of a release, as its adopters deploy it: by the AWS CLI, nested, in a CDK app."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml

from functions.settings import Runtime
from local import emulator
from local.processes import ROOT
from local.stack import Stack, User
from release.template import CODE, TEMPLATE, write
from tests.e2e.client import CONFIRM, RESET, UPDATE
from tests.e2e.conftest import NEW, Api
from tests.e2e.test_deployment import UNEMULATED
from tests.e2e.test_story import THIRD, confirm, is_refused
from tests.support import wait_until
from verification import doctor, runner, story
from verification.permissions import policy
from verification.runner import Outcome
from verification.stages import describe

BUCKET = "adopters-code"
SHOP, BLOG = "https://shop.example", "https://blog.example"
NAME = "passwords"


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a release."""
    folder = tmp_path_factory.mktemp("release")
    write(folder)
    return folder


@pytest.fixture(scope="module")
def emulated(release: Path, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files without what the emulator lacks, and a bucket for them."""
    folder = tmp_path_factory.mktemp("emulated")
    shutil.copy(release / CODE, folder)
    whole = json.loads((release / TEMPLATE).read_text())
    whole["Resources"] = {
        name: one for name, one in whole["Resources"].items() if one["Type"] not in UNEMULATED
    }
    for resource in whole["Resources"].values():
        document = resource.get("Properties", {}).get("PolicyDocument", {})
        for statement in document.get("Statement", ()):
            if statement["Action"] == "ses:SendEmail":
                # The emulator does not see which identity sends a mail.
                statement["Resource"] = "*"
                del statement["Condition"]
            if "sqs:SendMessage" in statement["Action"]:
                # The emulator asks for an action of its own, as `local/emulated.py` says.
                granted = statement["Action"]
                listed = [granted] if isinstance(granted, str) else granted
                statement["Action"] = [*listed, "sqs:SendMessageBatch"]
    text = json.dumps(whole)
    breaches = Runtime().breach_endpoint
    assert breaches in text
    (folder / TEMPLATE).write_text(text.replace(breaches, ""))
    stack.client("s3").create_bucket(Bucket=BUCKET)
    return folder


def deploy(stack: Stack, folder: Path, **parameters: str) -> None:
    """Run the program of the example."""
    subprocess.run(
        ["sh", ROOT / "examples/aws-cli/deploy.sh", *(f"{n}={v}" for n, v in parameters.items())],
        cwd=folder,
        env=emulator.environment(stack.endpoint, stack.key)
        | {
            "BUCKET": BUCKET,
            "STACK": NAME,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        check=True,
    )


@pytest.fixture(scope="module")
def adopted(stack: Stack, emulated: Path) -> Iterator[Stack]:
    """The stack of the template, whose API is another one for the same pool."""
    _ = stack.queue  # found while it is the only one
    deploy(
        stack,
        emulated,
        UserPoolId=stack.user_pool_id,
        UserPoolClientId=stack.user_pool_client_id,
        AllowedClientIds=stack.public_client_id,
        AllowedOrigins=SHOP,
        MailFrom="no-reply@example.com",
        MailName="Shop",
        Firewall="off",
        CloudWatchRole="false",  # the account has one, which the emulator would delete
    )
    yield replace(stack, url=url_of(stack, NAME))
    stack.client("cloudformation").delete_stack(StackName=NAME)


def url_of(stack: Stack, name: str) -> str:
    (described,) = stack.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in described["Outputs"]}
    found = re.search(r"//(\w+)\.[^/]+/(\w+)", outputs["ApiUrl"])
    assert found
    return f"{stack.endpoint}/_aws/execute-api/{found[1]}/{found[2]}"


def test_cloudformation_alone_deploys_a_service_that_resets_confirms_and_updates(
    adopted: Stack, stack: Stack, user: User
) -> None:
    api = Api(adopted, "198.19.1.1")

    assert api.post(RESET, {"username": user.username}).status == 200
    wait_until(lambda: stack.code(user.username) is not None)
    confirmed = api.post(CONFIRM, confirm(user, stack.code(user.username) or "", NEW))
    assert (confirmed.status, confirmed.text) == (204, "")
    assert is_refused(stack, user)
    token = stack.sign_in(User(user.username, NEW))["AccessToken"]
    updated = api.post(UPDATE, {"oldPassword": NEW, "newPassword": THIRD}, token=token)

    assert (updated.status, updated.text) == (204, "")
    assert stack.sign_in(User(user.username, THIRD))
    told = ["Shop: Your password was changed"] * 2
    wait_until(
        lambda: [m.subject for m in stack.mails() if m.to == user.username and not m.code] == told
    )


def status(stack: Stack, name: str) -> str:
    (described,) = stack.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return str(described["StackStatus"])


def allows(stack: Stack, origin: str) -> bool:
    reply = Api(stack, "198.19.1.2").send("GET", "/password-policy", headers={"Origin": origin})
    return reply.headers.get("Access-Control-Allow-Origin") == origin


def test_a_parameter_that_changes_takes_effect_and_the_others_stay(
    adopted: Stack, emulated: Path
) -> None:
    before = allows(adopted, SHOP), allows(adopted, BLOG)

    deploy(adopted, emulated, AllowedOrigins=f"{BLOG},https://other.example")

    assert before == (True, False)
    assert (allows(adopted, SHOP), allows(adopted, BLOG)) == (False, True)
    target = describe(adopted.client, NAME, url=adopted.url)
    assert target.settings.mail_name == "Shop"
    assert target.settings.allowed_client_ids[1:] == (adopted.public_client_id,)
    (stage,) = target.api_stage["variables"].values()
    assert stage == f"{BLOG},https://other.example,"


def test_a_wrong_parameter_is_refused_before_anything_is_made(stack: Stack, emulated: Path) -> None:
    cloudformation = stack.client("cloudformation")
    wrong = {"MailFrom": "example.com", "AllowedOrigins": "*", "Firewall": "on", "Stage": "my shop"}

    for name, value in wrong.items():
        with pytest.raises(cloudformation.exceptions.ClientError, match=name):
            cloudformation.create_stack(
                StackName="wrong",
                TemplateBody=(emulated / TEMPLATE).read_text(),
                Parameters=[
                    {"ParameterKey": key, "ParameterValue": text}
                    for key, text in {
                        "CodeBucket": BUCKET,
                        "CodeKey": CODE,
                        "UserPoolId": stack.user_pool_id,
                        "UserPoolClientId": stack.user_pool_client_id,
                        name: value,
                    }.items()
                ],
            )


def test_make_verify_checks_the_templates_stack_and_one_that_it_is_nested_in(
    adopted: Stack, stack: Stack, emulated: Path
) -> None:
    s3, cloudformation = stack.client("s3"), stack.client("cloudformation")
    for name in (CODE, TEMPLATE):
        s3.upload_file(str(emulated / name), BUCKET, name)
    sam = read_sam()
    nested = sam["Resources"]["Passwords"]["Properties"]
    nested["Parameters"] |= {"Firewall": "off", "Stage": "nested", "CloudWatchRole": "false"}
    nested["TemplateURL"] = f"{stack.endpoint}/{BUCKET}/{nested.pop('Location')}"
    # SAM turns its own type into this one, as text that is no JSON.
    sam["Resources"]["Passwords"]["Type"] = "AWS::CloudFormation::Stack"
    del sam["Transform"]
    chosen = {
        "CodeBucket": BUCKET,
        "CodeKey": CODE,
        "UserPoolId": stack.user_pool_id,
        "UserPoolClientId": stack.user_pool_client_id,
    }
    cloudformation.create_stack(
        StackName="Shop",
        TemplateBody=yaml.safe_dump(sam),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in chosen.items()],
    )
    wait_until(lambda: "IN_PROGRESS" not in status(stack, "Shop"))
    assert status(stack, "Shop") == "CREATE_COMPLETE"

    for name, count in ((NAME, 1), ("Shop", 2)):
        target = describe(stack.client, name, url=adopted.url)
        named = {one["Sid"]: one["Resource"] for one in policy(target)["Statement"]}
        assert len(named["Stack"]) == count
        with target:
            results = [*runner.run(target, [story.policy, doctor.throttles])]
        assert [one for one in results if one.finding.outcome is not Outcome.HOLDS] == []
    cloudformation.delete_stack(StackName="Shop")


class Tagged(yaml.SafeLoader):
    """Reads CloudFormation's short forms as the long ones."""


def read_tag(loader: yaml.SafeLoader, tag: str, node: yaml.ScalarNode) -> dict[str, Any]:
    text = str(loader.construct_scalar(node))
    return {"Ref": text} if tag == "Ref" else {f"Fn::{tag}": text.split(".", 1)}


Tagged.add_multi_constructor("!", read_tag)


def read_sam() -> dict[str, Any]:
    text = (ROOT / "examples/sam/template.yaml").read_text()
    return dict(yaml.load(text, Loader=Tagged))


def test_the_examples_give_the_template_parameters_that_it_has_and_all_that_it_needs(
    release: Path,
) -> None:
    declared = json.loads((release / TEMPLATE).read_text())
    sam = read_sam()["Resources"]["Passwords"]["Properties"]
    terraform = hcl2.loads((ROOT / "examples/terraform/main.tf").read_text())
    kinds = {name.strip('"'): one for made in terraform["resource"] for name, one in made.items()}
    stack = kinds["aws_cloudformation_stack"]['"passwords"']
    needed = {name for name, one in declared["Parameters"].items() if "Default" not in one}

    for given in (sam["Parameters"], stack["parameters"]):
        assert needed <= {*given} <= {*declared["Parameters"]}
    assert sam["Location"] == TEMPLATE
    assert f'aws_s3_object.release["{TEMPLATE}"]' in stack["template_url"]


def test_a_cdk_app_in_typescript_has_the_template_and_uploads_the_code(
    release: Path, tmp_path: Path
) -> None:
    app = shutil.copytree(ROOT / "examples/cdk-typescript", tmp_path / "app")
    for name in (CODE, TEMPLATE):
        shutil.copy(release / name, app)
    (app / "node_modules").symlink_to(ROOT / "node_modules")
    programs = ROOT / "node_modules/.bin"
    ours = json.loads((ROOT / "package.json").read_text())
    theirs = json.loads((app / "package.json").read_text())
    context = ("-c", "userPoolId=eu-west-1_Theirs000", "-c", "userPoolClientId=theirs")

    subprocess.run(
        [programs / "tsc", "--noEmit", "--strict", "--skipLibCheck", "app.ts"], cwd=app, check=True
    )
    subprocess.run(
        [programs / "cdk", "synth", "--quiet", "--no-notices", *context],
        cwd=app,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "npm_config_cache": str(tmp_path),
            "npm_config_update_notifier": "false",
        },
        check=True,
    )

    assert theirs["dependencies"].items() | theirs["devDependencies"].items() <= (
        ours["dependencies"].items() | ours["devDependencies"].items()
    )
    made = json.loads((app / "cdk.out/Passwords.template.json").read_text())
    declared = json.loads((release / TEMPLATE).read_text())
    assert made["Resources"].keys() - {"CDKMetadata"} == declared["Resources"].keys()
    assert "eu-west-1_Theirs000" in json.dumps(made)
    (zipped,) = (app / "cdk.out").glob("asset.*.zip")
    assert zipped.read_bytes() == (release / CODE).read_bytes()

"""`python -m release.template FOLDER` writes the CloudFormation template and its functions."""

import json
import shutil
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from aws_cdk import App

from infra.packaging.bundle import ROOT, find_code
from infra.template import TemplateStack

TEMPLATE: Final = "password-service.template.json"
CODE: Final = "functions.zip"


def write(folder: Path) -> None:
    """Write both: the same bytes from the same commit."""
    shutil.copy(find_code(), folder / CODE)
    (folder / TEMPLATE).write_text(synthesize())


def synthesize() -> str:
    """Return the template. CloudFormation takes 1 MB of it from S3, and 51,200 bytes inline."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    with TemporaryDirectory() as name:
        app = App(
            outdir=name,
            context=context,
            analytics_reporting=False,
            # `tests/infra` lets three validators check the template, which takes longer.
            builtin_cloud_formation_validation=False,
            stack_traces=False,
            tree_metadata=False,
        )
        description = f"Password service {project['version']} for a user pool that exists"
        stack = TemplateStack(app, "PasswordService", description=description)
        template = json.loads((Path(app.synth().directory) / stack.template_file).read_text())
    for resource in template["Resources"].values():
        # Paths and acknowledgments of findings, which only the CDK reads.
        resource.pop("Metadata", None)
    return json.dumps(template, separators=(",", ":")) + "\n"


if __name__ == "__main__":
    write(Path(sys.argv[1]))

"""The build hook that fills the wheel: one package, whose modules import each other by its name."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

from infra.packaging.bundle import find_code

_PACKAGE = "cognito_password_service"
_INIT = f'''"""Reset and change passwords of Amazon Cognito users behind an API of your own."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from {_PACKAGE}.infra.firewall import PoolFirewall
    from {_PACKAGE}.infra.service import PasswordService

__all__ = ["PasswordService", "PoolFirewall"]
_MODULES = {{"PasswordService": "infra.service", "PoolFirewall": "infra.firewall"}}


def __getattr__(name: str) -> object:
    """Import a construct when it is used: the CDK starts Node, and the verification needs none."""
    if name not in _MODULES:
        raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}")
    return getattr(import_module(f"{{__name__}}.{{_MODULES[name]}}"), name)
'''


def list_parts(root: Path, file: Path) -> None:
    """Write the bill of materials of the functions."""
    options = ("--output-reproducible", "--output-file", str(file))
    listed = ("requirements", "functions/requirements.txt", "--pyproject", "pyproject.toml")
    subprocess.run(  # noqa: S603 - our own
        # It warns that a file of requirements does not say which of them needs which.
        [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", *listed, *options],
        cwd=root,
        check=True,
    )


class Wheel(BuildHookInterface[Any]):
    """Put the construct, the functions' zip, its bill of materials and the verification into it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Collect the files, before hatchling archives them."""
        root = Path(self.root)
        draft = self._draft = TemporaryDirectory()
        package = Path(draft.name) / _PACKAGE
        vocabulary = {*(root / "functions").glob("*.py")} - {root / "functions" / "start.py"}
        vocabulary |= {root / "functions" / "aws" / name for name in ("__init__.py", "actions.py")}
        construct, checks = (root / "infra").rglob("*.py"), (root / "verification").glob("*.py")
        for module in (*vocabulary, *construct, *checks):
            target = package / module.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            imports = r"^(\s*(?:from|import) )(functions|infra|verification)\b"
            target.write_text(
                re.sub(imports, rf"\1{_PACKAGE}.\2", module.read_text(), flags=re.MULTILINE)
            )
        (package / "__init__.py").write_text(_INIT)
        (package / "py.typed").touch()
        shutil.copy(find_code(), package / "infra" / "packaging" / "functions.zip")
        build_data["force_include"][str(package)] = _PACKAGE
        bill = Path(draft.name) / "functions.cdx.json"
        list_parts(root, bill)
        build_data["sbom_files"].append(str(bill))  # in `.dist-info/sboms`, as PEP 770 says

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was collected."""
        self._draft.cleanup()

"""The build hook that fills the wheel: one package, whose modules import each other by its name."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

from infra.packaging.bundle import find_code

_PACKAGE = "cognito_password_service"
_INIT = f'''"""Reset and change passwords of Amazon Cognito users behind an API of your own."""

from {_PACKAGE}.infra.service import PasswordService

__all__ = ["PasswordService"]
'''


class Wheel(BuildHookInterface[Any]):
    """Puts the construct, the code that Lambda runs and the verification into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Collect the files, before hatchling archives them."""
        root = Path(self.root)
        draft = self._draft = TemporaryDirectory()
        package = Path(draft.name) / _PACKAGE
        vocabulary = {*(root / "functions").glob("*.py")} - {root / "functions" / "start.py"}
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
        for xray_sdk in (False, True):
            code = find_code(xray_sdk=xray_sdk)
            name = "functions-xray.zip" if xray_sdk else "functions.zip"
            (package / "infra" / "packaging" / name).write_bytes(code.read_bytes())
        build_data["force_include"][str(package)] = _PACKAGE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was collected."""
        self._draft.cleanup()

"""The program of docs/adopting.md for a page that uses only the client."""

import os
import re
import subprocess

from local.processes import ROOT
from local.stack import Stack

DOCUMENT = (ROOT / "docs/adopting.md").read_text()


def test_the_documents_program_asks_for_a_code(stack: Stack) -> None:
    (program,) = re.findall(r"```js\n(.*?)```", DOCUMENT, re.DOTALL)

    ran = subprocess.run(
        ["node", "--input-type=module"],
        input=program.replace("https://passwords.example.com", stack.url),
        cwd=ROOT / "web",
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )

    assert stack.url not in program
    assert ran.stdout == "CONFIRM_RESET_PASSWORD_WITH_CODE\n"

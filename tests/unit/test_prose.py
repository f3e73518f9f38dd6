"""The prose check finds words that nobody would say to a colleague, and nothing else."""

from pathlib import Path

import pytest

from tests.prose import find, read

ODD = [
    "Of every metric.",
    "By the function.",
    "Of ten runs of the functions, nine end in five seconds.",
    "For one user. The default of a setting.",
    "Without Lambda's runtime client around it.",
    "What of `functions/` goes into the bundle.",
    "What answers may be somebody else's.",
    "The command reads the outputs. Which the document names.",
    "Who posts JSON gets a puzzle.",
    "Add the exception's type alone.",
    "Longer sums, beside thresholds that stay.",
    "It is made by a process that hashes alike.",
    "So many workers run at once.",
    "In so much time, one thread uses no more.",
]
PLAIN = [
    "Return every metric.",
    "A dimension of every metric.",
    "Nine of ten runs of the functions end in five seconds.",
    "Without a body, nothing is sent.",
    "The program that answers may be another one.",
    "What to do if the claim does not hold.",
    "The worker waits so much that the caller gives up.",
    "Who asked? SQS says it.",
]


def judge(file: Path, text: str) -> list[str]:
    file.write_text(text)
    return [odd for passage in read(file) for odd in find(passage)]


@pytest.mark.parametrize("words", ODD)
def test_odd_words_are_found(words: str, tmp_path: Path) -> None:
    assert judge(tmp_path / "module.py", f'def act():\n    """{words}"""\n')


@pytest.mark.parametrize("words", PLAIN)
def test_plain_words_pass(words: str, tmp_path: Path) -> None:
    assert judge(tmp_path / "module.py", f'NAME = 1\n"""{words}"""\n') == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("module.py", "# The key is used by one function\n# alone.\nNAME = 1\n"),
        ("page.md", "# Title\n\nThe key is used by one function alone.\n"),
        ("page.js", "const name = 1; // The key is used by one function alone.\n"),
        ("page.js", "/** The key is used by one function alone. */\nconst name = 1;\n"),
    ],
    ids=["comment", "document", "line", "block"],
)
def test_every_text_is_read_and_no_code(name: str, text: str, tmp_path: Path) -> None:
    code = {"py": "alone = 'alone'\n", "md": "```sh\nmake alone\n```\n", "js": "const alone = 1;\n"}

    assert len(judge(tmp_path / name, text)) == 1
    assert judge(tmp_path / name, code[name.rpartition(".")[2]]) == []

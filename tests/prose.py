"""Find words in documents, docstrings and comments that nobody would say to a colleague.

proselint judges the documents as well, and knows none of these.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tests.support import ROOT

DOCUMENT, DOCSTRING, COMMENT = "document", "docstring", "comment"
SOURCES: Final = (
    *("*.md", "docs/**/*.md", "examples/**/*.md", "*.py", "web/*.js", "examples/**/*.js*"),
    *("apidocs/**/*.py", "benchmarks/**/*.py", "examples/**/*.py", "functions/**/*.py"),
    *("infra/**/*.py", "local/**/*.py", "release/*.py", "tests/**/*.py", "verification/*.py"),
)


class Text(NamedTuple):
    """A passage that a person reads, and the number of its first line."""

    line: int
    kind: str
    words: str


class Pattern(NamedTuple):
    """Words to avoid, the advice, and the kinds of text in which they are odd."""

    regex: re.Pattern[str]
    advice: str
    kinds: tuple[str, ...] = (DOCUMENT, DOCSTRING, COMMENT)


PATTERNS: Final = (
    Pattern(re.compile(r"\balone\b", re.IGNORECASE), "say `only`"),
    Pattern(re.compile(r"\bbeside\b", re.IGNORECASE), "say `next to` or `in addition to`"),
    Pattern(re.compile(r"\balike\b", re.IGNORECASE), "say `the same` or `both`"),
    Pattern(
        re.compile(r"\bso (many|much)\b(?! (as|that)|.*? that)", re.IGNORECASE),
        "give the number, and what it counts",
    ),
    Pattern(
        re.compile(r"(?<![^.!] )\b(What(?! to)|Who|Whose|Which)\b[^?]*[.:]"),
        "name the thing or the person",
        (DOCSTRING, COMMENT),
    ),
    Pattern(re.compile(r"^(Of|By) "), "begin with the noun that is meant", (DOCSTRING, COMMENT)),
    Pattern(
        re.compile(r"^(As|At|For|From|In|Like|Not|On|To|With|Without) [^,:]*([.]|$)"),
        "begin with the noun that is meant",
        (DOCSTRING,),
    ),
)


def find(text: Text) -> Iterator[str]:
    """Yield the odd words of a passage, each with the advice."""
    for pattern in PATTERNS:
        if text.kind in pattern.kinds and (match := pattern.regex.search(text.words)):
            yield f"{match[0]!r}: {pattern.advice}"


def read(file: Path) -> Iterator[Text]:
    """Yield the passages of a file, without its code."""
    source = file.read_text()
    if file.suffix == ".md":
        yield from _read_document(source)
    elif file.suffix == ".py":
        yield from _read_python(source)
    else:
        for match in re.finditer(r"/\*\*?(.*?)\*/|(?<![:'\"])//(.*)", source):
            line = source.count("\n", 0, match.start()) + 1
            yield Text(line, COMMENT, (match[1] or match[2] or "").strip())


def _read_document(source: str) -> Iterator[Text]:
    is_code = False
    for number, line in enumerate(source.splitlines(), 1):
        if line.strip().startswith("```"):
            is_code = not is_code
        elif not is_code:
            yield Text(number, DOCUMENT, line)


def _read_python(source: str) -> Iterator[Text]:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(words))):
                yield Text(node.lineno, DOCSTRING, " ".join(words.split()))
    block: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            follows = block and token.start == (block[-1].start[0] + 1, block[-1].start[1])
            if block and not follows:
                yield _join(block)
                block = []
            block.append(token)
    if block:
        yield _join(block)


def _join(block: list[tokenize.TokenInfo]) -> Text:
    words = " ".join(token.string.lstrip("# ") for token in block)
    return Text(block[0].start[0], COMMENT, words)


def main() -> None:
    """Print what proselint and the patterns find, and exit with 1 if that is anything."""
    found_files = {file for pattern in SOURCES for file in ROOT.glob(pattern)}
    files = sorted(file for file in found_files if "node_modules" not in file.parts)
    documents = [file for file in files if file.suffix == ".md"]
    # All of proselint's checks except typography, which wants curly quotes even in code.
    options = ["check", "--config", str(ROOT / "tests/proselint.json")]
    proselint = str(Path(sys.executable).with_name("proselint"))
    judged = subprocess.run([proselint, *options, *map(str, documents)], check=False)
    found = [
        f"{file.relative_to(ROOT)}:{text.line}: {odd}"
        for file in files
        for text in read(file)
        for odd in find(text)
    ]
    print(*found, sep="\n")  # noqa: T201 - to a person
    sys.exit(judged.returncode or bool(found))


if __name__ == "__main__":
    main()

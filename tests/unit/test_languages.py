"""The catalogues say the same in every language."""

import json
import re

import pytest

from functions.problems import PROBLEMS
from tests.support import ROOT

CATALOGUES = {
    file.stem: json.loads(file.read_text()) for file in (ROOT / "web" / "languages").iterdir()
}
ENGLISH = CATALOGUES.pop("en")


def sentences(catalogue: dict[str, dict[str, str | dict[str, str]]]) -> dict[str, str]:
    """Each sentence by its place, such as `problems.code-expired.detail`."""
    found: dict[str, str] = {}
    for group, members in catalogue.items():
        for name, member in members.items():
            texts = {"": member} if isinstance(member, str) else member
            found |= {f"{group}.{name}.{part}": text for part, text in texts.items()}
    return found


def test_the_languages_are_those_that_the_documents_promise() -> None:
    assert {*CATALOGUES} == {"de", "es", "fr", "ja", "pt"}
    assert {problem.slug for problem in PROBLEMS} < ENGLISH["problems"].keys()


@pytest.mark.parametrize("language", CATALOGUES)
def test_a_language_translates_every_sentence_with_its_placeholders(language: str) -> None:
    english, translated = sentences(ENGLISH), sentences(CATALOGUES[language])

    missing = [place for place in english if translated.get(place, "") in {"", english[place]}]
    assert missing == [], f"Complete web/languages/{language}.json"
    assert translated.keys() == english.keys(), f"Shorten web/languages/{language}.json"
    holes = {place: {*re.findall(r"{.*?}", text)} for place, text in english.items()}
    assert {p: {*re.findall(r"{.*?}", text)} for p, text in translated.items()} == holes

"""The area under the ROC curve, by which a timing is judged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.figures import Times, area

SECONDS = st.lists(st.integers(1, 99).map(float), min_size=2, max_size=20)


@given(SECONDS, SECONDS)
def test_the_area_is_how_often_the_slower_answer_is_of_the_same_side(
    known: list[float], unknown: list[float]
) -> None:
    pairs = [(k > u) + (k == u) / 2 for k in known for u in unknown]
    wins = sum(pairs) / len(pairs)

    auc, error = area(Times(known, unknown))

    assert auc == pytest.approx(max(wins, 1 - wins))
    assert area(Times(unknown, known))[0] == pytest.approx(auc)
    assert 0 <= error <= 0.5 + 1e-9

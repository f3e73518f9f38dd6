"""How a timing is judged: by the area under the ROC curve, and by how many samples there are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.figures import SAMPLES, Times, area, judge_times
from verification.runner import Outcome

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


@given(SECONDS, SECONDS, st.floats(0.01, 1))
def test_a_few_samples_show_a_gross_difference_and_never_that_there_is_none(
    known: list[float], unknown: list[float], later: float
) -> None:
    slowest = max(unknown)

    assert judge_times(Times(known, unknown)).outcome is not Outcome.HOLDS
    apart = Times([slowest + later] * SAMPLES, [*unknown, *([slowest] * SAMPLES)])
    assert judge_times(apart).outcome is Outcome.WEAKNESS
    together = Times(unknown, unknown)
    assert judge_times(together).outcome is Outcome.NOT_OBSERVED

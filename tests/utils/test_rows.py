import pandas as pd
import pytest

from sklearn_skin.utils import check_table, list_names


@pytest.mark.parametrize(
    "X, error, message",
    [
        ([[30]], TypeError, "X must be a DataFrame, as in fit; got list"),
        (pd.DataFrame({"age": []}), ValueError, r"0 sample\(s\) \(shape=\(0, 1\)\)"),
        (
            pd.DataFrame({"age": [30]}),
            ValueError,
            r"X lacks the columns \['sex'\]; it has \['age'\]",
        ),
    ],
)
def test_check_table_says_what_a_table_lacks(X, error, message):
    with pytest.raises(error, match=message):
        check_table(X, ["age", "sex"])


def test_check_table_accepts_further_columns():
    check_table(pd.DataFrame({"age": [30], "sex": ["f"]}), ["sex"])


def test_of_many_names_only_those_that_are_shown_are_looked_at():
    names = iter(range(10**9))
    assert list_names(names, 3) == "0, 1, 2, …"
    assert next(names) == 4
    assert list_names({"a"}) == "'a'"

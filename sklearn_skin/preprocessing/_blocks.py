"""What is done with numbers and categories: each kind by itself, or both together."""

from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_skin.preprocessing._cleaning import (
    CategoryCleaner,
    NumberCleaner,
    NumberImputer,
    is_empty,
)
from sklearn_skin.preprocessing._columns import MISSING, MISSING_WORDS
from sklearn_skin.preprocessing._feature_groups import encoded_name
from sklearn_skin.preprocessing._imputation import ImputationPipeline, KindKeeper
from sklearn_skin.preprocessing._kinds import kind_of
from sklearn_skin.preprocessing._pipeline import MetadataPipeline
from sklearn_skin.utils import list_names, request_weights, warn_user


class ColumnsOf:
    """Choose the columns of one kind by their dtype; a picklable column selector."""

    def __init__(
        self,
        kind,
        image_columns="auto",
        others=(),
        missing_words=MISSING_WORDS,
        keep_empty_features=True,
    ):
        self.kind = kind
        self.image_columns = image_columns
        self.others = others
        self.missing_words = missing_words
        self.keep_empty_features = keep_empty_features

    def __call__(self, X):
        listed = self.image_columns != "auto"
        named = [*(self.image_columns if listed else []), *self.others]
        lacking = [name for name in named if name not in X.columns]
        if lacking:
            raise ValueError(
                f"columns are missing: {lacking}; X has {list(X.columns)}. An ensemble takes the "
                "column out that is its `group_column`: it need not be dropped inside."
            )
        if self.kind == "image" and listed:
            return list(self.image_columns)
        wanted = ("numeric", "categorical") if self.kind == "metadata" else (self.kind,)
        unnamed = [name for name in X.columns if name not in named]
        chosen = [name for name in unnamed if kind_of(X[name], self.missing_words) in wanted]
        if self.keep_empty_features or self.kind == "image":
            return chosen
        empty = [name for name in chosen if is_empty(X[name])]
        if empty:
            warn_user(f"columns without a value are left out: {list_names(empty)}.")
        return [name for name in chosen if name not in empty]

    def __repr__(self):
        return f"<{self.kind} columns>"


def numeric_block(strategy, scale, missing_words, add_indicator):
    """Return the steps of numbers, filled by a statistic of their own column."""
    imputer = NumberImputer(
        strategy=strategy, add_indicator=add_indicator, keep_empty_features=True
    )
    scaler = _scaler() if scale else "passthrough"
    return MetadataPipeline(
        [("clean", NumberCleaner(missing_words)), ("impute", imputer), ("scale", scaler)]
    )


def categorical_block(imputation):
    """Return the steps of categories, filled by their mode or by 'missing'."""
    if imputation == "missing":
        imputer = _own_category()
    else:
        imputer = SimpleImputer(strategy="most_frequent", keep_empty_features=True)
    return MetadataPipeline(
        [("clean", CategoryCleaner(fill_empty=True)), ("impute", imputer), ("encode", _one_hot())]
    )


def joint_block(imputer, scale, categorical_imputation, missing_words):
    """Return the steps of numbers and categories that one imputer fills together."""
    kinds = "numeric", "categorical"
    numeric, categorical = (ColumnsOf(k, missing_words=missing_words) for k in kinds)
    texts = CategoryCleaner()
    if categorical_imputation == "missing":
        # Filled before the network, which would otherwise guess them.
        texts = Pipeline([("clean", CategoryCleaner(fill_empty=True)), ("impute", _own_category())])
    cleaner = ColumnTransformer(
        [
            ("numeric", NumberCleaner(missing_words), numeric),
            ("categorical", texts, categorical),
        ],
        verbose_feature_names_out=False,
    )
    # Cleaned, they are floats and texts.
    cleaned = make_column_selector
    encoder = ColumnTransformer(
        [
            ("numeric", _scaler() if scale else "passthrough", cleaned(dtype_include=float)),
            ("categorical", _one_hot(), cleaned(dtype_exclude=float)),
        ],
        verbose_feature_names_out=False,
    )
    return ImputationPipeline(
        [("clean", cleaner), ("impute", imputer), ("kinds", KindKeeper()), ("encode", encoder)]
    )


def _scaler():
    # Weights of rows are the classifier's.
    return request_weights(StandardScaler(), False)


def _own_category():
    return SimpleImputer(strategy="constant", fill_value=MISSING, keep_empty_features=True)


def _one_hot():
    # Sparse blocks cannot become a DataFrame.
    return OneHotEncoder(
        handle_unknown="ignore", sparse_output=False, feature_name_combiner=encoded_name
    )

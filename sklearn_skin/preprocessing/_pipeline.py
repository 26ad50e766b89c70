"""Steps of metadata without a table between them."""

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline


class MetadataPipeline(Pipeline):
    """Pipeline whose steps hand on arrays; the result is a table with names and X's index.

    A table that every step takes apart, checks and makes anew is most of what a row costs.
    """

    def set_output(self, *, transform=None):
        """Leave the steps as they are: the result is a table.

        Parameters
        ----------
        transform : str, default=None
            Not used.

        Returns
        -------
        self : object
        """
        return self

    def fit(self, X, y=None, **params):
        """Fit the steps.

        Parameters
        ----------
        X : DataFrame of shape (n, p)
        y : array-like, default=None
        **params : dict
            Metadata for the steps.

        Returns
        -------
        self : object
        """
        self.fit_transform(X, y, **params)
        return self

    def fit_transform(self, X, y=None, **params):
        """Fit the steps and transform X.

        Parameters
        ----------
        X : DataFrame of shape (n, p)
        y : array-like, default=None
        **params : dict
            Metadata for the steps.

        Returns
        -------
        X : DataFrame of shape (n, q)
        """
        values = super().fit_transform(X, y, **params)
        self.columns_ = pd.Index(self.get_feature_names_out(X.columns))
        return self._as_table(values, X)

    def transform(self, X, **params):
        """Transform X.

        Parameters
        ----------
        X : DataFrame of shape (n, p)
        **params : dict
            Metadata for the steps.

        Returns
        -------
        X : DataFrame of shape (n, q)
        """
        return self._as_table(super().transform(X, **params), X)

    def _as_table(self, values, X):
        return pd.DataFrame(np.asarray(values), index=X.index, columns=self.columns_)

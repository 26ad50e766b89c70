"""What FusionM4Net's parts are, to scikit-learn: parameters, routing, tags, diagram."""

from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils._repr_html.estimator import _VisualBlock
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.metaestimators import _BaseComposition

from sklearn_skin.ensemble._first_stage import FIRST
from sklearn_skin.ensemble._meta import FusionMixin
from sklearn_skin.ensemble._second_stage import (
    SECOND_STAGES,
    check_second_stage,
    make_second_stage,
)
from sklearn_skin.utils import Choice


class TwoStages(FusionMixin, MetaEstimatorMixin, _BaseComposition):
    """A first stage of one or several members, and a second one, as one estimator."""

    def get_params(self, deep=True):
        """Return the parameters, of the classifiers in a list as well.

        Parameters
        ----------
        deep : bool, default=True
            Whether to return the parameters of both stages too.

        Returns
        -------
        params : dict
        """
        # Only a list has names; the parts of a Pipeline would be taken for pairs.
        if isinstance(self.first_stage, list):
            return self._get_params(FIRST, deep)
        return super().get_params(deep)

    def set_params(self, **params):
        """Set parameters, such as ``second_stage__C``, ``first_stage__lr`` or ``name__lr``.

        Parameters
        ----------
        **params : dict
            Names as in `get_params`, and values.

        Returns
        -------
        self : object
        """
        own = [name for name in params if name.startswith("second_stage__")]
        stage = params.get("second_stage", self.second_stage)
        if own and isinstance(stage, str | None):
            made = type(make_second_stage(stage, 0)).__name__
            is_what = (
                "None, which stands for 'svm' and" if stage is None else f"{stage!r}, a name that"
            )
            raise ValueError(
                f"`{own[0]}`: `second_stage` is {is_what} has no parameters; set it to the "
                f"classifier, {made}(), first."
            )
        return self._set_params(FIRST, **params)

    def search_ranges(self):
        """Return what a search may try for the parameters of this object.

        Returns
        -------
        ranges : dict of str to Range or Choice
            By parameter; with a second stage given by name, also the other names.
        """
        ranges = super().search_ranges()
        if isinstance(self.second_stage, str | None):
            ranges["second_stage"] = Choice(tuple(SECOND_STAGES))
        return ranges

    def get_metadata_routing(self):
        """Return the routing of this object.

        Returns
        -------
        routing : MetadataRouter
        """
        fit = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        router.add(method_mapping=fit, **self._fitted_members())
        return router.add(method_mapping=fit, second_stage=make_second_stage(self.second_stage, 0))

    def __sklearn_tags__(self):
        """Return scikit-learn's tags."""
        tags = super().__sklearn_tags__()
        parts = [pair[-1] for pair in self._members() if isinstance(pair, tuple)]
        # Gaps of the metadata are filled for the second stage.
        tags.input_tags.allow_nan = bool(parts) and all(
            isinstance(part, BaseEstimator) and get_tags(part).input_tags.allow_nan
            for part in parts
        )
        return tags

    def _validate_params(self):
        super()._validate_params()
        check_second_stage(self.second_stage)

    def _sk_visual_block_(self):
        default = [(FIRST, "FusionNetClassifier")]
        names, members = zip(*(default if self.first_stage is None else self._members()))
        first = _VisualBlock("parallel", members, names=names, dash_wrapped=False)
        second = make_second_stage(self.second_stage, None)
        final = _VisualBlock("parallel", [second], names=["second_stage"], dash_wrapped=False)
        return _VisualBlock("serial", (first, final), dash_wrapped=False)

    def _members(self):
        if isinstance(self.first_stage, list):
            return self.first_stage
        default = getattr(self, "_default", None)
        return [(FIRST, default if self.first_stage is None else self.first_stage)]

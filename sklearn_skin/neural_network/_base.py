"""Rows in, labels out: what all network classifiers share."""

import copy

from sklearn.base import _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import validate_parameter_constraints
from sklearn.utils.validation import check_is_fitted

from sklearn_skin.modules import BranchLoss
from sklearn_skin.neural_network._data import read
from sklearn_skin.neural_network._distributed import data_parallel
from sklearn_skin.neural_network._fitting import make_dataset, seeded, train
from sklearn_skin.neural_network._parameters import (
    NetworkParameters,
    check_names,
    inherit_common_parameters,
    refuse_parameter,
)
from sklearn_skin.neural_network._prediction import PredictionMixin
from sklearn_skin.neural_network._recipe import needs_validation, resolve
from sklearn_skin.neural_network._saving import put_together, recipe_as_data, take_apart
from sklearn_skin.neural_network._table import (
    find_image_columns,
    find_metadata_columns,
    learn_columns,
    learn_features,
)
from sklearn_skin.utils import Choice, LabelCodec, Range


class BaseNetwork(PredictionMixin):
    """Base of the network classifiers: training, labels, validation.

    A subclass adds its own parameters in ``__init__(self, *, own=…, **common)`` and makes its
    network in `make_module`; it may make its own loss in `make_loss`. Networks of images have
    `BaseImageNetwork` as their base.

    Parameters
    ----------
    %(common)s

    Attributes
    ----------
    %(fitted)s

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn_skin.modules import MetadataNet
    >>> from sklearn_skin.neural_network import BaseNetwork
    >>> class WideMetadataClassifier(BaseNetwork):
    ...     def make_module(self, shapes, recipe):
    ...         return MetadataNet(shapes.n_metadata, shapes.n_classes, hidden=(512,))
    >>> X, y = make_classification(random_state=0)
    >>> net = WideMetadataClassifier(max_epochs=5, random_state=0).fit(X, y)
    >>> net.predict_proba(X).shape
    (100, 2)
    """

    _described: list[type] = [NetworkParameters]
    _parameter_constraints = NetworkParameters.constraints
    _make_train_set = staticmethod(make_dataset)

    def __init__(
        self,
        *,
        group_column=None,
        optimizer="adam",
        lr=1e-3,
        lr_schedule=None,
        batch_size=32,
        max_epochs=50,
        class_weight=None,
        loss="cross_entropy",
        sampler=None,
        early_stopping=False,
        patience=10,
        monitor="valid_loss",
        validation_fraction=0.1,
        averaging=None,
        precision="auto",
        compile=False,
        device="auto",
        num_workers=0,
        checkpoint_dir=None,
        callbacks=None,
        net_params=None,
        classes=None,
        warm_start=False,
        random_state=None,
        verbose=0,
        **unknown,
    ):
        if unknown:
            refuse_parameter(self, next(iter(unknown)))
        self.group_column = group_column
        self.optimizer = optimizer
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.class_weight = class_weight
        self.loss = loss
        self.sampler = sampler
        self.early_stopping = early_stopping
        self.patience = patience
        self.monitor = monitor
        self.validation_fraction = validation_fraction
        self.averaging = averaging
        self.precision = precision
        self.compile = compile
        self.device = device
        self.num_workers = num_workers
        self.checkpoint_dir = checkpoint_dir
        self.callbacks = callbacks
        self.net_params = net_params
        self.classes = classes
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def __init_subclass__(cls, **kwargs):
        """Complete the signature and the documentation of a subclass."""
        inherit_common_parameters(cls)
        super().__init_subclass__(**kwargs)

    def set_params(self, **params):
        """Set parameters of the estimator.

        Parameters
        ----------
        **params : dict
            By name.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If there is no such parameter; it names the nearest one.
        """
        check_names(self, params)
        return super().set_params(**params)

    def make_module(self, shapes, recipe):
        """Make the network; what a new system writes.

        Parameters
        ----------
        shapes : object
            What layers depend on: `image_columns`, `metadata_names`, `n_metadata`,
            `metadata_groups`, `n_classes` (a list, per task) and `image_size`.
        recipe : object
            Settings of the fit; every parameter of the estimator is an attribute.

        Returns
        -------
        module : LesionNetwork
        """
        raise NotImplementedError(f"{type(self).__name__} must implement make_module.")

    def make_loss(self, shapes, recipe):
        """Make the loss; by default the branches' losses are added up.

        Parameters
        ----------
        shapes, recipe
            As in `make_module`.

        Returns
        -------
        loss : torch.nn.Module
            Of (outputs, codes (n, T), sample_weight (n, T) or None). A `BranchLoss` is given
            the class weights and the focusing exponent of the recipe.
        """
        return BranchLoss()

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, *, sample_weight=None, groups=None, X_val=None, y_val=None):
        """Train the network.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Image columns beside numeric metadata columns; an array holds metadata alone.
        y : array-like of shape (n,) or (n, T)
            Labels of one task or of T tasks; NaN or None where a task has none.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row in the loss and in `monitor`; 2 is a row that stands twice.
        groups : array-like of shape (n,), default=None
            Patients or lesions, kept whole by the inner validation split; ignored by a fit
            that makes none.
        X_val, y_val : default=None
            Validation rows to use instead of an inner split.

        Returns
        -------
        self : object

        Raises
        ------
        ImageDecodeError, NonFiniteLossError
            If an image cannot be read; if the loss becomes NaN or infinite.
        """
        rows = {"sample_weight": sample_weight, "groups": groups, "X_val": X_val, "y_val": y_val}
        if self.warm_start and hasattr(self, "module_"):
            # The weights fit the size that they were trained with.
            recipe = self._resolve(image_size=self._recipe.image_size)
            module = self._module(recipe)
            return self._fit(recipe, self._columns, self._codec, X, y, module, **rows)
        recipe = self._resolve()
        columns = self._learn_columns(X)
        codec = LabelCodec(self.classes).fit(y)
        return self._fit(recipe, columns, codec, X, y, **rows)

    def fine_tune(
        self,
        X,
        y,
        *,
        freeze=None,
        lr=None,
        max_epochs=None,
        sample_weight=None,
        groups=None,
        X_val=None,
        y_val=None,
    ):
        """Train on from the fitted weights, with early layers frozen and a smaller rate.

        Class weights are computed afresh from `y`. The estimator's parameters stay as they are.

        Parameters
        ----------
        X, y : DataFrame or array-like
            Rows with the columns seen in fit, and labels among `classes_`.
        freeze : {"backbone"} or int, default=None
            Parts of the backbone that stay as they are.
        lr : float, default=None
            Learning rate; None takes a tenth of `lr`.
        max_epochs : int, default=None
            Epochs; None takes `max_epochs`.
        sample_weight, groups, X_val, y_val : default=None
            As in `fit`.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If `y` has a class that was not there in fit, or `freeze` is given to a network
            without a backbone.
        """
        check_is_fitted(self)
        if freeze is not None and "freeze" not in self.get_params(deep=False):
            raise ValueError(f"`freeze`: {type(self).__name__} has no backbone; got {freeze!r}.")
        rows = {"sample_weight": sample_weight, "groups": groups, "X_val": X_val, "y_val": y_val}
        lr = self.lr / 10 if lr is None else lr
        max_epochs = self.max_epochs if max_epochs is None else max_epochs
        changed = {"lr": lr, "max_epochs": max_epochs}
        validate_parameter_constraints(
            {name: self._parameter_constraints[name] for name in changed}, changed, "fine_tune"
        )
        recipe = self._resolve(
            freeze=freeze,
            **changed,
            image_size=self._recipe.image_size,
            # A checkpoint is of a whole fit, from its first epoch on.
            checkpoint_dir=None,
        )
        module = self._module(recipe)
        return self._fit(recipe, self._columns, self._codec, X, y, module, **rows)

    def search_ranges(self):
        """Return sensible ranges for parameters; see `sklearn_skin.model_selection.search_space`.

        Returns
        -------
        ranges : dict of str to Range or Choice
            By parameter; only what stays valid whatever the other parameters are.
        """
        own = self.get_params(deep=False)
        given = own["lr_schedule"]
        schedules = (given, None) if isinstance(given, dict) else (None, "cosine")
        ranges = {
            "lr": Range(1e-5, 1e-2, log=True),
            "batch_size": Choice((16, 32, 64)),
            "lr_schedule": Choice(schedules),
            "loss": Choice(("cross_entropy", "focal")),
            "dropout": Range(0.0, 0.5),
            "image_dropout": Range(0.0, 0.5),
        }
        if own["sampler"] is None:
            ranges["class_weight"] = Choice((None, "balanced"))
        return {name: values for name, values in ranges.items() if name in own}

    def __sklearn_tags__(self):
        """Return scikit-learn's tags."""
        tags = super().__sklearn_tags__()
        tags.non_deterministic = self.random_state is None
        return tags

    def _needs_validation(self):
        return needs_validation(self.get_params(deep=False))

    # A fit is three values: recipe = resolve(parameters), data = read(rows), fitted = train(…).

    def _resolve(self, **changes):
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        return resolve(self.get_params(deep=False) | changes, type(self).__name__, seed)

    def _learn_columns(self, X):
        """Choose the columns to learn from."""
        found = self._find_images(X)
        if not found and self.group_column not in getattr(X, "columns", ()):
            return learn_features(X, self)
        metadata = find_metadata_columns(X, found, self.group_column)
        images, metadata = self._choose(found, metadata)
        return learn_columns(X, images, metadata, self.group_column, self)

    def _find_images(self, X):
        return find_image_columns(X, "auto")

    def _choose(self, images, metadata):
        """Return the image and the metadata columns that the network reads, of those there are."""
        return [], metadata

    def _fit(self, recipe, columns, codec, X, y, module=None, **rows):
        with data_parallel(recipe) as (recipe, ranks):
            data = read(X, y, recipe, columns, codec, self, **rows)
            if ranks is not None:
                ranks.check(data, recipe)
            shapes = data.shapes(recipe.image_size)
            make_module, make_loss = self._makers(shapes)
            with seeded(recipe.fit_seed):
                module = make_module(shapes, recipe) if module is None else module
                loss = make_loss(shapes, recipe)
                fitted = train(module, loss, data, recipe, self._make_train_set, ranks)
        # Only now: a fit that fails leaves what the last one learnt.
        self._recipe = recipe
        self.net_, self.history_, branch_weights = fitted
        self._learnt(columns, codec, branch_weights)
        self.module_, self.precision_ = self.net_.module_, self.net_.precision
        return self

    def _makers(self, shapes):
        """Return what makes the network and the loss for data of these shapes."""
        return self.make_module, self.make_loss

    def _module(self, recipe):
        """Return a copy of the trained network, to be trained on with other parts frozen."""
        # Trained in place, a fit that fails would leave a network half way.
        module = copy.deepcopy(self.module_)
        module.freeze(recipe.freeze)
        return module

    # For files of models: see `sklearn_skin.persistence`.

    def _take_apart(self):
        return take_apart(self, _recipe=recipe_as_data(self._recipe))

    def _put_together(self, tensors):
        put_together(self, tensors)


inherit_common_parameters(BaseNetwork)

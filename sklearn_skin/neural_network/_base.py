"""Columns in, labels out: what all network classifiers share."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from sklearn_skin.image import ImageDtype, PixelCache
from sklearn_skin.modules.losses import BranchLoss
from sklearn_skin.neural_network._batches import LesionDataset
from sklearn_skin.neural_network._columns import (
    DataShapes,
    LesionTable,
    find_image_columns,
    group_positions,
    read_table,
)
from sklearn_skin.neural_network._parameters import COMMON_CONSTRAINTS, complete_class
from sklearn_skin.neural_network._run import combine_branches, run_prediction, run_training
from sklearn_skin.neural_network._search_ranges import network_ranges
from sklearn_skin.neural_network._splits import FitData, hold_out, needs_validation
from sklearn_skin.utils import LabelCodec


class BaseLesionClassifier(ClassifierMixin, BaseEstimator):
    """Base of the network classifiers.

    A subclass adds its own parameters in ``__init__(self, *, own=…, **common)`` and makes
    its network in `_make_module`; it may make its own loss in `_make_loss`.

    Parameters
    ----------
    %(common)s

    Attributes
    ----------
    %(fitted)s

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn_skin.modules.metadata import MetadataNet
    >>> from sklearn_skin.neural_network import BaseLesionClassifier
    >>> class WideMetadataClassifier(BaseLesionClassifier):
    ...     def _make_module(self, shapes, p):
    ...         return MetadataNet(shapes.n_metadata, shapes.n_classes, hidden=(512,))
    >>> X, y = make_classification(random_state=0)
    >>> net = WideMetadataClassifier(max_epochs=5, random_state=0).fit(X, y)
    >>> net.predict_proba(X).shape
    (100, 2)
    """

    _parameter_constraints = COMMON_CONSTRAINTS
    _uses_images = True
    _uses_metadata = True

    def __init__(
        self,
        *,
        image_columns="auto",
        group_column=None,
        backbone="resnet18",
        weights="imagenet",
        freeze=None,
        image_size=224,
        augment=None,
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
        swa_epochs=0,
        ema_decay=None,
        tta=1,
        branch_weights="mean",
        allow_missing_images=False,
        modality_dropout=0.0,
        precision="fp32",
        device="auto",
        num_workers=0,
        cache_dir="auto",
        checkpoint_dir=None,
        callbacks=None,
        net_params=None,
        classes=None,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.image_columns = image_columns
        self.group_column = group_column
        self.backbone = backbone
        self.weights = weights
        self.freeze = freeze
        self.image_size = image_size
        self.augment = augment
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
        self.swa_epochs = swa_epochs
        self.ema_decay = ema_decay
        self.tta = tta
        self.branch_weights = branch_weights
        self.allow_missing_images = allow_missing_images
        self.modality_dropout = modality_dropout
        self.precision = precision
        self.device = device
        self.num_workers = num_workers
        self.cache_dir = cache_dir
        self.checkpoint_dir = checkpoint_dir
        self.callbacks = callbacks
        self.net_params = net_params
        self.classes = classes
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def __init_subclass__(cls, **kwargs):
        """Complete the signature and the documentation of a subclass."""
        complete_class(cls, BaseLesionClassifier.__init__)
        super().__init_subclass__(**kwargs)

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
            Weight of each row in the loss.
        groups : array-like of shape (n,), default=None
            Patients or lesions, kept whole by the inner validation split.
        X_val, y_val : default=None
            Validation rows to use instead of an inner split.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ImageDecodeError
            If an image cannot be read.
        NonFiniteLossError
            If the loss becomes NaN or infinite.
        """
        warm = self.warm_start and hasattr(self, "module_")
        table = self._read(X, reset=True)
        codec = self._codec if warm else LabelCodec(self.classes).fit(y)
        return self._fit(
            self._settings(), table, codec, y, sample_weight, groups, X_val, y_val, warm
        )

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
            The estimator, trained further.

        Raises
        ------
        ValueError
            If `y` has a class that was not there in fit.
        """
        check_is_fitted(self)
        settings = self._settings(
            freeze=freeze, lr=self.lr / 10 if lr is None else lr, checkpoint_dir=None
        )
        settings.max_epochs = max_epochs or self.max_epochs
        table = self._read(X, reset=False)
        return self._fit(settings, table, self._codec, y, sample_weight, groups, X_val, y_val, True)

    def predict(self, X):
        """Return the most probable labels.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Rows with the columns seen in fit.

        Returns
        -------
        y : ndarray of shape (n,) or (n, T)
            Labels.
        """
        proba = self._predict_tasks(X)
        return self._codec.decode(np.stack([p.argmax(axis=1) for p in proba], axis=1))

    def predict_proba(self, X):
        """Return probabilities of the classes, in the order of `classes_`.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Rows with the columns seen in fit.

        Returns
        -------
        proba : ndarray of shape (n, C), or list of T arrays of shape (n, C_t)
            Rows sum to 1.
        """
        proba = self._predict_tasks(X)
        return proba if self._codec.multi_task else proba[0]

    def predict_branches(self, X):
        """Return the probabilities of every branch.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Rows with the columns seen in fit.

        Returns
        -------
        branches : dict of str to ndarray (n, C), or to list of T arrays (n, C_t)
            The final branch is the last one.
        """
        branches = self._predict_branches(X)
        if self._codec.multi_task:
            return branches
        return {name: tasks[0] for name, tasks in branches.items()}

    def score(self, X, y, sample_weight=None):
        """Return the accuracy, with several tasks its mean over the tasks.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Rows with the columns seen in fit.
        y : array-like of shape (n,) or (n, T)
            True labels.
        sample_weight : array-like of shape (n,), default=None
            Weight of each row.

        Returns
        -------
        score : float
            In [0, 1].
        """
        from sklearn_skin.metrics import mean_task_accuracy

        return mean_task_accuracy(y, self.predict(X), sample_weight=sample_weight)

    def search_ranges(self):
        """Return what a search may try for the parameters of this network.

        Returns
        -------
        ranges : dict of str to Range or Choice
            By parameter, valid for the network as it is set.
        """
        return network_ranges(self)

    def __sklearn_tags__(self):
        """Return scikit-learn's tags."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.non_deterministic = self.random_state is None
        return tags

    def _uses_groups(self):
        """Whether `fit` would split rows by the groups it is given."""
        return needs_validation(self)

    def _order_images(self, images):
        """Return the image columns in the order that the network takes them."""
        return images

    def _settings(self, **changes):
        settings = SimpleNamespace(**(self.get_params(deep=False) | changes))
        size = settings.image_size
        settings.image_size = (size, size) if np.isscalar(size) else tuple(size)
        if settings.warm_start and settings.checkpoint_dir is not None:
            raise ValueError(
                "`warm_start` and `checkpoint_dir` both say where training goes on from; use one."
            )
        if settings.sampler == "balanced" and settings.class_weight is not None:
            raise ValueError(
                "`sampler` and `class_weight` both correct the class imbalance; set one to None."
            )
        return settings

    def _read(self, X, reset):
        """Return X as a `LesionTable`; `reset` learns the columns."""
        if not (isinstance(X, pd.DataFrame) or self._finds_images_itself()):
            raise TypeError(
                f"X must be a DataFrame with the columns {self.image_columns!r} of "
                f"`image_columns`; got {type(X).__name__}."
            )
        by_name = isinstance(X, pd.DataFrame) and (
            bool(find_image_columns(X, self.image_columns)) or self.group_column in X.columns
        )
        if not reset:
            by_name = self._by_name
            if by_name and not isinstance(X, pd.DataFrame):
                raise TypeError(f"X must be a DataFrame, as in fit; got {type(X).__name__}.")
        self._by_name = by_name
        if by_name:
            return self._read_by_name(X, reset)
        labels = X.index.to_numpy() if isinstance(X, pd.DataFrame) else None
        matrix = validate_data(self, X, reset=reset, dtype=np.float64).astype(np.float32)
        if reset:
            self.image_columns_ = []
            names = getattr(self, "feature_names_in_", range(matrix.shape[1]))
            self._metadata_columns = list(names)
        labels = np.arange(len(matrix)) if labels is None else labels
        return LesionTable({}, matrix, labels, None, self._metadata_columns)

    def _finds_images_itself(self):
        return isinstance(self.image_columns, str) and self.image_columns == "auto"

    def _read_by_name(self, X, reset):
        if len(X) == 0:
            raise ValueError(
                f"Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 is required."
            )
        if reset:
            images = self._order_images(find_image_columns(X, self.image_columns))
            others = [
                name
                for name, dtype in X.dtypes.items()
                if name not in images
                and name != self.group_column
                and not isinstance(dtype, ImageDtype)
            ]
            self.image_columns_ = images if self._uses_images else []
            self._metadata_columns = others if self._uses_metadata or not images else []
            names = [*self.image_columns_, *self._metadata_columns]
            if not names:
                raise ValueError(f"{type(self).__name__} finds no column to learn from in X.")
            self.feature_names_in_ = np.array([c for c in X.columns if c in names], dtype=object)
            self.n_features_in_ = len(names)
        return read_table(X, self.image_columns_, self._metadata_columns, self.group_column)

    def _fit(self, settings, table, codec, y, sample_weight, groups, X_val, y_val, warm):
        codes = codec.transform(y)
        check_consistent_length(table.labels, codes, groups)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, table.labels, dtype=np.float32, ensure_non_negative=True
            )
        rng = check_random_state(settings.random_state)
        data = FitData(table, codes, sample_weight)
        if (X_val is None) != (y_val is None):
            raise ValueError("`X_val` and `y_val` must be given together.")
        if X_val is not None:
            data = replace(
                data,
                valid_table=self._read(X_val, reset=False),
                valid_codes=codec.transform(y_val, "y_val"),
                valid_y=y_val,
            )
        data = hold_out(data, y, groups, settings, rng)
        self._codec = codec
        self.classes_ = codec.public_classes()
        self._shapes = DataShapes(
            self.image_columns_,
            list(map(str, table.names)),
            group_positions(table.metadata, table.names),
            [len(classes) for classes in codec.classes_],
            settings.image_size,
        )
        return run_training(self, settings, data, rng, warm)

    def _dataset(self, table, p, codes=None, weight=None):
        return LesionDataset(
            table,
            p.image_size,
            cache=PixelCache(p.cache_dir),
            codes=codes,
            sample_weight=weight,
            missing_ok=p.allow_missing_images,
        )

    def _predict_branches(self, X):
        check_is_fitted(self)
        settings = self._settings()
        settings.image_size = self._shapes.image_size
        dataset = self._dataset(self._read(X, reset=False), settings)
        return run_prediction(self, dataset, settings)

    def _predict_tasks(self, X):
        branches = self._predict_branches(X)
        return combine_branches(branches, self.branch_weights_)

    def _make_loss(self, shapes, options):
        """Return the criterion; `options` are class weights and the focusing exponent."""
        return BranchLoss(**options)

    def _make_module(self, shapes, p):
        """Return the network for data of these shapes and settings."""
        raise NotImplementedError(f"{type(self).__name__} must implement _make_module.")


complete_class(BaseLesionClassifier, BaseLesionClassifier.__init__)

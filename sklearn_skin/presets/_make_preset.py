"""A published system as an unfitted pipeline."""

import inspect
import re

from imblearn.pipeline import Pipeline
from sklearn import config_context

from sklearn_skin.preprocessing import make_lesion_transformer
from sklearn_skin.presets._recipes import PRESETS
from sklearn_skin.sampling import ClassBalancedSampler
from sklearn_skin.utils import did_you_mean, request_weights


def make_preset(name, **overrides):
    """Make a published system: preparation, resampling and network, with its settings.

    The steps of the pipeline are ``prep`` (`make_lesion_transformer`), perhaps ``sample``
    (`ClassBalancedSampler`) and ``net``, or ``model`` where a meta-estimator holds the network.

    Parameters
    ----------
    name : str
        A key of `PRESETS`, such as "jif-mmfa", or the system, such as "S3".
    **overrides
        Parameters to set otherwise, in every part that has them: the transformer
        (``image_steps=…``), the sampler, the network (``backbone="resnet18"``) and the
        meta-estimator (``second_stage="svm"``). So ``group_column="patient"`` is known to all, and
        ``random_state=0`` seeds all. Names with ``__`` are those of the pipeline, such as
        ``prep__numeric=…``.

    Returns
    -------
    pipeline : imblearn.pipeline.Pipeline
        Unfitted. With scikit-learn's metadata routing, its network takes `sample_weight` and
        `groups`, and nothing before it does; see Notes for presets that resample.

    Raises
    ------
    TypeError
        If the name is no text.
    ValueError
        If the name or a parameter is unknown.

    Notes
    -----
    The step ``sample`` changes the rows, and a Pipeline hands weights and groups on as they were,
    for other rows. So a network behind it requests neither, and `fit` with routing refuses
    them. Without routing ``net__sample_weight`` and ``net__groups`` must not be given: if
    sampling happens to keep the number of rows, as ``n_per_class="auto"`` does, nothing can tell
    that they belong to others. Name a `group_column`: columns go with their rows.

    Examples
    --------
    >>> from sklearn_skin.presets import make_preset
    >>> model = make_preset("jif-mmfa", backbone="mobilenetv2_100", group_column="patient")
    >>> model["net"].fusion, model["net"].lr, model["net"].group_column
    ('mmfa', 0.005, 'patient')
    """
    preset = PRESETS[_find_name(name)]
    # Nested names are set last: they may name a step's part that is made here.
    nested = {key: overrides.pop(key) for key in list(overrides) if "__" in key}
    known = set()

    def make(maker, parameters, *inner):
        names = list(inspect.signature(maker).parameters)[len(inner) :]
        known.update(names)
        own = {key: value for key, value in overrides.items() if key in names}
        return maker(*inner, **parameters | own)

    steps = [("prep", make(make_lesion_transformer, preset.transformer))]
    if preset.sampler is not None:
        steps.append(("sample", make(ClassBalancedSampler, preset.sampler)))
    net = make(preset.classifier, preset.parameters)
    net = request_weights(net) if preset.sampler is None else _request_no_row_metadata(net)
    if preset.wrapper is None:
        steps.append(("net", net))
    else:
        steps.append(("model", request_weights(make(preset.wrapper, {}, net))))
    for key in overrides:
        if key not in known:
            hint = did_you_mean(key, known)
            raise ValueError(f"no part of {name!r} has a parameter {key!r}{hint}")
    return _set_nested(Pipeline(steps), nested, name)


def _set_nested(model, nested, name):
    try:
        return model.set_params(**nested)
    except ValueError as error:
        # scikit-learn prints the whole Pipeline; errors of the parts' own are better.
        known = model.get_params()
        unknown = [key for key in nested if key not in known]
        if not (unknown and str(error).startswith("Invalid parameter")):
            raise
    key = unknown[0]
    hint = did_you_mean(key, known)
    raise ValueError(f"no part of {name!r} has a parameter {key!r}{hint}")


def _request_no_row_metadata(net):
    """Say that `fit` is given no weights and groups: a sampler before it has changed the rows."""
    with config_context(enable_metadata_routing=True):
        return net.set_fit_request(sample_weight=False, groups=False)


def _find_name(name):
    """Return the key of a preset; also for its system's key, and written otherwise."""
    if not isinstance(name, str):
        raise TypeError(f"`name` must be a name, one of {sorted(PRESETS)}; got {name!r}.")
    keys = {key: key for key in PRESETS} | {preset.system: key for key, preset in PRESETS.items()}
    spelt = {_letters(key): found for key, found in keys.items()}
    if _letters(name) in spelt:
        return spelt[_letters(name)]
    hint = did_you_mean(name, keys)
    raise ValueError(f"`name` must be one of {sorted(PRESETS)}; got {name!r}{hint}")


def _letters(text):
    return re.sub(r"[^a-z0-9]", "", text.lower())

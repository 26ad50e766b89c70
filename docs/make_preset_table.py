"""The table of presets in the user guide, from `sklearn_skin.presets.PRESETS`."""

from pathlib import Path

from sklearn_skin.presets import PRESETS, make_preset

TARGET = Path(__file__).parent / "user_guide" / "preset_table.rst"
INTRODUCTION = """\
Values that a source does not state are this package's. They are named in the table and marked in
the recipes below it; every other value stands in the source.
"""
HEADER = ["system", "preset", "estimator", "what deviates, or the source leaves open"]


def call(name, parameters, unstated=None):
    """Return a call, written with a parameter per line, and marks where the source is silent."""
    marks = {key: f"  # not stated: {what}" for key, what in (unstated or {}).items()}
    lines = [f"    {key}={value!r},{marks.get(key, '')}" for key, value in parameters.items()]
    return [f"{name}(", *lines, ")"] if lines else [f"{name}()"]


def recipe(name, preset):
    """Return the steps of a preset's pipeline as lines of code."""
    settings = make_preset(name).get_params()
    # Nested names are those of other steps' parts, which their calls do not take.
    nested = {key: what for key, what in preset.unstated.items() if "__" in key}
    own = {key: what for key, what in preset.unstated.items() if key not in nested}
    lines = call("make_lesion_transformer", preset.transformer)
    lines += [f"# {key}={settings[key]!r}  # not stated: {what}" for key, what in nested.items()]
    if preset.sampler is not None:
        lines += call("ClassBalancedSampler", preset.sampler)
    step = "net" if preset.wrapper is None else "model__first_stage"
    defaults = {key: settings[f"{step}__{key}"] for key in own}
    lines += call(preset.classifier.__name__, preset.parameters | defaults, own)
    return (
        lines if preset.wrapper is None else [*lines, f"{preset.wrapper.__name__}(first_stage=...)"]
    )


def open_points(preset):
    """Return one sentence about what the source does not state, or none."""
    names = {}
    for key, what in preset.unstated.items():
        names.setdefault(what, []).append(f"``{key}``")
    parts = [f"{what} of {', '.join(keys)}" for what, keys in names.items()]
    return [f"not stated: {'; '.join(parts)}"] if parts else []


def make_page():
    """Return the table, and the recipes below it."""
    lines = [INTRODUCTION, ".. list-table::", "   :header-rows: 1", "   :widths: 8 18 28 46", ""]
    lines += [f"   {'  -' if i else '* -'} {cell}" for i, cell in enumerate(HEADER)]
    for name, preset in PRESETS.items():
        estimator = f":class:`~sklearn_skin.neural_network.{preset.classifier.__name__}`"
        cells = [preset.system, f'"{name}"', estimator]
        lines += [f"   {'  -' if i else '* -'} {cell}" for i, cell in enumerate(cells)]
        texts = [*open_points(preset), *preset.deviations]
        lines += [f"     {'  ' if i else '- '}- {text}" for i, text in enumerate(texts)]
    for name, preset in PRESETS.items():
        lines += ["", f'.. rubric:: {preset.system}: "{name}"', "", ".. code-block:: python", ""]
        lines += [f"    {line}" for line in recipe(name, preset)]
    return "\n".join(lines) + "\n"

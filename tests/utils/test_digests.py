"""Digests tell apart what differs, and nothing else."""

import numpy as np
import pytest
import torch

from sklearn_skin.utils import array_digest, weights_digest


def test_type_shape_and_values_of_an_array_count_and_its_strides_do_not():
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    others = [pixels[::-1], pixels.reshape(4, 2, 3), pixels.astype(np.int8), pixels[:0]]
    assert len({array_digest(array) for array in [pixels, *others]}) == 5
    assert array_digest(np.asfortranarray(pixels)) == array_digest(pixels)
    with pytest.raises(TypeError, match="`array` must hold numbers or booleans; got object"):
        array_digest(np.array([None]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_parameter_and_buffer_of_a_module_counts(dtype):
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2)).to(dtype)
    digests = {weights_digest(module)}
    for value in module.state_dict().values():
        value += 1
        digests.add(weights_digest(module))
    assert len(digests) == 1 + len(module.state_dict()) == 8


def test_names_of_parameters_count():
    first = torch.nn.ModuleDict({"a": torch.nn.Linear(2, 1)})
    second = torch.nn.ModuleDict({"b": first["a"]})
    assert weights_digest(first) != weights_digest(second)
    assert weights_digest(torch.nn.ModuleDict({"a": second["b"]})) == weights_digest(first)

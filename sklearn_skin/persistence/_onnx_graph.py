"""A network as an ONNX graph, from uint8 pixels and metadata to logits."""

import warnings

import torch
from torch import nn

from sklearn_skin.utils import optional_import

_OPSET = 18
# Protocol Buffers hold no more in one file.
_MOST_BYTES = 2**31 - 2**20


class FromPixels(nn.Module):
    """A `LesionNetwork` whose images are pixels (n, k, h, w, 3), and whose logits are a tuple."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, images=None, metadata=None, present=None):
        """Return the logits, branch by branch and in each task by task."""
        columns = ()
        if images is not None:
            columns = (images.permute(0, 1, 4, 2, 3).float() / 255.0).unbind(1)
        found = self.module(list(columns), metadata, present)
        return tuple(logits for branch in self.module.branches for logits in found[branch])


def example_inputs(fit):
    """Return two rows as a network takes them; what they hold does not matter.

    Parameters
    ----------
    fit : dict
        What `describe_fit` of the network's classifier returned.

    Returns
    -------
    inputs : dict of str to Tensor
        Arguments of `FromPixels`.
    """
    n_images, n_metadata = (len(fit["columns"][kind]) for kind in ("images", "metadata"))
    inputs = {}
    if n_images:
        size = fit["rows"]["size"]
        inputs["images"] = torch.zeros(2, n_images, *size, 3, dtype=torch.uint8)
    if n_metadata:
        inputs["metadata"] = torch.zeros(2, n_metadata)
    # Without a stand-in for missing images they are an error before the network is asked.
    if n_images and fit["rows"]["missing_ok"]:
        inputs["present"] = torch.ones(2, n_images, dtype=torch.bool)
    return inputs


def make_graph(module, inputs, outputs):
    """Return the ONNX graph of a network, for any number of rows.

    Parameters
    ----------
    module : LesionNetwork
        On the CPU, in single precision.
    inputs : dict of str to Tensor
        Two rows.
    outputs : list of str
        Names of the logits.

    Returns
    -------
    graph : bytes

    Raises
    ------
    ValueError
        If the weights are too large for one file, or the network takes only so many rows.
    """
    optional_import("onnxscript", "export")
    n_bytes = sum(p.numel() * p.element_size() for p in module.parameters())
    if n_bytes > _MOST_BYTES:
        raise ValueError(f"the network has {n_bytes / 1e9:.1f} GB of weights; a graph holds 2.1.")
    rows = torch.export.Dim("rows")
    with warnings.catch_warnings():
        # They are of the exporter's own parts.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            FromPixels(module).eval(),
            kwargs=inputs,
            input_names=list(inputs),
            output_names=outputs,
            dynamic_shapes={name: {0: rows} for name in inputs},
            opset_version=_OPSET,
            dynamo=True,
            verbose=False,
        )
    graph = program.model_proto.graph
    if not all(value.type.tensor_type.shape.dim[0].dim_param for value in graph.input):
        raise ValueError(
            f"{type(module).__name__} can only be exported for one number of rows: a layer takes "
            "it for a Python number, as len() and chunk() do; use shape[0] and unflatten()."
        )
    return program.model_proto.SerializeToString()

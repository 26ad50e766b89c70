"""Weight matrices as int8: smaller, and faster where a network consists of matrix products."""

import tempfile
from pathlib import Path

import torch
from torch import nn

from sklearn_skin.persistence._onnx_graph import FromPixels
from sklearn_skin.utils import optional_import


def count_products(module, inputs):
    """Return how many multiplications of a row are in dense layers, and in convolutions.

    Parameters
    ----------
    module : LesionNetwork
        On the CPU.
    inputs : dict of str to Tensor
        Two rows, as `FromPixels` takes them.
    """
    counts = {True: 0, False: 0}

    def count(layer, _, output):
        # One product per weight and position; the first axis of the weights is the output's.
        counts[isinstance(layer, nn.Linear)] += (
            layer.weight.numel() * output.numel() // len(layer.weight)
        )

    layers = [layer for layer in module.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    handles = [layer.register_forward_hook(count) for layer in layers]
    try:
        with torch.inference_mode():
            FromPixels(module).eval()(**inputs)
    finally:
        for handle in handles:
            handle.remove()
    return counts[True] // 2, counts[False] // 2


def quantize_graph(graph):
    """Return a graph whose weight matrices are int8; activations become it on the way."""
    onnx = optional_import("onnx", "export")
    quantization = optional_import("onnxruntime.quantization", "export")
    proto = onnx.load_from_string(graph)
    # Shapes of values in between that the exporter notes contradict those of the new graph.
    del proto.graph.value_info[:]
    # Otherwise it advises to fold constants, which the exporter has done.
    proto.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "int8.onnx")
        quantization.quantize_dynamic(proto, path, ["MatMul", "Gemm"], per_channel=True)
        return path.read_bytes()

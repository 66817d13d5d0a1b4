"""Tiny networks whose answer is known, and the values of parameters that have no default."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bidsqsm.method import Method


def save(path: Path, nodes, weights=(), *, inputs=('field',), size=None, **described) -> Path:
    """Write a network of some nodes, of one output called chi, and its description beside it."""
    from onnx import TensorProto, checker, helper, numpy_helper, save_model

    shape = size or [1, 1, None, None, None]
    tensors = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in inputs]
    made = [helper.make_tensor_value_info('chi', TensorProto.FLOAT, [None] * len(shape))]
    constants = [numpy_helper.from_array(np.float32(v), n) for n, v in dict(weights).items()]
    graph = helper.make_graph(nodes, 'tiny', tensors, made, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_model(model, path)
    path.with_suffix('.json').write_text(json.dumps(described))
    return path


def scaling(path: Path, factor: float = 1.0, **options) -> Path:
    """A network that multiplies the field by a number."""
    from onnx import helper

    nodes = [helper.make_node('Mul', ['field', 'factor'], ['chi'])]
    return save(path, nodes, {'factor': factor}, **options)


def filtering(path: Path, kernel, pads: int = 1, **options) -> Path:
    """A network that filters the field with a small kernel, zeros beyond the faces."""
    from onnx import helper

    shape = list(kernel.shape)
    nodes = [
        helper.make_node('Conv', ['field', 'w'], ['chi'], kernel_shape=shape, pads=[pads] * 6)
    ]
    return save(path, nodes, {'w': kernel[None, None]}, **options)


@functools.cache
def _room() -> TemporaryDirectory:
    return TemporaryDirectory()  # removed when Python ends


@functools.cache
def tiny() -> Path:
    """A network that gives back three times the field."""
    return scaling(Path(_room().name) / 'tiny.onnx', 3.0)


#: What the methods that need something are given in the tests that run for all of them.
NEEDED = {'onnx': lambda: {'model': tiny()}}


def needed(method: Method) -> dict:
    """The parameters of a method that have no default."""
    return NEEDED[method.name]() if method.name in NEEDED else {}


def choice_of(method: Method) -> str:
    """A method as the command line takes it, with no more than it needs."""
    pairs = ','.join(f'{key}={value}' for key, value in needed(method).items())
    return f'{method.name}:{pairs}' if pairs else method.name

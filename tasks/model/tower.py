"""The network that embeds a map. Plain Keras layers only, so that a release loads in safe mode."""

from __future__ import annotations

import hashlib
import inspect
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tasks.config.model import TowerConfig, parse_widths
from tasks.core.errors import BadSetting
from tasks.core.own_code import load_own

SCALING_SAMPLE = 4096  # maps from which the scaling is learnt
ROOT_OFFSET = 1e-6  # under the root, whose slope at zero is infinite


def reset_number_format() -> None:
    """Keras's and JAX's own defaults, whatever keras.json, JAX_ENABLE_X64 or the program around says.

    No digest knows of these settings.
    """
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    if keras.backend.backend() == "jax":
        import jax

        jax.config.update("jax_enable_x64", False)


def layer_seeds(seed: int) -> Iterator[int]:
    """The seeds that Keras draws for layers after `set_random_seed(seed)`, from a generator that nobody shares.

    Keras draws from Python's `random`, and so do Prefect's threads: a draw of theirs between two layers would give
    the tower other weights than the seed decides.
    """
    generator = random.Random(seed)  # noqa: S311  # no secret is drawn
    while True:
        yield generator.randint(1, 10**9)


def build_tower(
    settings: TowerConfig, size: tuple[int, int], maps: np.ndarray | None = None, noise: float = 0.0, seed: int = 0
) -> keras.Model:
    """An untrained tower from raw maps (batch, rows·cols) to embeddings (batch, dimensions), float32.

    `settings` must be resolved; size: rows and columns of a map; maps: (n, rows·cols) training records,
    from which the scaling is learnt, and which is then part of the tower; noise: deviation of the noise
    on scaled maps in training; seed: decides weights, noise and dropout. A tower of your own seeds
    its layers itself. Raises BadSetting for a tower of your own that cannot be imported.
    """
    reset_number_format()
    keras.utils.set_random_seed(seed)  # for layers of your own that have no seed
    seeds = layer_seeds(seed)
    inputs = keras.Input((size[0] * size[1],), name="map")
    values = _scaled(inputs, settings.scaling, maps)
    if noise:
        values = layers.GaussianNoise(noise, seed=next(seeds))(values)
    values = _body(settings.kind, seeds)(values, size, parse_widths(settings.widths), settings.dropout)
    if settings.normalise:
        values = layers.UnitNormalization(name="length")(values)
    return keras.Model(inputs, values, name="tower")


def _scaled(values: Any, kind: str, maps: np.ndarray | None) -> Any:
    """The maps scaled as `fit_scaling` learns it, by layers that are saved with the tower."""
    if kind == "none" or maps is None or not len(maps):
        return values
    scaling = fit_scaling(maps, kind)
    if scaling.top is not None:
        positive = layers.ReLU(name="positive")(values)
        values = ops.sqrt(layers.Rescaling(1 / scaling.top, offset=ROOT_OFFSET, name="share_of_top")(positive))
    return layers.Rescaling(1 / scaling.spread, offset=-scaling.centre / scaling.spread, name="unit_deviation")(values)


def mlp(values: Any, size: tuple[int, int], widths: list[int], dropout: float, seeds: Iterator[int]) -> Any:
    """Dense layers on the flat map: the notebook's tower."""
    for width in widths[:-1]:
        values = layers.Dense(width, activation="relu", kernel_initializer=_kernel(seeds))(values)
    return _embedding(values, widths[-1], dropout, seeds)


def conv(values: Any, size: tuple[int, int], widths: list[int], dropout: float, seeds: Iterator[int]) -> Any:
    """Convolutions, then one dense layer that still knows where a thing lies.

    The first has 5 × 5 cells and a stride of 2, so that the layers behind it work on a quarter of the cells; each
    later one is followed by pooling.
    """
    values = layers.Reshape((*size, 1))(values)
    first, *rest = widths[:-1]
    options = {"padding": "same", "activation": "relu"}
    values = layers.Conv2D(first, 5, strides=2, kernel_initializer=_kernel(seeds), **options)(values)
    for width in rest:
        values = layers.Conv2D(width, 3, kernel_initializer=_kernel(seeds), **options)(values)
        values = layers.MaxPooling2D(2, padding="same")(values)
    return _embedding(layers.Flatten()(values), widths[-1], dropout, seeds)


def _embedding(values: Any, width: int, dropout: float, seeds: Iterator[int]) -> Any:
    dense = layers.Dense(width, name="embedding", kernel_initializer=_kernel(seeds))
    return dense(layers.Dropout(dropout, seed=next(seeds))(values) if dropout else values)


def _kernel(seeds: Iterator[int]) -> keras.Initializer:
    return keras.initializers.GlorotUniform(seed=next(seeds))


def _body(kind: str, seeds: Iterator[int]) -> Callable[..., Any]:
    """`mlp`, `conv`, or the function at `module:function`: called with values, size, widths and dropout.

    It gets `seeds` as well where it has a parameter of that name.
    """
    if kind in ("mlp", "conv"):
        return partial({"mlp": mlp, "conv": conv}[kind], seeds=seeds)
    function = load_own(kind)
    if not callable(function):
        raise BadSetting(f"tower.kind: expected module:function, received {kind!r}")
    return partial(function, seeds=seeds) if "seeds" in inspect.signature(function).parameters else function


def weights_digest(tower: keras.Model) -> str:
    """SHA-256 (hex) of a tower's weights: shapes, types and bytes, in order."""
    digest = hashlib.sha256()
    for weight in tower.get_weights():
        digest.update(f"{weight.shape}{weight.dtype}".encode())
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Scaling:
    """x → (√(max(x, 0)/top + 10⁻⁶) − centre) / spread, without the root where top is None.

    `sparse` says that maps are empty but for a few cells: zero then means "nothing here".
    """

    top: float | None
    centre: float
    spread: float
    sparse: bool


def fit_scaling(maps: np.ndarray, kind: str) -> Scaling:
    """The scaling of maps (n, values): `standard`, `root`, or `auto`: a root where no value is negative.

    The root spreads the many small values and calms the few large ones. Maps get deviation 1 and are
    centred, but for sparse ones (mean below deviation), whose zero must stay one: a convolution reads
    zeros beyond the edge, too.
    """
    sample = np.asarray(maps[:: max(1, -(-len(maps) // SCALING_SAMPLE))], np.float64)
    rooted = kind == "root" or (kind == "auto" and sample.min() >= 0)
    top = (float(np.quantile(sample, 0.99)) or 1.0) if rooted else None
    if top is not None:
        sample = np.sqrt(np.maximum(sample, 0) / top + ROOT_OFFSET)
    mean, spread = float(sample.mean()), float(sample.std())
    sparse = rooted and mean < spread
    return Scaling(top, 0.0 if sparse else mean, spread or 1.0, sparse)

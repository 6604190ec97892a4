"""Training on several devices at once: each gets a share of every batch, and the same weights.

keras.distribution knows how on JAX; a block of batches (batches, B, …) is split along B, not along its first axis.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from tasks.core.errors import BadSetting
from tasks.model.device_maps import MAX_BLOCK_BYTES, MAX_RESIDENT_BYTES


class AlongBatches(keras.distribution.DataParallel):
    """Data parallelism for blocks of batches; arrays with fewer than two axes are on every device."""

    def get_data_layout(self, data_shape: tuple[int, ...]) -> keras.distribution.TensorLayout:
        """The second axis is split where the devices divide it."""
        axes: list[str | None] = [None] * len(data_shape)
        if len(axes) > 1 and data_shape[1] % self.device_mesh.devices.size == 0:
            axes[1] = self.batch_dim_name
        return keras.distribution.TensorLayout(axes, self.device_mesh)


def resident_map_bytes() -> int:
    """How many bytes of maps lie in the model all at once, so that a step waits for none.

    A processor reads the maps of a block from the disk's cache as fast; a copy of all of them would only take memory.
    """
    on_processor = all(name.startswith("cpu") for name in keras.distribution.list_devices())
    return MAX_BLOCK_BYTES if on_processor else MAX_RESIDENT_BYTES


@contextmanager
def distribute_over(count: int) -> Iterator[None]:
    """What is built and trained within is spread over `count` devices, 0 for all.

    A batch that the devices do not divide is whole on each. Raises BadSetting for more devices than there are.
    """
    if count == 1:
        yield
        return
    if keras.backend.backend() != "jax":
        raise BadSetting(
            f"fit.devices: expected KERAS_BACKEND=jax for more than one device, found {keras.backend.backend()}"
        )
    devices = keras.distribution.list_devices()
    if count > len(devices):
        raise BadSetting(f"fit.devices: expected at most {len(devices)}, as there are on this machine, found {count}")
    keras.distribution.set_distribution(AlongBatches(devices=devices[: count or None], auto_shard_dataset=False))
    try:
        yield
    finally:
        keras.distribution.set_distribution(None)

"""What a training makes of its device: records a second, share of the matrix peak, and the wait for the host.

    KERAS_BACKEND=jax python -m bench.speed.device                         the default device, a GPU where JAX finds one
    KERAS_BACKEND=jax python -m bench.speed.device --dtype mixed_bfloat16

The same block of batches is walked at two lengths: by how much the longer takes longer is the device's own
time a step, and what is left of the shorter is what the device waits for the host in each call.
"""

from __future__ import annotations

import argparse
from statistics import median

import keras
import numpy as np

from bench.speed.synthetic import bank
from bench.speed.timing import timed
from bench.speed.training import BEST, NOTEBOOK
from tasks.config.run import RunConfig
from tasks.model.batches import EpochBatches
from tasks.train import prepare_training

SHORT, LONG = 32, 160  # batches of a block
STEP = {"notebook": (NOTEBOOK / 119, 96), "best": (BEST, 120)}  # GFLOP and records of a batch


def device() -> str:
    """The backend and what it runs on."""
    if keras.backend.backend() == "jax":
        import jax

        return f"JAX on {jax.devices()[0].device_kind}"
    return f"{keras.backend.backend()} on {keras.distribution.list_devices()[0]}"


def peak(size: int, dtype: str) -> float:
    """GFLOP/s of a product of two matrices of that size, the best of five."""
    one = keras.ops.cast(keras.random.normal((size, size), seed=0), dtype)
    took = timed(lambda: keras.ops.convert_to_numpy(keras.ops.matmul(one, one)[0, 0]), 5)
    return 2 * size**3 / min(took) / 1e9


def walked(preset: str, rounds: int) -> dict[str, float]:
    """Milliseconds of a step, records a second, GFLOP/s, and the share of a block's time that is no device's."""
    model, batches, _ = prepare_training(bank(), RunConfig(preset=preset).resolved())
    drawn = [batches.epoch(number) for number in range(-(-LONG // len(batches)))]
    rows, weights = (np.concatenate([getattr(one, name) for one in drawn]) for name in ("rows", "weights"))
    took = {}
    for count in (SHORT, LONG):
        block = EpochBatches(rows[:count], weights[:count])
        took[count] = median(timed(lambda block=block: model.run_epoch(block, training=True), rounds))
    step = (took[LONG] - took[SHORT]) / (LONG - SHORT)
    flops, records = STEP[preset]
    told = {"step": 1000 * step, "records": records * LONG / took[LONG], "gflops": flops / step}
    return told | {"wait": 1 - LONG * step / took[LONG]}


def main() -> None:
    """Walk the presets, and print a table."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--dtype", default="float32", help="such as mixed_bfloat16")
    words.add_argument("--presets", nargs="+", choices=STEP, default=list(STEP))
    words.add_argument("--rounds", type=int, default=7)
    words.add_argument("--size", type=int, default=4096, help="of the matrices that the peak is measured with")
    asked = words.parse_args()
    keras.config.set_dtype_policy(asked.dtype)
    top = peak(asked.size, asked.dtype.removeprefix("mixed_"))
    print(f"{device()}, {asked.dtype}: matrix product {top:,.0f} GFLOP/s\n")
    print("| preset | a step | records a second | GFLOP/s | of the peak | waits for the host |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for preset in asked.presets:
        told = walked(preset, asked.rounds)
        cells = f"{told['step']:.2f} ms | {told['records']:,.0f} | {told['gflops']:,.0f} | {told['gflops'] / top:.0%}"
        print(f"| {preset} | {cells} | {told['wait']:.1%} |", flush=True)


if __name__ == "__main__":
    main()

"""Several devices make what one makes: the same losses, batches split along their rows, and clear words otherwise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.inspected_parts import banked, configured, inspected
from support.project import ROOT

from tasks.config.model import TrainingConfig
from tasks.core.errors import BadSetting
from tasks.model.devices import distribute_over
from tasks.train import fit

SPLIT = """
import json, sys
from dataclasses import replace
from pathlib import Path
import jax, keras
sys.path.insert(0, "tests")
from support.inspected_parts import banked, configured, inspected
from tasks.config.model import TrainingConfig, TowerConfig
from tasks.model.devices import AlongBatches
from tasks.train import fit
seen = set()
place = AlongBatches.get_data_layout
def told(self, shape):
    layout = place(self, shape)
    seen.add((len(shape), str(layout.axes)))
    return layout
AlongBatches.get_data_layout = told
bank, found = banked(inspected(modes=3, each=60)), {"devices": len(jax.devices())}
for preset, batch in (("notebook", 32), ("best", 30)):
    given = {"epochs": 2, "batch": batch, "steps": 10, "modes_per_batch": 3, "records_per_mode": 10}
    for devices in (1, 2):
        config = configured(Path(), preset=preset, fit=TrainingConfig(devices=devices, **given))
        if preset == "best":
            config = replace(config, tower=TowerConfig(widths="8-16-16", dropout=0.0))
        _, log, _ = fit(bank, config.resolved())
        found[f"{preset} {devices}"] = [[line.loss, line.val_loss] for line in log]
found["layouts"] = sorted(map(str, seen))
found["after"] = keras.distribution.distribution() is None
print(json.dumps(found))
"""


@pytest.mark.slow
def test_two_devices_train_as_one():
    """Two virtual devices of one processor; the losses agree to 10⁻⁵ of what they begin with."""
    flags = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    words = [sys.executable, "-c", SPLIT]
    done = subprocess.run(words, cwd=ROOT, env=os.environ | flags, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["devices"] == 2
    for preset in ("notebook", "best"):
        np.testing.assert_allclose(found[f"{preset} 2"], found[f"{preset} 1"], atol=1e-5)
    assert any("None, 'batch', None" in one for one in found["layouts"])
    assert found["after"], "the next training is on one device again"


def test_more_devices_than_there_are_are_refused():
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    wanted = "expected at most" if backend == "jax" else "expected KERAS_BACKEND=jax for more than one device"
    config = configured(Path(), fit=TrainingConfig(epochs=1, devices=64)).resolved()
    with pytest.raises(BadSetting, match=rf"fit\.devices: {wanted}"):
        fit(banked(inspected()), config)


def test_one_device_is_left_alone():
    import keras

    with distribute_over(1):
        assert keras.distribution.distribution() is None
    assert configured(Path()).resolved().fit.devices == 1

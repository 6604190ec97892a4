"""The columns of a table of verdicts, by pyarrow alone: the service, which starts no TensorFlow, writes them, too."""

from __future__ import annotations

import pyarrow as pa

PREDICTIONS = ("distance", "score", "verdict", "margin", "beta", "sqrt_ve")  # columns that are fields of Predictions
KINDS = {name: pa.string() if name == "verdict" else pa.float64() for name in PREDICTIONS}
PREDICTIONS_SCHEMA = pa.schema({"row": pa.int64(), "mode": pa.string(), **KINDS})
ORIGIN = {"part": pa.string(), "record": pa.string(), "release": pa.string(), "digest": pa.string()}
TIME = pa.timestamp("s", "UTC")
VERDICTS_SCHEMA = pa.schema([*PREDICTIONS_SCHEMA, *ORIGIN.items(), ("time", TIME)])
DIGEST_DIGITS = 16  # of a release's digest

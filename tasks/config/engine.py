"""Where work is done: the settings of the section `engine`."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.config.fields import ValidatedConfig, require_cluster_address, setting


@dataclass(frozen=True)
class EngineConfig(ValidatedConfig):
    """Where work is done; nothing here changes a model or a metric."""

    dask: str | None = setting(
        None,
        "Workers that read sources and judge parts: a Dask scheduler such as tcp://10.0.0.5:8786, or local:N processes",
    )

    def __post_init__(self) -> None:
        """Raise BadSetting for what is no address, too."""
        super().__post_init__()
        require_cluster_address(self.dask, "engine.dask")

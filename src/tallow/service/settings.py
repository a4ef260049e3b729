"""What a service is told: by options, by the environment, by a file; else these defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

PREFIX = "TALLOW_"


class ServiceSettings(BaseSettings):
    """Settings of `tallow serve`.

    The first of these counts that says a setting: an option of the command line; the environment,
    ``TALLOW_`` and the name in capitals; the file; the default.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, validate_default=True
    )
    config_file: ClassVar[Path | None] = None

    store: Path = Field(Path("candles"), description="Where candles are kept; made if absent.")
    feed: str | None = Field(None, description="Where candles or ticks come from.")
    state: Path | None = Field(None, description="File of the live state, to go on from.")
    timeframes: list[str] = Field(["1m", "5m", "15m", "1h", "1d"], description="Live bars.")
    indicators: str = Field("default", description="Live indicators, as everywhere.")
    calendar: str = Field("XNSE", description="The calendar of the instruments' venue.")
    convention: str = Field("tradingview", description="Whose conventions indicators follow.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8765, ge=0, le=65535, description="Port to listen on; 0 for any free one.")
    log: Literal["text", "json"] = Field("text", description="How lines of the log are written.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where settings come from, the first that counts first."""
        file = TomlConfigSettingsSource(settings_cls, toml_file=cls.config_file)
        return init_settings, env_settings, file


def read_settings(file: Path | None = None, **given: Any) -> ServiceSettings:
    """Return the settings; those of `given` that are None are not given.

    Raises
    ------
    ParameterError
        If a setting is unknown or wrong; the message names it, and where it was said.
    """
    said = {name: value for name, value in given.items() if value is not None}

    class Settings(ServiceSettings):
        config_file = file

    return Settings(**said)

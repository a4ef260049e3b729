"""What a service is told: by options, by the environment, by a file; else these defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "TALLOW_"


def _timeframe(text: str) -> str:
    from tallow.core.timeframe import parse_timeframe

    return parse_timeframe(text).text


def _calendar(name: str) -> str:
    from tallow.core.calendars import load_calendar

    load_calendar(name)
    return name


def _indicators(specs: str) -> str:
    from tallow.plan.plan import make_plan

    make_plan(specs)
    return specs


def _hours(text: str) -> str:
    from tallow.alerts.quiet import QuietHours

    QuietHours.of(text, "UTC")
    return text


def _webhook(url: SecretStr) -> SecretStr:
    from tallow.alerts import WebhookSink

    WebhookSink(url.get_secret_value())
    return url


def _apprise(url: SecretStr) -> SecretStr:
    from tallow.alerts import AppriseSink

    AppriseSink(url.get_secret_value())
    return url


def _zone(name: str) -> str:
    from tallow.alerts.quiet import zone_of

    zone_of(name)
    return name


def _universe(name: str) -> str:
    from tallow.core.errors import ParameterError
    from tallow.data.universe_files import is_file_name

    if is_file_name(name):
        raise ParameterError("must be the name of a universe in the store, not of a file")
    return name


def _plan(path: Path) -> Path:
    from tallow.migrate.rollout.plan import read_plan

    read_plan(path)
    return path


class ServiceSettings(BaseSettings):
    """Settings of `tallow serve`; each says itself where they are listed, and where one is wrong.

    The first of these counts that says a setting: an option of the command line; the environment,
    ``TALLOW_`` and the name in capitals; the file; the default. `read_settings` reads all of them.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    store: str = Field("candles", description="Where candles are kept; made if absent.")
    feed: str | None = Field(None, description="Where candles or ticks come from.")
    speed: float = Field(
        60.0, ge=0, description="Of a replay: how much faster than time; 0 does not wait."
    )
    instruments: list[str] | None = Field(
        None, min_length=1, description="Those that are taken from the feed; by default all."
    )
    timezone: str | None = Field(None, description="Zone of the feed's times without one.")
    subscribe: str | None = Field(
        None, description="Message to send to a WebSocket server after each connect."
    )
    state: Path | None = Field(None, description="File of the live state, to go on from.")
    timeframes: list[Annotated[str, AfterValidator(_timeframe)]] = Field(
        ["1m", "5m", "15m", "1h", "1d"], min_length=1, description="Live bars."
    )
    indicators: Annotated[str, AfterValidator(_indicators)] = Field(
        "default", description="Live indicators, as everywhere."
    )
    calendar: Annotated[str, AfterValidator(_calendar)] = Field(
        "XNSE", description="The calendar of the instruments' venue."
    )
    convention: Literal["tradingview", "talib"] = Field(
        "tradingview", description="Whose conventions indicators follow."
    )
    screens: Path | None = Field(None, description="File of saved screens.")
    rules: Path | None = Field(None, description="File of rules of alerts.")
    alerts_log: Path | None = Field(None, description="File to which alerts are appended, as JSON.")
    alerts_webhook: Annotated[SecretStr, AfterValidator(_webhook)] | None = Field(
        None, description="Where alerts are posted as JSON: https://HOST/PATH."
    )
    alerts_apprise: list[Annotated[SecretStr, AfterValidator(_apprise)]] = Field(
        [], description="Addresses of Apprise: chats, mail, phones that alerts go to."
    )
    quiet_hours: Annotated[str, AfterValidator(_hours)] | None = Field(
        None, description="When alerts wait, as 22:00-07:00."
    )
    quiet_zone: Annotated[str, AfterValidator(_zone)] | None = Field(
        None, description="Whose clock that is; by default the venue's."
    )
    alerts_urgent: list[str] = Field(
        ["rollback", "disk"], description="Rules and causes whose alerts do not wait."
    )
    alerts_settle_seconds: float = Field(
        30.0, ge=0, description="How long a cause must be so, or no longer, to be told."
    )
    stale_seconds: float = Field(
        180.0, gt=0, description="Seconds of a session without a candle that are an alert."
    )
    gap_minutes: int = Field(
        3, ge=1, description="Minutes without a candle, between others, that are an alert."
    )
    disk_free_alert: int = Field(
        2_000_000_000, ge=0, description="Bytes free on the store's disk below which is an alert."
    )
    compat: Literal["setbull"] | None = Field(
        None, description="Another system whose API is answered, too, below /api/v1."
    )
    compat_universe: Annotated[str, AfterValidator(_universe)] | None = Field(
        None, description="Stored universe whose members that API shows; by default all."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8765, ge=0, le=65535, description="Port to listen on; 0 for any free one.")
    desk: bool = Field(default=True, description="Whether pages to work with are at /.")
    rollout: Annotated[Path, AfterValidator(_plan)] | None = Field(
        None, description="Plan of a rollout, to be shown, led, and among the metrics."
    )
    keys: Path | None = Field(None, description="File of keys; none are asked for without it.")
    hosts: list[str] = Field([], description="Names by which clients may ask the service.")
    origins: list[str] = Field([], description="Origins of pages that may ask, with https://.")
    requests_per_second: float = Field(
        2_000.0, gt=0, description="Requests of a key, and of an address, that are answered."
    )
    feed_lag_max: float = Field(
        60.0, gt=0, description="Seconds of lag of the feed with which the service is not ready."
    )
    disk_free_min: int = Field(
        500_000_000, ge=0, description="Bytes free on the store's disk to be ready."
    )
    slow_seconds: float = Field(1.0, ge=0, description="A request that takes longer is logged.")
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
        """Return one source: `read_settings` looks at the others, and keeps who said what."""
        return (init_settings,)


def feed_options(settings: ServiceSettings) -> dict[str, Any]:
    """Return what settings say of their feed besides its text."""
    said = {"timezone": settings.timezone, "subscribe": settings.subscribe}
    options: dict[str, Any] = {name: each for name, each in said.items() if each is not None}
    if settings.feed is not None and settings.feed.startswith("replay:"):
        options["speed"] = settings.speed
    return options

"""Where a service may listen: on this machine without keys, anywhere with one."""

from __future__ import annotations

import ipaddress
import warnings
from datetime import UTC, datetime

from tallow.core.errors import ParameterError, TallowWarning
from tallow.service.keys.key_file import KeyFile
from tallow.service.settings import ServiceSettings

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
"""What this machine calls itself."""


def is_local(host: str) -> bool:
    """Say whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_keys(settings: ServiceSettings) -> None:
    """Raise `ParameterError` if a service would listen to others without a key that is good.

    `TallowWarning` if it would only answer that keys are wrong.
    """
    now, name = datetime.now(UTC), settings.keys
    keys = {} if name is None else KeyFile(name).keys()
    if any(not key.is_expired(now) for key in keys.values()):
        return
    file = "keys.json" if name is None else name
    if not is_local(settings.host):
        raise ParameterError(
            f"serve: host={settings.host}; other machines reach it, and there is no key; make one "
            f"with: tallow keys create --keys {file} --role read, and give --keys {file}; or "
            "listen on 127.0.0.1"
        )
    if name is not None:
        warnings.warn(
            f"serve: keys={name}; no key in it is good, so requests are refused; make one with: "
            f"tallow keys create --keys {name} --role read",
            TallowWarning,
            stacklevel=2,
        )

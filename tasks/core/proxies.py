"""The proxies of the environment, through which the Hub and a Prefect server are reached."""

from __future__ import annotations

import os

from tasks.core.errors import BadSetting

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")


def configured_proxies() -> dict[str, str]:
    """The addresses by the variable's name in capitals; the small spelling wins, as in the clients."""
    proxies = {name: os.environ.get(name.lower()) or os.environ.get(name) for name in PROXIES}
    return {name: address for name, address in proxies.items() if address}


def require_usable_proxies() -> None:
    """Raise BadSetting for a proxy with which httpx makes no client; its password is not shown."""
    import httpx

    for name, address in configured_proxies().items():
        try:
            scheme = httpx.URL(address if "://" in address else f"http://{address}").scheme
        except httpx.InvalidURL:
            scheme = "an invalid address"
        if scheme not in PROXY_SCHEMES:
            raise BadSetting(
                f"{name}: expected a proxy such as http://proxy:8080 or socks5://proxy:1080, found {scheme}"
            )

"""The headers that let a browser's script read a response."""

from functions.settings import Settings


def cors_headers(sent: dict[str, str], settings: Settings) -> dict[str, str]:
    """Name the origin only if it is allowed, and tell caches that the response depends on it."""
    headers = {"Vary": "Origin"}
    origin = sent.get("origin")
    if origin in settings.allowed_origins:
        headers |= {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": "Retry-After",
        }
    return headers

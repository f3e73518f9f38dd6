"""The headers that let a browser's script read a response."""

from functions.settings import Runtime


def cors_headers(sent: dict[str, str], settings: Runtime) -> dict[str, str]:
    """Return the CORS headers: the origin if it is allowed, and `Vary` for caches."""
    headers = {"Vary": "Origin"}
    origin = sent.get("origin")
    if origin in settings.allowed_origins:
        headers |= {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": "Retry-After",
        }
    return headers

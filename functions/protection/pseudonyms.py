"""Pseudonyms for users and addresses in the logs and the table."""

import hmac
import json


def keyed_hash(key: str, purpose: str, *parts: str) -> str:
    """Return a stable keyed hash of the parts, in hexadecimal.

    Each purpose has hashes of its own, so that the table and the logs cannot be joined.
    """
    message = json.dumps([purpose, *parts]).encode()
    return hmac.digest(key.encode(), message, "sha256").hex()

"""Whether the service of this machine may be sent work: exit code 0, else 1. Needs nothing but Python."""

import json
import os
import ssl
import sys
import tomllib
import urllib.request
from pathlib import Path


def main() -> int:
    """Ask; returns an exit code."""
    path = Path(os.environ.get("DIASCOPE_WORKSPACE", "diascope-workspace")) / "service" / "settings.toml"
    settings = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    host = settings.get("host", "127.0.0.1")
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    scheme = "https" if settings.get("certificate") else "http"
    # Itself, on this machine: whose certificate it shows does not matter here.
    unchecked = ssl._create_unverified_context() if scheme == "https" else None
    url = f"{scheme}://{host}:{settings.get('port', 8080)}/health/ready"
    try:
        with urllib.request.urlopen(url, timeout=4, context=unchecked) as answer:
            return 0 if json.loads(answer.read())["ready"] else 1
    except (OSError, ValueError):
        return 1


if __name__ == "__main__":
    sys.exit(main())

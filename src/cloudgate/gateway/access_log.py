"""What does the access log say of a tunnel? One JSON object a line; never what a client wrote.

Tenant, target and reason are the authorizer's words. The raw request is left out, because a
confused client may put a password anywhere.
"""

from typing import Any

AUTHORIZER_METADATA = "envoy.filters.http.ext_authz"
"""Where Envoy keeps what the authorizer said of a request."""

FLUSH_MILLISECONDS = 1000
"""A line reaches the file at most this long after its event."""


def _said(key: str) -> str:
    return f"%DYNAMIC_METADATA({AUTHORIZER_METADATA}:{key})%"


LINE = {
    "time": "%START_TIME%",
    "type": "%ACCESS_LOG_TYPE%",
    "tunnel": "%STREAM_ID%",
    "tenant": _said("tenant"),
    "tenant_id": _said("tenant_id"),
    "user_id": _said("user_id"),
    "target": _said("target"),
    "client": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "bytes_up": "%BYTES_RECEIVED%",
    "bytes_down": "%BYTES_SENT%",
    "duration_ms": "%DURATION%",
    "reason": _said("reason"),
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "address": "%UPSTREAM_REMOTE_ADDRESS%",
    "from_address": "%UPSTREAM_LOCAL_ADDRESS%",
    "address_failure": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
}


def access_log(path: str) -> dict[str, Any]:
    """Envoy's access logger that appends to `path`."""
    return {
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": ("type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"),
            "path": path,
            "log_format": {"json_format": LINE},
        },
    }

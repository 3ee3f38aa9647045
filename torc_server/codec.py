"""JSON of the server: the fast codec, in one place."""

from __future__ import annotations

from typing import Any

import msgspec

from torc_core.errors import Invalid, Malformed

encode = msgspec.json.Encoder(enc_hook=lambda value: value.wire()).encode
"""Return the JSON of plain data, values and pages, as bytes."""
_decode = msgspec.json.Decoder().decode


def decode(text: bytes | bytearray) -> Any:
    """Return what a JSON text says; raises Malformed for anything else and Invalid for what is nested too deeply."""
    try:
        return _decode(text)
    except RecursionError:
        raise Invalid("the body is nested too deeply") from None
    except UnicodeDecodeError as exc:
        raise Malformed("the body is not JSON: it is not UTF-8") from exc
    except ValueError as exc:
        raise Malformed(f"the body is not JSON: {exc}") from exc

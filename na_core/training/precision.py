"""Which precision a device computes in."""

from __future__ import annotations

import torch


def mixed_precision(wanted: str) -> str:
    """Return "no" or "bf16" for "no", "bf16" or "auto": bf16 where the device has instructions for it."""
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        supported = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        found = torch.cpu.get_capabilities()
        supported = bool(found.get("amx_bf16") or found.get("avx512_bf16"))
    return "bf16" if supported else "no"

"""Where networks train, and torch's global state while they do. Imports torch."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch

from satisfice.errors import InputError


def choose_device() -> torch.device:
    """``SATISFICE_DEVICE`` if it is set, else a GPU if there is one.

    Raises:
        InputError: It names no device of this process.
    """
    wanted = os.environ.get("SATISFICE_DEVICE")
    if not wanted:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    count = torch.cuda.device_count()
    with contextlib.suppress(RuntimeError):  # torch's word for a name that it does not know, or does not have
        device = torch.device(wanted)
        if device.type != "cuda":
            torch.zeros(1, device=device).cpu()
            return device
        if (device.index or 0) < count:
            return device
    found = f"CUDA devices seen here: {count}" if count else "no CUDA device is seen here"
    raise InputError(
        f"SATISFICE_DEVICE = {wanted!r} is no device that networks can train on; {found}",
        hint="set it to cpu, cuda or cuda:NUMBER, or unset it",
    )


@contextlib.contextmanager
def isolated(seed: int, threads: int, device: torch.device) -> Iterator[None]:
    """Torch's global state, set for one training and put back after it: randomness, threads, kernels.

    Of the kernels that cuDNN has for a convolution, only those are used that give the same bits again.
    """
    before, cudnn = torch.get_num_threads(), torch.backends.cudnn
    repeatable = cudnn.deterministic
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed % 2**63)
        torch.set_num_threads(max(threads, 1))
        cudnn.deterministic = True
        try:
            yield
        finally:
            torch.set_num_threads(before)
            cudnn.deterministic = repeatable

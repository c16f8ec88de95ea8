"""Which device a model runs on."""

import torch

from harness.errors import Rejected
from harness.models.config import ModelConfig

AUTO = "auto"


def resolve_device(config: ModelConfig) -> str:
    """`cpu`, `cuda`, `cuda:<n>` or `mps`: the one requested, else the best one this machine has.

    Raises `Rejected` for a device that this machine does not have.
    """

    has_mps = torch.backends.mps.is_available()
    n_cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if config.device == AUTO:
        return "cuda" if n_cuda else "mps" if has_mps else "cpu"
    here = ["auto", "cpu", *(["cuda"] if n_cuda else []), *(f"cuda:{n}" for n in range(n_cuda))]
    here += ["mps"] if has_mps else []
    if config.device not in here:
        raise Rejected.key("model.device", config.device, f"{', '.join(here)} on this machine")
    return config.device

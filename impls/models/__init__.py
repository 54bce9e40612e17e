"""Models: each folder tells one model's whole story. Shared here: facts that every spec states alike."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BatchNorm:
    """Batch norm as all twins compute it (Ioffe & Szegedy 2015, algorithms 1 and 2).

    The running variance takes the *unbiased* batch variance, n / (n - 1) times the one that normalises, as in the
    paper and in PyTorch; Keras takes the biased one and is brought to it.
    update: weight of the new batch in the running statistics (PyTorch's momentum; Keras' momentum is 1 - update).
    """

    epsilon: float = 1e-5
    update: float = 0.1


BATCH_NORM = BatchNorm()


def rounded(channels: float) -> int:
    """Channels of a network of another width: the nearest multiple of 8, but never less than 90 % of what was asked.

    MobileNets' rule since version 2, in their authors' code and in torchvision and Keras after it.
    """
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8

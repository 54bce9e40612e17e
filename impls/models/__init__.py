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

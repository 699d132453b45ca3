"""What the machine is and the most that it can do."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

RUNS = 5
PACKAGES = (
    "openvino torch sentence-transformers transformers faiss-cpu tantivy tokenizers txtai "
    "langchain-community llama-index-core haystack-ai bm25s"
).split()


def described() -> dict[str, object]:
    """Processor, system and versions, as they are kept with every result."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
        "versions": versions,
    }


def limits(work: Path) -> dict[str, float]:
    """The most that matrix products, memory and the disk under ``work`` give, each the median of `RUNS`."""
    import torch

    size = 2048
    operations = 2 * size**3
    single = torch.randn(size, size)
    half = single.bfloat16()
    eight = torch.randint(-127, 127, (size, size), dtype=torch.int8)
    block = np.ones(64 << 20, dtype=np.float32)
    return {
        "fp32 GFLOP/s": operations / 1e9 / seconds(lambda: single @ single),
        "bf16 GFLOP/s": operations / 1e9 / seconds(lambda: half @ half),
        "int8 GOP/s": operations / 1e9 / seconds(lambda: torch._int_mm(eight, eight)),
        "memory GB/s": 2 * block.nbytes / 1e9 / seconds(lambda: block.copy()),
        **_disk(work),
    }


def _disk(work: Path) -> dict[str, float]:
    """Sequential reading of a file that is not in the page cache, where the system lets it be dropped."""
    if not hasattr(os, "posix_fadvise"):
        return {}
    block = os.urandom(256 << 20)
    with (work / "block").open("w+b") as file:
        file.write(block)
        file.flush()
        os.fsync(file.fileno())

        def read() -> None:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            file.seek(0)
            while file.read(1 << 20):
                pass

        return {"disk read GB/s": len(block) / 1e9 / seconds(read)}


def seconds(work: Callable[[], object], runs: int = RUNS) -> float:
    """The median time of ``work``, which is done once before."""
    work()
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def each(work: Callable[[str], object], questions: Sequence[str]) -> list[float]:
    """The milliseconds of ``work`` for each question, after the first few were done once."""
    for question in questions[:5]:
        work(question)
    taken = []
    for question in questions:
        started = time.perf_counter()
        work(question)
        taken.append(1000 * (time.perf_counter() - started))
    return taken


def memory(process: int) -> float:
    """The proportional set size of a process in MB: what it alone keeps from the others."""
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"the memory of process {process} can't be read")


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    for line in path.read_text().splitlines() if path.exists() else []:
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()

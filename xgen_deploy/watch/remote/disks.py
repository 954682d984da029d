"""The disks that models lie on."""

from __future__ import annotations

import os

from xgen_deploy.watch.remote.samples import Sample, sample


def disk_samples(folders: list[str]) -> list[Sample]:
    """Each disk once, by the first folder that is on it; a folder that is not there has none."""
    told: list[Sample] = []
    devices = set()
    for folder in folders:
        try:
            device, disk = os.stat(folder).st_dev, os.statvfs(folder)
        except OSError:
            continue
        if device not in devices:
            devices.add(device)
            size, free = disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize
            told += [
                sample("xgen_models_disk_size_bytes", size, path=folder),
                sample("xgen_models_disk_free_bytes", free, path=folder),
            ]
    return told

"""Errors of training that a user can cause; the text says what happened and what to do."""


class TrainingError(ValueError):
    """Training cannot start or go on; the text names the file and the key, or the disk."""


class ConfigError(TrainingError):
    """A configuration that cannot be used; the text names its file and the key."""


class DiskFull(TrainingError):
    """Nothing more can be written; the text names the disk. What was saved before is whole."""

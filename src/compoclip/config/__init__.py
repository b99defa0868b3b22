"""Settings of all long work, each in one place: descriptions, defaults and choices are the command line's help too."""

from compoclip.config.build import BuildConfig
from compoclip.config.evaluate import EvalConfig
from compoclip.config.llm import LLMOptions
from compoclip.config.settings import SettingError, Settings
from compoclip.config.train import MAY_CHANGE, TrainConfig, changed, read_config, resolve

__all__ = [
    "MAY_CHANGE",
    "BuildConfig",
    "EvalConfig",
    "LLMOptions",
    "SettingError",
    "Settings",
    "TrainConfig",
    "changed",
    "read_config",
    "resolve",
]

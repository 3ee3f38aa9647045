"""Layered configuration: what an option is, where its value comes from, and what is wrong with the files."""

from torc_core.config.layers import Config, ConfigFile, config_files, load_config, read_config

__all__ = ["Config", "ConfigFile", "config_files", "load_config", "read_config"]

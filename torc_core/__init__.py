"""The core of torc: specs, the state machine, the service, the runner and the command line."""

__version__ = "0.1.0"

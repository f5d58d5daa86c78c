"""Django's settings of worker processes: their few connections are told apart from those of requests."""

from data_processor.settings import *  # noqa: F403
from data_processor.settings import DATABASES

_options = DATABASES["default"]["OPTIONS"]
_options["application_name"] = "worker"
# A process has one job at a time, whose thread has one connection. The other one is for the sweep.
_options["pool"] |= {"min_size": 0, "max_size": 2, "name": "worker"}

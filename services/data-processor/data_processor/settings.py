"""Django's settings, derived from the typed ones in `config.py`, which operators change."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from psycopg.conninfo import conninfo_to_dict
from servicekit import planner
from servicekit.database_password import connection_class

from data_processor import config

_typed = config.current()

DEBUG = False
# Django requires a key, although nothing here signs with it. It is derived, so that it differs from the tokens' key.
SECRET_KEY = hmac.new(_typed.token_secret().encode(), b"django", hashlib.sha256).hexdigest()
ALLOWED_HOSTS = ["*"]  # Caddy is the front door; no URL is ever built from the Host header.
INSTALLED_APPS = ["procrastinate.contrib.django", "data_processor"]
# Jobs are in `data_processor.jobs`, which has a queue of its own: Procrastinate need not look for tasks.
PROCRASTINATE_AUTODISCOVER_MODULE_NAME = ""
MIDDLEWARE = ["data_processor.web.middleware.RequestMiddleware"]
ROOT_URLCONF = "data_processor.urls"
APPEND_SLASH = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
# servicekit configures logging: Django must not add its own handlers.
LOGGING_CONFIG = None

_connection = conninfo_to_dict(_typed.conninfo(config.SERVICE))

DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "data_processor.database",
        "HOST": _connection.pop("host"),
        "PORT": _connection.pop("port"),
        "NAME": _connection.pop("dbname"),
        "USER": _connection.pop("user"),
        "PASSWORD": _connection.pop("password"),
        "OPTIONS": {
            **_connection,
            "options": planner.OPTIONS,
            "server_side_binding": True,
            "prepare_threshold": 2,
            "pool": {
                "min_size": 1,
                "max_size": _typed.pool_size,
                "timeout": _typed.database_wait_s,
                # Short, so that the next request triggers a new attempt: the pool's own pauses double up to this.
                "reconnect_timeout": 0.5,
                "name": config.SERVICE,
                "connection_class": connection_class(_typed.postgres_password_file),
            },
        },
    }
}

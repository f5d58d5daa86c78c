"""The application that granian serves: Django with its defaults, configured with the database and the views."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import django
from data_processor import config
from django.conf import settings
from psycopg.conninfo import conninfo_to_dict

_NAMES = {"HOST": "host", "PORT": "port", "NAME": "dbname", "USER": "user", "PASSWORD": "password"}


def application() -> Callable[..., Any]:
    """Return the WSGI application (granian calls this as a factory, after the fork)."""
    parts = conninfo_to_dict(config.current().conninfo("floor"))
    database = {name: parts[key] for name, key in _NAMES.items()}
    settings.configure(
        ALLOWED_HOSTS=["*"],
        DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": None, **database}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=["data_processor"],
        LOGGING_CONFIG=None,
        ROOT_URLCONF="benchmarks.floors.bare_django.views",
        USE_I18N=False,
        USE_TZ=True,
    )
    django.setup()
    from django.core.handlers.wsgi import WSGIHandler

    return WSGIHandler()

"""Typed settings that the services build theirs from; each field is read from `PLUMBLINE_<FIELD>`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, Field, JsonValue, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from servicekit import facts
from servicekit.inside import InternalSecret
from servicekit.secrets import read_secret

if TYPE_CHECKING:
    from servicekit.signing import SigningKeys

ENV_PREFIX = "PLUMBLINE_"
"""Needed because a Kubernetes Service called `postgres` adds its own POSTGRES_PORT to every environment."""


def deployed(why: str) -> dict[str, JsonValue]:
    """Mark a field that only the deployment may set; `why` is the reason."""
    return {DEPLOYED: why}


DEPLOYED = "deployed"
ADDRESS = deployed(
    "the deployment chooses the addresses and ports inside the stack; those of the front door are "
    "PLUMBLINE_FRONT_HOST and PLUMBLINE_FRONT_PORT"
)
DATABASE = deployed("the deployment creates the database and its role under these names")


class ServiceSettings(BaseSettings):
    """Settings of every service."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="ignore", frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on.", json_schema_extra=ADDRESS)
    port: int = Field(ge=1, le=65535, description="TCP port to listen on.", json_schema_extra=ADDRESS)
    workers: int = Field(2, ge=1, le=64, description="Server processes.")
    stack_id: str = Field(
        "unidentified",
        min_length=1,
        max_length=64,
        description="Identity of this deployment, reported by /health.",
        json_schema_extra=deployed("each deployment gets an identity of its own"),
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest level written to standard error."
    )
    log_forward_url: str | None = Field(
        None,
        description="Caddy's internal listener for log entries; without it none are forwarded.",
        json_schema_extra=ADDRESS,
    )
    internal_secret_file: Path = Field(description="File with the secret that Caddy and the services share.")

    def internal_secret(self) -> InternalSecret:
        """Return the internal secret. Raises SecretError if the file is unusable."""
        return InternalSecret(self.internal_secret_file)

    def log_forwarding(self) -> tuple[str, InternalSecret] | None:
        """Return the URL that log entries are forwarded to, and the secret to send; None without forwarding."""
        return (self.log_forward_url, self.internal_secret()) if self.log_forward_url else None


class RedisSettings(BaseModel):
    """How to reach Redis."""

    redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        description="Redis that carries events and the recorder's stream, without a password.",
        json_schema_extra=ADDRESS,
    )
    redis_password_file: Path = Field(description="File that holds the password of Redis.")

    def redis_password(self) -> str:
        """Return the password of Redis. Raises SecretError if the file is unusable."""
        return read_secret(self.redis_password_file)


class DatabaseSettings(BaseModel):
    """How to reach the shared Postgres."""

    postgres_host: str = Field("127.0.0.1", description="Postgres host.", json_schema_extra=ADDRESS)
    postgres_port: int = Field(5432, ge=1, le=65535, description="Postgres port.", json_schema_extra=ADDRESS)
    postgres_db: str = Field(facts.DATABASE_NAME, description="Database name.", json_schema_extra=DATABASE)
    postgres_user: str = Field(facts.DATABASE_USER, description="Database role.", json_schema_extra=DATABASE)
    postgres_password_file: Path = Field(description="File that holds the role's password.")
    pool_size: int = Field(8, ge=1, le=100, description="Largest number of database connections a process holds.")
    schema_wait_s: float = Field(
        300.0,
        ge=0,
        description="How long `wait` waits for the database and its schema, in seconds.",
        json_schema_extra=deployed("only the pods of a cluster wait for the schema: set it in the overlay"),
    )

    def conninfo(self, application_name: str) -> str:
        """Return a psycopg connection string. It contains the password: never log it.

        Raises SecretError if the password file is unusable.
        """
        # Imported here, because the log-sink shares this module and has no database driver.
        from psycopg.conninfo import make_conninfo

        return make_conninfo(
            host=self.postgres_host,
            port=self.postgres_port,
            dbname=self.postgres_db,
            user=self.postgres_user,
            password=read_secret(self.postgres_password_file),
            application_name=application_name,
            connect_timeout=3,
            # A server that disappears silently must not block a request for the kernel's default of 15 minutes.
            tcp_user_timeout=5000,
            keepalives_idle=10,
            keepalives_interval=2,
            keepalives_count=3,
        )


class TokenSettings(BaseModel):
    """The key that signs and verifies session tokens."""

    token_secret_file: Path = Field(description="File that holds the key for session tokens.")

    def token_secret(self) -> str:
        """Return the signing key. Raises SecretError if the file is unusable."""
        return read_secret(self.token_secret_file)

    def signing_keys(self) -> SigningKeys:
        """Return the signing key and the other valid one. Raises SecretError if the file is unusable."""
        # Imported here, because the log-sink shares this module and verifies no tokens.
        from servicekit.signing import SigningKeys

        return SigningKeys(self.token_secret_file)


def explain(error: ValidationError) -> str:
    """Turn a settings validation error into one sentence per field that names its environment variable."""
    return "; ".join(
        f"{ENV_PREFIX}{'_'.join(str(part) for part in item['loc']).upper()}: {item['msg']}"
        for item in error.errors(include_url=False, include_input=False)
    )

"""Faults of replacing secrets while the stack runs."""

from __future__ import annotations

from plumbline.verification.faults.areas import Area
from plumbline.verification.faults.fault import ClusterFile, Fault, Patch

_CHECKS = "smoke/test_rotation.py"
_ROTATE = "plumbline/rotation/rotate.py"
_ROTATING = "services/servicekit/servicekit/rotating.py"
_UNHARMED = f"{_CHECKS}::test_a_rotation_fails_no_request_also_if_it_is_killed"
_NEW_ONES = f"{_CHECKS}::test_services_connect_with_the_new_passwords"
_KEPT = f"{_CHECKS}::test_a_second_value_is_kept_only_as_long_as_it_is_needed"
_TWICE = f"{_CHECKS}::test_sessions_outlive_a_second_rotation"
_ENDING = f"{_CHECKS}::test_a_former_key_is_accepted_until_it_ends"
# Commands are run anew each time, from the changed checkout.
_NOTHING: tuple[str, ...] = ()

AREA = Area(
    "rotation",
    modules=(_CHECKS, "smoke/test_secrets.py"),
    faults=(
        Fault("former-key-has-no-end", "the former signing key is accepted for years",
              Patch(_ROTATE, "end = time.time() + self.target.session_lifetime_s()", "end = time.time() + 10**8", _NOTHING),
              {_KEPT: "the former signing key ends in"}),
        Fault("ended-keys-are-accepted", "services accept a former key after its end",
              Patch(_ROTATING, "return self.until is not None and self.until <= time.time()", "return False"),
              {_ENDING: "a session of a former key that ends in -1 s was answered with 200"}),
        Fault("secrets-are-read-once", "services do not see that a secret was replaced",
              Patch(_ROTATING, "if stamps == self._seen:", "if self._seen:"),
              {_ENDING: "a session of a former key that ends in 600 s was answered with 401"}, only=True),
        Fault("second-rotation-ends-sessions", "only the last former signing key is accepted",
              Patch(_ROTATE, "text_of([Value(begun.old, until), *before])", "text_of([Value(begun.old, until)])", _NOTHING),
              {_TWICE: "a session ended when the signing key was replaced for the second time"}, only=True),
        Fault("rotation-changes-nothing", "a secret is replaced with itself",
              Patch(_ROTATE, "Rotation(name, old, secret_files.new_value())", "Rotation(name, old, old)", _NOTHING),
              {f"{_UNHARMED}[internal_secret]": "is the same as before", _NEW_ONES: "DID NOT RAISE"}, only=True),
        Fault("former-password-opens-postgres", "the former password of Postgres is accepted like any other",
              ClusterFile("pg_hba.conf", "host all all 127.0.0.1/32 trust", first=True),
              {_NEW_ONES: "DID NOT RAISE"}, only=True),
        Fault("former-password-opens-redis", "Redis accepts its former password, too",
              Patch("plumbline/targets/embedded/redis_server.py", '["resetpass", f"#{digest}"]', '[f"#{digest}"]', _NOTHING),
              {_NEW_ONES: "DID NOT RAISE"}),
        Fault("journal-is-ignored", "a rotation begins again where it was killed",
              Patch(_ROTATE, "        begun = self._begun()\n        if begun is not None:\n            said",
                    "        begun = None\n        if begun is not None:\n            said", _NOTHING),
              {f"{_UNHARMED}[redis_password]": "the rotation does not go on where it was killed"}),
        Fault("journal-is-kept", "what a finished rotation has replaced stays in its journal",
              Patch(_ROTATE, "        self._record(begun.name)\n        journal.clear(self.home.secrets)\n",
                    "        self._record(begun.name)\n", _NOTHING),
              {_KEPT: "is left"}),
        Fault("rotation-is-not-recorded", "a rotation leaves no row in stack_events",
              Patch(_ROTATE, "        self._record(begun.name)\n", "", _NOTHING),
              {f"{_UNHARMED}[operator_password]": "is not recorded in stack_events"}),
        Fault("second-password-is-kept", "the second password of Postgres stays after a rotation",
              Patch(_ROTATE, '        self._write(other, "")\n        self.target.deliver_secrets()\n        return "the data',
                    '        return "the data', _NOTHING),
              {f"{_UNHARMED}[postgres_password]": "a second password is kept"}),
    ),
)  # fmt: skip

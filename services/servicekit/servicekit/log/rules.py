"""Rules that find secrets in text. Each has examples that a test redacts."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from servicekit.log import secret_names
from servicekit.log.secret_names import NAME, NAME_IN_LOWER, PROSE, is_harmless
from servicekit.log.secret_values import end_of_element, end_of_line, end_of_quoted, end_of_value, end_of_word

REDACTED = "[redacted]"
_FLAGS = re.IGNORECASE | re.DOTALL


@dataclass(frozen=True)
class Rule:
    """One notation of secrets. `{}` in an example stands for the secret."""

    pattern: re.Pattern[str]
    """Matches the text between the lead and the secret; without `end`, its group `secret` is the secret."""
    examples: tuple[str, ...]
    end: Callable[[str, int], int] | None = None
    """Returns the end of the secret that begins at an index."""
    harmless: Callable[[str, str, str], bool] | None = None
    """Returns whether head, value and following text show that the value is no secret."""
    before: re.Pattern[str] | None = None
    """Must match directly before the lead."""
    whole: bool = False
    """Whether the secret is the lead and everything that the pattern matches."""


@dataclass(frozen=True)
class Group:
    """Rules for the text after a lead. The first rule that finds a secret applies."""

    starts: tuple[str, ...]
    """Words in lower case. Each lead begins with one of them."""
    lead: re.Pattern[str]
    """Matched against the text in lower case, unless `cased`."""
    rules: tuple[Rule, ...]
    hints: frozenset[str] = frozenset()
    """A text that contains none of these has no lead. Most log lines contain no hint."""
    cased: bool = False
    any: re.Pattern[str] = field(init=False)
    """Matches if one of the patterns matches. Tried first, because most names have no value after them."""

    def __post_init__(self) -> None:
        """Set the derived fields, so that a new rule cannot omit them."""
        if not self.hints:
            common = _common(self.starts)
            object.__setattr__(self, "hints", frozenset((common,) if common else self.starts))
        patterns = "|".join(rule.pattern.pattern.replace("(?P<secret>", "(?:") for rule in self.rules)
        object.__setattr__(self, "any", re.compile(patterns, self.rules[0].pattern.flags))


def _common(words: tuple[str, ...]) -> str:
    """Return the longest text that all words contain, if it is long enough to be rare in other text."""
    first, *others = words
    parts = (first[i:j] for i in range(len(first)) for j in range(len(first), i + _RARE - 1, -1))
    return max((part for part in parts if all(part in word for word in others)), key=len, default="")


_RARE = 3


def _lead(words: tuple[str, ...], behind: str = "") -> re.Pattern[str]:
    return re.compile(f"{behind}(?:{'|'.join(map(re.escape, words))})")


def _group(starts: str, rest: str, *examples: str, behind: str = "", **more: object) -> Group:
    """Return a group of one rule: literal words after the pattern `behind`, and the pattern that follows them."""
    words = tuple(starts.split())
    rule = Rule(re.compile(rest, _FLAGS), examples, **more)  # type: ignore[arg-type]
    return Group(words, _lead(words, behind), (rule,))


def _is_word(head: str, value: str, _after: str) -> bool:
    """Return whether the value is a word ("basic configuration", "token verification") and no credentials."""
    value = value.strip(".'\"")
    word = value.isalpha() and (value.islower() or value.istitle()) and len(value) < _LONGEST_WORD
    return value.lower() in PROSE or len(value) < _SHORTEST_TOKEN or (word and not head.lower().startswith("bearer"))


_LONGEST_WORD, _SHORTEST_TOKEN = 20, 8
_SCHEME_VALUE = re.compile(r"['\"]?[^\s,;'\"()\[\]{}<>]+['\"]?")


def _end_of_token(text: str, start: int) -> int:
    value = _SCHEME_VALUE.match(text, start)
    return start if value is None else value.end()


# A quotation mark, also in nested JSON, in a URL or in HTML.
_MARK = r"(?:\\{0,15}['\"]|%22|%27|&quot;|&\#3[49];)"
_IS = (
    r"\s{0,8}(?::\s?(?:str|bytes|string|SecretStr)(?:\s\|\sNone)?\s{0,4}=|=>|->|:=|==?|:|%3D|%3A|%253D|%253A"
    r"|\\u003[ad]|&\#61;|&\#x3d;)\s{0,8}"
)
_HOST = (
    r"@(?=[\w.\-\[%]{1,255}\]?(?::\d{1,5})?(?:[/?\#\s'\"<>,;)\]}|\\]|$))(?!(?:(?!://|['\"][,:}\])])\S){0,200}@[\w\[])"
)
# Not a port: then there is no password.
_PORT = r"(?!\d{1,5}(?:[/?\#\s'\"<>,;)\]}|\\]|$))"

_PRIVATE_KEY = _group(
    "-----begin",
    r"\s[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?P<secret>.*?(?:-----END [A-Z0-9 ]{0,40}KEY(?: BLOCK)?-----|\Z))",
    "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----\\n{} and then the text ends",
)
_HEADER = _group(
    "authorization cookie set-cookie",
    rf"s?(?:{_MARK})?\s{{0,8}}[:=]\s{{0,8}}",
    "Authorization: Bearer {}",
    "Cookie: access_token={}; theme=dark",
    "'Authorization': ['Basic {}']",
    end=end_of_line,
    harmless=is_harmless,
)
_ADDRESS = Group(
    ("://",),
    _lead(("://",), r"(?<=[a-z0-9+.\-])"),
    (
        Rule(
            # Drivers accept any character in a password: the host ends it.
            re.compile(rf"[^\s/?\#@:\['\"<>]{{0,256}}:{_PORT}(?P<secret>[^\n]{{1,256}}?){_HOST}", _FLAGS),
            (
                "postgresql://ada:{}@db:5432/app_db",
                "redis://:{}@redis/0",
                "amqp://ada:it's {} a/b@mq",
                "http://a:{}@h/",
            ),
            before=re.compile(r"[a-z][a-z0-9+.\-]*$", re.IGNORECASE),
        ),
        Rule(
            re.compile(r"[^\s/?\#@:\['\"<>]{0,256}:(?P<secret>[^\s'\"<>]{1,512})@", _FLAGS),
            ("postgresql://ada:5/{}@db", "redis://:1?{}@redis"),
            before=re.compile(r"(?<![a-z])(?!https?$|wss?$|ftps?$)[a-z][a-z0-9+.\-]*$", re.IGNORECASE),
        ),
        Rule(
            re.compile(r"(?P<secret>[^\s/?\#'\"<>]{1,512})@", _FLAGS),
            ("https://{}@example.com/project.git",),
            before=re.compile(r"(?:https?|wss?|ftps?)$", re.IGNORECASE),
        ),
    ),
)
_JWT = _group(
    "eyj",
    # Bounded and without backtracking: a text may contain thousands of beginnings and no end.
    r"[A-Za-z0-9_-]{6,1024}+(?:\.[A-Za-z0-9_-]++){1,4}",
    "eyJhbGciOiJIUzI1NiJ9.{}.c2ln",
    behind=r"\b",
    whole=True,
)
_SCHEME = _group(
    "bearer basic token jwt apikey",
    # `apikey: …` names a value, which may have any sign: _NAMED reads it.
    r"(?:\s|%20|\+|(?<=bearer):\s?|(?<=basic):\s?){1,8}(?!realm=)(?=['\"]?[^\s,;'\"()\[\]{}<>]{8})",
    "got header Bearer {}",
    "Bearer%20{}",
    "basic {}==",
    behind=r"\b",
    end=_end_of_token,
    harmless=_is_word,
)


def _shape(prefixes: str, rest: str, *examples: str) -> Group:
    """Return the group of a secret with a known prefix; the whole match is the secret."""
    spelt = tuple(prefixes.split())
    rule = Rule(re.compile(rest, re.DOTALL), examples, whole=True)
    return Group(tuple(word.lower() for word in spelt), _lead(spelt, r"(?<!\w)"), (rule,), cased=True)


_SHAPES = (
    _shape("AKIA ASIA", r"[A-Z0-9]{16}\b", "key AKIAABCDEFGHIJKLMNOP used"),
    _shape("AIza", r"[\w-]{35}", "AIza" + "a1B2c" * 7),
    _shape("ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"[A-Za-z0-9_]{20,}", "ghp_" + "a1B2" * 9),
    _shape("glpat- pypi-", r"[\w-]{16,}", "glpat-" + "a1B2" * 5, "pypi-" + "a1B2" * 5),
    _shape("npm_", r"[A-Za-z0-9]{30,}", "npm_" + "a1B2" * 9),
    _shape("xoxa- xoxb- xoxp- xoxo- xoxs- xoxr-", r"[\w-]{10,}", "xoxb-" + "12345-" * 3),
    _shape("xapp-", r"[\w-]{10,}", "xapp-" + "12345-" * 3),
    _shape("sk-", r"[\w-]{20,}", "sk-" + "a1B2" * 6),
    _shape("sk_live_ rk_live_", r"\w{10,}", "sk_live_" + "a1B2" * 3),
    _shape("sk_test_ rk_test_", r"\w{10,}", "rk_test_" + "a1B2" * 3),
    _shape("$argon2", r"(?:id|i|d)\$[^\s'\"]+", "hash $argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA"),
    _shape("pbkdf2_", r"\w{1,20}\$[^\s'\"]+", "pbkdf2_sha256$600000$salt$aGFzaA="),
    _shape("$2a$ $2b$ $2y$", r"\d\d\$[./\w]{20,}", "$2b$12$" + "a1B2" * 6),
)


def _named(then: str, *examples: str, end: Callable[[str, int], int] = end_of_value, before: str = "") -> Rule:
    """Return a rule for secrets that follow their name."""
    return Rule(
        re.compile(then, _FLAGS), examples, end, is_harmless, re.compile(before, re.IGNORECASE) if before else None
    )


_QUOTED_NAME = rf"[bru]{{0,2}}{_MARK}[\w.\-]{{0,60}}$"
_NAMED = Group(
    secret_names.STARTS,
    NAME_IN_LOWER,
    hints=frozenset((*secret_names.HINTS, secret_names.SHORT)),
    rules=(
        _named(
            # `password[0]=`, `user[password]=`, `(token)=(`, `password: str = `, `%22password%22%3A`
            rf"(?:\[\w{{0,40}}\]|[\])])?(?:{_MARK})?{_IS}(?:-\s{{1,8}})?",
            "password={}", "password: {}", "db_password = '{} with spaces'", '{{"apiKey": "{}"}}', "Pwd={};", "pw={}",
            '"{{\\"password\\": \\"{}\\"}}"', "password='it''s {}'", 'password="say \\"{}\\""', "secret=>{}", "totp={}",
            "GET /x?token={}&page=2", "password%3D{}", "%22password%22%3A%22{}%22", "user[password]={}",
            "DETAIL: Key (token)=({}) already exists", "password: |\n  {}\n  and more\nuser: ada", "sid={}",
            "&quot;password&quot;:&quot;{}&quot;", "tokens=[['a'], ['{}']]", "password=a,{}",
        ),
        _named(
            rf"{_MARK}\s?,\s?(?={_MARK}|[bru]{{1,2}}['\"])", "('x-api-key', '{}')", "[(b'cookie', b'a={}')]",
            end=end_of_quoted, before=rf"[\[(]\s?{_QUOTED_NAME}",
        ),
        _named(
            rf"{_MARK}\s?,\s?{_MARK}value{_MARK}\s?:\s?", '{{"name": "password", "value": "{}"}}',
            before=rf"{_MARK}(?:name|key|header|field){_MARK}\s?:\s?{_QUOTED_NAME}",
        ),
        _named(
            # A field of a multipart form
            rf"{_MARK}[^\n\\]{{0,40}}(?:(?:\\r)?\\n|\r?\n){{2}}", 'name="password"\r\n\r\n{}\r\n--boundary',
            end=end_of_line, before=r"name=\\{0,7}['\"][\w.\-]{0,60}$",
        ),
        _named(
            rf"{_MARK}\s{{0,4}}(?:/?>)", "<entry key='password'>{}</entry>",
            end=end_of_element, before=rf"(?:name|key|id)={_MARK}[\w.\-]{{0,60}}$",
        ),
        _named(
            rf"{_MARK}\s{{1,4}}value=", '<input name="password" value="{}">',
            before=rf"(?:name|key|id)={_MARK}[\w.\-]{{0,60}}$",
        ),
        _named(
            # In prose, only values that look random.
            r"[\])]?\s{1,4}(?:(?:is|was|to|-|\u2013|\u2014|\u2192|\|)\s)?(?=[A-Za-z0-9+=~!-]{8})"
            r"(?=[A-Za-z+=~!-]{0,60}[0-9])(?=[0-9+=~!-]{0,60}[A-Za-z])(?=[A-Za-z0-9+=~!-]{8,200}(?:[\s,;)\]'\"]|\.?$|\.\s))",
            "password is {}0Ab", "the token 0a{}", "apikey {}0Ab",
        ),
        _named(
            # In prose, values in quotation marks.
            r"\s(?:(?:is|was)\s)?", "wrong password '{}'", "ALTER ROLE ada PASSWORD 'it''s {}'", end=end_of_quoted,
        ),
    ),
)  # fmt: skip
_OPTION = Group(
    ("--",),
    re.compile(rf"(?<![\w-])--(?:[a-z][\w-]{{0,40}}?-)?{NAME}"),
    (
        Rule(
            re.compile(r"['\"],\s?(?=['\"])|\s", _FLAGS),
            ("mysqldump --password {} app_db", "['psql', '--db-password', '{}']", "run --api-key '{} b' now"),
            end_of_word,
            is_harmless,
        ),
    ),
)
_ELEMENT = Group(
    ("<",),
    re.compile(rf"<[\w.:\-]{{0,60}}?{NAME}"),
    (
        Rule(
            re.compile(r"(?:\s[^<>\n]{0,200})?>", _FLAGS),
            ("<ns:password>{}</ns:password>", '<token kind="a">{}</token>'),
            end_of_element,
            is_harmless,
        ),
    ),
)
_OTHERS = (
    _group("secretstr( secretbytes(", "", "SecretStr('{}')", end=end_of_quoted),
    _group("identified", r"\s(?:with\s\w{1,60}\s)?by\s", "CREATE USER ada IDENTIFIED BY '{}'", end=end_of_quoted),
    _group("requirepass", r"['\"]?\s['\"]?", "CONFIG SET requirepass {}", end=end_of_word),
    _group('"auth"', r'(?:\s"[^"\n]{0,60}")?\s', '"AUTH" "{}"', '"AUTH" "default" "{}"', end=end_of_quoted),
    Group(
        ("on >",),
        re.compile(r"\bon >"),
        (Rule(re.compile(r"(?=\S{1,512}\s[^\n]{0,80}[~+&])"), ("user app on >{} ~* +@all",), end_of_word),),
    ),
    _group("auth=", "", "GET /x?auth={}", behind=r"(?<![A-Za-z])", end=end_of_value, harmless=is_harmless),
    _group(
        "-u --user",
        r"[\s=]['\"]?[^\s:'\"]{1,64}:",
        "curl -u ada:{} http://x/",
        "curl --user 'ada:{}'",
        behind=r"(?<![\w-])",
        end=end_of_word,
    ),
)
GROUPS = (_PRIVATE_KEY, _HEADER, _ADDRESS, _JWT, _SCHEME, *_SHAPES, _NAMED, _OPTION, _ELEMENT, *_OTHERS)
"""Applied in this order: a rule does not see the text that an earlier one has replaced."""


_ALL_HINTS = set().union(*(group.hints for group in GROUPS))
for _one in GROUPS:
    # A hint that is part of another one replaces it: fewer hints make ordinary lines cheaper.
    least = frozenset(min((part for part in _ALL_HINTS if part in hint), key=len) for hint in _one.hints)
    object.__setattr__(_one, "hints", least)
HINTS = tuple(sorted(set().union(*(group.hints for group in GROUPS)) - {secret_names.SHORT}))

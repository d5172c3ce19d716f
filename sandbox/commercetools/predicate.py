"""The query predicate language of commercetools: text to a typed tree.

Covered: `= != <> < > <= >=`, `in`, `not in`, `and`, `or`, `not (...)`, parentheses, nested fields `a(b = 1)`,
`is [not] defined`, `is [not] empty`, `contains any|all`, backquoted field names, and input variables `:name`. Left
out: `within circle`. Every field and every literal's type is checked; what is wrong raises ApiError 400.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn, TypeAlias

from sandbox.commercetools.condition import (
    Compare,
    Contains,
    Defined,
    Empty,
    Every,
    Literal,
    Not,
    OneOf,
    Predicate,
    Some,
    Within,
)
from sandbox.commercetools.errors import ApiError, malformed
from sandbox.commercetools.fields import Field, Leaf, ListOf, Node
from sandbox.sample.timeline import instant

Variables: TypeAlias = Mapping[str, Sequence[str]]


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<number>-?\d+(?:\.\d+)?(?![\w.]))
    | (?P<variable>:[A-Za-z0-9]+)
    | (?P<quoted>`[^`]+`)
    | (?P<word>[A-Za-z_][A-Za-z0-9_-]*)
    | (?P<op><>|!=|<=|>=|[=<>(),])
    | (?P<end>$)
    )""",
    re.VERBOSE,
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_KEYWORDS = frozenset({"and", "or", "not", "in", "is", "contains", "true", "false"})
_MAX_DEPTH = 40


def parse(where: Sequence[str], shape: Node, variables: Variables) -> Predicate | None:
    """Parse all `where` parameters, which must all hold; None when there are none."""
    parts = tuple(_Parser(text, variables).parse(shape) for text in where)
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else Every(parts)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int

    def is_word(self, word: str) -> bool:
        return self.kind == "word" and self.text.lower() == word


class _Parser:
    def __init__(self, text: str, variables: Variables) -> None:
        self._text = text
        self._variables = variables
        self._tokens = self._scan()
        self._next = 0
        self._depth = 0

    def parse(self, shape: Field) -> Predicate:
        result = self._any(shape)
        if self._peek.kind != "end":
            self._unexpected("'and', 'or' or end of input")
        return result

    def _scan(self) -> list[_Token]:
        tokens: list[_Token] = []
        position = 0
        while not tokens or tokens[-1].kind != "end":
            match = _TOKEN.match(self._text, position)
            if match is None:
                start = position + len(self._text[position:]) - len(self._text[position:].lstrip())
                self._fail(start, "a field, an operator or a literal")
            kind = match.lastgroup or "end"
            tokens.append(_Token(kind, match.group(kind), match.start(kind)))
            position = match.end()
        return tokens

    @property
    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._peek
        self._next += 1
        return token

    def _accept(self, text: str) -> bool:
        if self._peek.kind in ("word", "op") and self._peek.text.lower() == text:
            self._next += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            self._unexpected(f"'{text}'")

    def _any(self, shape: Field) -> Predicate:
        parts = [self._every(shape)]
        while self._accept("or"):
            parts.append(self._every(shape))
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def _every(self, shape: Field) -> Predicate:
        parts = [self._single(shape)]
        while self._accept("and"):
            parts.append(self._single(shape))
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _single(self, shape: Field) -> Predicate:
        negated = self._accept("not")
        if negated or self._peek.text == "(":
            part = self._parenthesized(shape)
            return Not(part) if negated else part
        token = self._take()
        if token.kind == "quoted":
            name = token.text[1:-1]
        elif token.kind == "word" and token.text.lower() not in _KEYWORDS:
            name = token.text
        else:
            self._next -= 1
            self._unexpected("a field name, 'not' or '('")
        return self._about(name, self._field(shape, name))

    def _parenthesized(self, shape: Field) -> Predicate:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self._unexpected("less nesting")
        self._expect("(")
        part = self._any(shape)
        self._expect(")")
        self._depth -= 1
        return part

    def _field(self, shape: Field, name: str) -> Field:
        if shape is Leaf.ANY:
            return Leaf.ANY
        if not isinstance(shape, Node) or name not in shape.fields:
            raise malformed("where", f"The field '{name}' does not exist.")
        return shape.fields[name]

    def _about(self, name: str, field: Field) -> Predicate:
        if self._peek.text == "(" and self._peek.kind == "op":
            inner = field.item if isinstance(field, ListOf) else field
            if isinstance(inner, Leaf) and inner is not Leaf.ANY:
                raise malformed("where", f"The field '{name}' has no fields of its own.")
            return Within(name, self._parenthesized(inner))
        if self._accept("is"):
            return self._state(name, field)
        if self._accept("contains"):
            return self._contains(name, field)
        negated = self._accept("not")
        if self._accept("in"):
            part = OneOf(name, frozenset(self._values(name, self._leaf(name, field))))
            return Not(part) if negated else part
        if negated or self._peek.text not in ("=", "!=", "<>", "<", ">", "<=", ">="):
            self._unexpected("an operator")
        return self._comparison(name, self._leaf(name, field))

    def _state(self, name: str, field: Field) -> Predicate:
        negated = self._accept("not")
        part: Predicate
        if self._accept("defined"):
            part = Defined(name)
        elif self._accept("empty"):
            if not isinstance(field, ListOf) and field is not Leaf.ANY:
                raise malformed("where", f"The field '{name}' is not an array.")
            part = Empty(name)
        else:
            self._unexpected("'defined' or 'empty'")
        return Not(part) if negated else part

    def _contains(self, name: str, field: Field) -> Predicate:
        all_of = self._accept("all")
        if not all_of:
            self._expect("any")
        item = field.item if isinstance(field, ListOf) else field
        if not isinstance(item, Leaf) or (item is field and item is not Leaf.ANY):
            raise malformed("where", f"The field '{name}' is not an array of plain values.")
        return Contains(name, frozenset(self._values(name, item)), all_of)

    def _comparison(self, name: str, leaf: Leaf) -> Predicate:
        op = self._take().text.replace("<>", "!=")
        values = self._value(name, leaf)
        if len(values) != 1:
            raise malformed("where", f"The field '{name}' is compared with {len(values)} values.")
        if isinstance(values[0], bool) and op not in ("=", "!="):
            raise malformed("where", f"The operator '{op}' cannot compare booleans.")
        return Compare(name, op, values[0])

    def _leaf(self, name: str, field: Field) -> Leaf:
        if isinstance(field, Leaf):
            return field
        raise malformed("where", f"The field '{name}' is not a plain value.")

    def _values(self, name: str, leaf: Leaf) -> list[Literal]:
        if self._peek.kind == "variable":
            return self._value(name, leaf)
        self._expect("(")
        values = self._value(name, leaf)
        while self._accept(","):
            values += self._value(name, leaf)
        self._expect(")")
        return values

    def _value(self, name: str, leaf: Leaf) -> list[Literal]:
        token = self._take()
        raw: Literal
        if token.kind == "variable":
            given = self._variables.get(token.text[1:])
            if not given:
                raise malformed("where", f"The input variable '{token.text}' has no value.")
            return [_typed(name, leaf, _from_variable(leaf, text)) for text in given]
        if token.kind == "string":
            raw = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), token.text[1:-1], flags=re.DOTALL)
        elif token.kind == "number":
            raw = float(token.text) if "." in token.text else int(token.text)
        elif token.is_word("true") or token.is_word("false"):
            raw = token.text.lower() == "true"
        else:
            self._next -= 1
            self._unexpected("StringLiteral, NumberLiteral, boolean or inputParam")
        return [_typed(name, leaf, raw)]

    def _unexpected(self, expected: str) -> NoReturn:
        self._fail(self._peek.at, expected)

    def _fail(self, at: int, expected: str) -> NoReturn:
        found = f"Invalid input '{self._text[at]}'" if at < len(self._text) else "Unexpected end of input"
        detail = f"{found}, expected {expected} (line 1, column {at + 1}):\n{self._text}\n{' ' * at}^"
        raise malformed("where", f"Syntax error while parsing 'where'. {detail}")


def _from_variable(leaf: Leaf, text: str) -> Literal:
    if leaf is Leaf.NUMBER:
        try:
            return float(text) if "." in text else int(text)
        except ValueError:
            return text
    if leaf is Leaf.BOOLEAN and text in ("true", "false"):
        return text == "true"
    return text


def _typed(name: str, leaf: Leaf, value: Literal) -> Literal:
    """Check a literal's type and bring it into the form that resources carry."""
    if leaf is Leaf.ANY:
        return value
    if leaf is Leaf.BOOLEAN or isinstance(value, bool):
        if leaf is Leaf.BOOLEAN and isinstance(value, bool):
            return value
        raise _mismatch(name, leaf)
    if leaf is Leaf.NUMBER or not isinstance(value, str):
        if leaf is Leaf.NUMBER and not isinstance(value, str):
            return value
        raise _mismatch(name, leaf)
    if leaf is Leaf.ID:
        if not _UUID.fullmatch(value.lower()):
            raise _mismatch(name, leaf)
        return value.lower()
    if leaf is Leaf.INSTANT or leaf is Leaf.DATE:
        return _moment(name, leaf, value)
    return value


def _moment(name: str, leaf: Leaf, value: str) -> str:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise _mismatch(name, leaf) from None
    if leaf is Leaf.DATE:
        if len(value) != 10:
            raise _mismatch(name, leaf)
        return value
    if moment.tzinfo is None:
        raise _mismatch(name, leaf)
    since = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return instant((since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000)


def _mismatch(name: str, leaf: Leaf) -> ApiError:
    return malformed("where", f"The field '{name}' can only be compared with {leaf.value}.")

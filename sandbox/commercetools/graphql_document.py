"""The part of the GraphQL language that the simulator reads: queries with variables, arguments, aliases and fields.

Fragments, directives, block strings, mutations and subscriptions are refused, never ignored.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn


class DocumentError(Exception):
    """The document is not one that the simulator accepts; `at` is an offset into it."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.message = message
        self.at = at


@dataclass(frozen=True, slots=True)
class Variable:
    """`$name` as an argument's value."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class TypeRef:
    """A variable's declared type, such as `String!` or `[String!]`."""

    name: str
    is_list: bool
    required: bool
    item_required: bool = False


@dataclass(frozen=True, slots=True)
class VariableDefinition:
    """A declared variable; `default` is meaningful where `has_default`."""

    name: str
    type: TypeRef
    has_default: bool
    default: Any
    at: int


@dataclass(frozen=True, slots=True)
class Selection:
    """One field of a selection set. `arguments` hold plain values or Variables."""

    name: str
    alias: str
    arguments: Mapping[str, Any]
    selections: "tuple[Selection, ...]"
    at: int


@dataclass(frozen=True, slots=True)
class Operation:
    """One query."""

    name: str | None
    variables: tuple[VariableDefinition, ...]
    selections: tuple[Selection, ...]


_TOKEN = re.compile(
    r"""[\s,\ufeff]*(?:\#[^\n]*[\s,]*)*(?:
      (?P<block>\"\"\")
    | (?P<string>"(?:[^"\\\n]|\\["\\/bfnrt]|\\u[0-9A-Fa-f]{4})*")
    | (?P<float>-?(?:0|[1-9]\d*)(?:\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+)(?![\w.]))
    | (?P<int>-?(?:0|[1-9]\d*)(?![\w.]))
    | (?P<name>[_A-Za-z][_0-9A-Za-z]*)
    | (?P<punctuator>\.\.\.|[{}()\[\]:!$=@|&])
    | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_MAX_DEPTH = 20


def parse_document(text: str) -> list[Operation]:
    """Parse all operations of a document. Raises DocumentError."""
    parser = _Parser(text)
    operations = [parser.operation()]
    while parser.kind != "end":
        operations.append(parser.operation())
    return operations


class _Parser:
    def __init__(self, text: str) -> None:
        self._source = text
        self._position = 0
        self._depth = 0
        self.kind = ""
        self._text = ""
        self._at = 0
        self._advance()

    def _advance(self) -> None:
        match = _TOKEN.match(self._source, self._position)
        if match is None or match.lastgroup is None:
            raise DocumentError("Syntax error while parsing GraphQL query: unexpected character.", self._position)
        self.kind, self._text, self._at = match.lastgroup, match.group(match.lastgroup), match.start(match.lastgroup)
        self._position = match.end()

    def _is(self, text: str) -> bool:
        return self.kind in ("punctuator", "name") and self._text == text

    def _accept(self, text: str) -> bool:
        if self._is(text):
            self._advance()
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            self._unexpected(f"'{text}'")

    def _name(self, what: str) -> str:
        if self.kind != "name":
            self._unexpected(what)
        name = self._text
        self._advance()
        return name

    def _unexpected(self, expected: str) -> NoReturn:
        found = "end of input" if self.kind == "end" else f"'{self._text}'"
        raise DocumentError(f"Syntax error while parsing GraphQL query. Invalid input {found}, expected {expected}.", self._at)

    def _unsupported(self, what: str) -> NoReturn:
        raise DocumentError(f"The simulator does not support {what}.", self._at)

    def operation(self) -> Operation:
        if self._is("{"):
            return Operation(None, (), self._selections())
        for word in ("mutation", "subscription", "fragment"):
            if self._is(word):
                self._unsupported(f"a {word}")
        self._expect("query")
        name = self._name("a name") if self.kind == "name" else None
        variables: list[VariableDefinition] = []
        if self._accept("("):
            while not self._accept(")"):
                variables.append(self._variable_definition())
        self._refuse_directive()
        return Operation(name, tuple(variables), self._selections())

    def _variable_definition(self) -> VariableDefinition:
        at = self._at
        self._expect("$")
        name = self._name("a variable's name")
        self._expect(":")
        declared = self._type()
        has_default = self._accept("=")
        default = self._value(constant=True) if has_default else None
        return VariableDefinition(name, declared, has_default, default, at)

    def _type(self) -> TypeRef:
        if self._accept("["):
            name = self._name("a type")
            item_required = self._accept("!")
            self._expect("]")
            return TypeRef(name, is_list=True, required=self._accept("!"), item_required=item_required)
        name = self._name("a type")
        return TypeRef(name, is_list=False, required=self._accept("!"))

    def _selections(self) -> tuple[Selection, ...]:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self._unsupported("such deep nesting")
        self._expect("{")
        found = [self._selection()]
        while not self._accept("}"):
            found.append(self._selection())
        self._depth -= 1
        return tuple(found)

    def _selection(self) -> Selection:
        if self._is("..."):
            self._unsupported("fragments")
        at = self._at
        name = self._name("a field")
        alias = name
        if self._accept(":"):
            name = self._name("a field")
        arguments: dict[str, Any] = {}
        if self._accept("("):
            while not self._accept(")"):
                argument = self._name("an argument")
                if argument in arguments:
                    self._unexpected("each argument once")
                self._expect(":")
                arguments[argument] = self._value()
        self._refuse_directive()
        return Selection(name, alias, arguments, self._selections() if self._is("{") else (), at)

    def _refuse_directive(self) -> None:
        if self._is("@"):
            self._unsupported("directives")

    def _value(self, *, constant: bool = False) -> Any:
        at, text, kind = self._at, self._text, self.kind
        if kind == "block":
            self._unsupported("block strings")
        if kind in ("string", "int", "float"):
            self._advance()
            return json.loads(text)
        if kind == "name" and text in ("true", "false", "null"):
            self._advance()
            return {"true": True, "false": False, "null": None}[text]
        if self._accept("["):
            items: list[Any] = []
            while not self._accept("]"):
                items.append(self._value(constant=constant))
            return items
        if constant or not self._accept("$"):
            self._unexpected("a value")
        return Variable(self._name("a variable's name"), at)

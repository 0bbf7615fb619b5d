# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the tables of system calls (calls.tbl, structs.tbl, values.tbl, errors.tbl) and checks them.

Each table defines its format in its head. A table is read completely and every fault is noted with
its file and line; `Tables.faults` is empty when all is well. gen_calls.py writes C from the result.
"""

import dataclasses
import pathlib
import re

CLASSES = ('path', 'fd', 'event', 'net', 'id', 'time', 'memory', 'process', 'signal', 'ipc', 'mount',
           'security', 'system')
LEVELS = ('native', 'handled', 'refused', 'absent')
VIRTUAL = ('none', 'native', 'slot', 'emulated')
FOLLOWS = ('nofollow', 'follow', 'follow-unless', 'follow-if')
DIRECTIONS = {'in': 1, 'out': 2, 'inout': 3}
STRUCT_MAX = 512

# Scalars: kind for the printer, bytes.
SCALARS = {
    's8': ('signed', 1), 's16': ('signed', 2), 's32': ('signed', 4), 's64': ('signed', 8),
    'u8': ('unsigned', 1), 'u16': ('unsigned', 2), 'u32': ('unsigned', 4), 'u64': ('unsigned', 8),
    'x16': ('hex', 2), 'x32': ('hex', 4), 'x64': ('hex', 8), 'hex': ('hex', 8), 'hex32': ('hex', 4),
    'int': ('signed', 4), 'uint': ('unsigned', 4), 'long': ('signed', 8), 'ulong': ('unsigned', 8),
    'size': ('unsigned', 8), 'offset': ('signed', 8), 'time': ('signed', 8), 'pid': ('signed', 4),
    'mode': ('octal', 4), 'uid': ('id', 4), 'gid': ('id', 4), 'fd': ('fd', 4),
    'dirfd': ('dirfd', 4), 'address': ('address', 8), 'dev': ('dev', 8), 'errno': ('errno', 4),
    'sigmask': ('sigmask', 8), 'wait_status': ('wait_status', 4), 'be16': ('be', 2),
    'be32': ('be', 4), 'ipv4': ('ipv4', 4), 'ipv6': ('ipv6', 16), 'mac': ('mac', 6),
    'chars': ('chars', 1), 'bytes': ('bytes', 1), 'none': ('none', 8),
}
ALIGNMENT = {'ipv6': 4, 'mac': 1}
# Pointers by nature: kind, unit of the limit (None: ends by itself).
POINTERS = {
    'path': ('path', None), 'string': ('string', None), 'strings': ('strings', None),
    'buffer': ('buffer', 'bytes'), 'sockaddr': ('sockaddr', 'bytes'), 'cmsgs': ('cmsgs', 'bytes'),
    'sockopt': ('sockopt', 'bytes'), 'dirents': ('dirents', 'bytes'),
    'dirents_old': ('dirents_old', 'bytes'), 'sigset': ('sigset', 'bytes'),
    'fd_set': ('fd_set', 'bits'), 'cpu_set': ('cpu_set', 'bytes'),
}
# Structures whose members depend on others: the printer knows them.
SPECIAL_STRUCTS = {'siginfo': 'siginfo'}


@dataclasses.dataclass
class Value:
    name: str
    value: int
    mask: int


@dataclasses.dataclass
class Type:
    name: str
    kind: str
    size: int                       # bytes as a register or member; of a pointer type 8
    unit: str = None                # of a pointer by nature
    base: str = 'decimal'           # of a set
    numbered: bool = False          # of a set: headers give the numbers of its bits
    values: list = dataclasses.field(default_factory=list)
    members: list = None            # of a structure
    headers: list = dataclasses.field(default_factory=list)
    c_type: str = ''
    alignment: int = 8
    number: int = -1
    line: int = 0
    open_field: str = ''            # while a set is read: the mask of MASK{ that is not closed


@dataclasses.dataclass
class Limit:
    kind: str                       # constant, sibling, pointed
    value: int = 0                  # the constant, or the index of the argument
    name: str = ''
    result: bool = False
    unit: str = 'elements'


@dataclasses.dataclass
class Field:
    """An argument of a call, or a member of a structure."""
    name: str
    type: Type
    pointer: bool = False
    size: int = 8
    direction: int = 0
    limit: Limit = None
    virtual: str = ''
    at: str = ''
    follow: str = ''
    follow_flag: str = ''
    empty: str = ''
    hidden: bool = False
    budget: bool = False
    repeat: int = 1
    offset: int = 0

    def reads_memory(self):
        return self.pointer or self.type.kind in {kind for kind, _ in POINTERS.values()}


@dataclasses.dataclass
class Path:
    argument: int
    at: int                         # index of the directory descriptor, -1 for the working directory
    follow: str
    flags: int                      # index of the argument with the flags, -1 for none
    follow_mask: int
    empty_mask: int                 # -1: always


@dataclasses.dataclass
class Variant:
    argument: int
    mask: int
    values: list
    fields: list


@dataclasses.dataclass
class Call:
    number: int
    name: str
    line: int
    class_: str
    handler: str
    level: str
    errno: str
    frame: bool
    wait: bool
    fields: list
    result: Type
    notes: list = dataclasses.field(default_factory=list)
    variants: list = dataclasses.field(default_factory=list)
    paths: list = dataclasses.field(default_factory=list)


class Fault(Exception):
    """What is wrong with the line that is being read."""


def number_of(text):
    """An integer as C writes it."""
    try:
        return int(text, 8) if re.fullmatch(r'0[0-7]+', text) else int(text, 0)
    except ValueError:
        raise Fault(f'"{text}" is not a number') from None


def logical_lines(path):
    """(line number, text) with continuation lines joined and comments gone."""
    lines = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith('#') or not line.strip():
            continue
        if line.startswith('\t\t'):
            if not lines:
                lines.append((number, ''))
            lines[-1] = (lines[-1][0], lines[-1][1] + ' ' + line.strip())
        else:
            lines.append((number, line.rstrip()))
    return lines


class Tables:
    """All tables of a directory."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.faults = []
        self.types = {}
        self.errors = {}            # name: (number, text)
        self.calls = {}             # number: Call, or None for a reserved number
        self.last = -1
        for name, (kind, size) in SCALARS.items():
            self.add_type(Type(name, kind, size, alignment=ALIGNMENT.get(name, size)))
        for name, (kind, unit) in POINTERS.items():
            self.add_type(Type(name, kind, 8, unit))
        self.read('errors.tbl', self.read_errors)
        self.read('values.tbl', self.read_values)
        self.read('structs.tbl', self.read_structs)
        self.read('calls.tbl', self.read_calls)

    def read(self, name, reader):
        try:
            reader(name)
        except (OSError, UnicodeDecodeError) as error:
            self.fault(name, 0, str(error))

    def fault(self, name, line, text):
        self.faults.append(f'{self.directory / name}:{line}: {text}')

    def each_line(self, name, reader):
        """Calls READER(line number, text) for each line; what it raises is noted."""
        for line, text in logical_lines(self.directory / name):
            try:
                reader(line, text)
            except Fault as fault:
                self.fault(name, line, str(fault))

    def add_type(self, type_):
        if type_.name in self.types:
            raise Fault(f'type {type_.name} exists already')
        type_.number = len(self.types)
        self.types[type_.name] = type_

    # errors.tbl

    def read_errors(self, name):
        def one(_line, text):
            words = text.split('\t')
            if len(words) != 3:
                raise Fault('not NUMBER, NAME and text, with a tab between them')
            number = number_of(words[0])
            if words[1] in self.errors or number in [error[0] for error in self.errors.values()]:
                raise Fault(f'{words[1]} or its number is here twice')
            self.errors[words[1]] = (number, words[2])
        self.each_line(name, one)

    # values.tbl

    def read_values(self, name):
        current = None

        def one(line, text):
            nonlocal current
            if text.startswith('\t'):
                if current is None:
                    raise Fault('names before the first set')
                self.read_names(current, text)
                return
            current = None
            words = text.split()
            if words[0] not in ('constants', 'flags') or len(words) < 2:
                raise Fault('a set begins with "constants NAME" or "flags NAME"')
            type_ = Type(words[1], words[0], 4, line=line)
            for word in words[2:]:
                if word in ('hex', 'octal'):
                    type_.base = word
                elif word == '64':
                    type_.size = 8
                elif word == 'numbered':
                    type_.numbered = True
                elif re.fullmatch(r'<[\w/.-]+\.h>', word):
                    type_.headers.append(word)
                else:
                    raise Fault(f'"{word}" is neither a base, 64, numbered, nor a header')
            type_.alignment = type_.size
            self.add_type(type_)
            current = type_
        self.each_line(name, one)
        for type_ in self.types.values():
            if type_.kind in ('constants', 'flags') and not type_.values:
                self.fault(name, type_.line, f'{type_.name} has no names')

    @staticmethod
    def read_names(type_, text):
        """NAME=VALUE and MASK{ NAME=VALUE } of one line; a field may go on over lines."""
        all_ones = (1 << 8 * type_.size) - 1
        for word in text.split():
            if word == '}':
                type_.open_field = ''
                continue
            if word.endswith('{'):
                if type_.kind != 'flags':
                    raise Fault('only flags have fields')
                type_.open_field = word[:-1]
                continue
            name, _, value = word.partition('=')
            if not re.fullmatch(r'\w+', name) or not value:
                raise Fault(f'"{word}" is not NAME=VALUE')
            if any(known.name == name for known in type_.values):
                raise Fault(f'{name} is here twice')
            value = number_of(value) & all_ones if number_of(value) < 0 else number_of(value)
            if type_.open_field:
                mask = number_of(type_.open_field)
            else:
                mask = all_ones if type_.kind == 'constants' else value
            if value > all_ones or value & ~mask:
                raise Fault(f'{name} does not fit into its set or field')
            type_.values.append(Value(name, value, mask))

    # structs.tbl

    def read_structs(self, name):
        lines = []
        for line, text in logical_lines(self.directory / name):
            if text.startswith('\t') and lines:
                lines[-1] = (lines[-1][0], lines[-1][1] + ' ' + text.strip())
            else:
                lines.append((line, text))
        for line, text in lines:
            try:
                self.read_struct(line, text)
            except Fault as fault:
                self.fault(name, line, str(fault))

    def read_struct(self, line, text):
        matched = re.fullmatch(r'(\w+)( packed)?((?: <[\w/.-]+>)*)((?: \w+)*) : (.*)', text)
        if not matched:
            raise Fault('not NAME [packed] [<HEADER> C-TYPE] : MEMBER, ...')
        type_ = Type(matched[1], SPECIAL_STRUCTS.get(matched[1], 'struct'), 0, line=line,
                     headers=matched[3].split(), c_type=matched[4].strip())
        type_.members = self.read_fields(matched[5], is_argument=False)
        offset, largest = 0, 1
        for member in type_.members:
            alignment = 1 if matched[2] else self.alignment_of(member)
            largest = max(largest, alignment)
            offset = (offset + alignment - 1) // alignment * alignment
            member.offset = offset
            offset += member.size * member.repeat
        type_.alignment = largest
        type_.size = (offset + largest - 1) // largest * largest
        if type_.size > STRUCT_MAX:
            raise Fault(f'{type_.name} is larger than {STRUCT_MAX} bytes')
        self.add_type(type_)

    @staticmethod
    def alignment_of(member):
        if member.pointer:
            return 8
        if member.type.members is not None or member.type.name in ALIGNMENT:
            return member.type.alignment
        return member.size

    # arguments and members

    def read_fields(self, text, is_argument):
        fields = []
        for part in text.split(','):
            words = self.field_words(part.strip())
            if len(words) < 2 or not re.fullmatch(r'\w+', words[0]):
                raise Fault(f'"{part.strip()}" is not NAME TYPE WORD...')
            if any(field.name == words[0] for field in fields):
                raise Fault(f'{words[0]} is here twice')
            fields.append(self.read_field(words, is_argument))
        self.resolve_limits(fields)
        return fields

    @staticmethod
    def field_words(text):
        return re.findall(r'\[[^\]]*\]|\S+', text)

    def read_field(self, words, is_argument):
        name, type_name = words[0], words[1]
        matched = re.fullmatch(r'(\w+)(?::(\d+))?(\*)?', type_name)
        if not matched or matched[1] not in self.types:
            raise Fault(f'{name}: there is no type "{type_name}"')
        field = Field(name, self.types[matched[1]], pointer=bool(matched[3]))
        field.size = 8 if field.pointer else field.type.size
        if matched[2]:
            if matched[2] not in ('8', '16', '32', '64') or field.pointer:
                raise Fault(f'{name}: {matched[2]} bits?')
            field.size = int(matched[2]) // 8
        rest = iter(words[2:])
        for word in rest:
            self.read_word(field, word, rest, is_argument)
        self.check_field(field, is_argument)
        return field

    def read_word(self, field, word, rest, is_argument):
        if word in DIRECTIONS and not field.direction:
            field.direction = DIRECTIONS[word]
        elif word.startswith('[') and not field.limit:
            field.limit = self.read_limit(field, word[1:-1])
        elif word in VIRTUAL[1:] or word in self.errors:
            field.virtual = word
            if word in self.errors and self.errors[word][0] < len(VIRTUAL):
                raise Fault(f'{field.name}: {word} cannot be told from the words')
        elif word == 'at':
            field.at = next(rest, '')
        elif word in ('follow', 'nofollow'):
            field.follow = word
        elif word in ('follow-unless', 'follow-if'):
            field.follow, field.follow_flag = word, next(rest, '')
        elif word == 'empty-if':
            field.empty = next(rest, '')
        elif word == 'empty':
            field.empty = 'always'
        elif not is_argument and word in ('hidden', 'budget'):
            setattr(field, word, True)
        elif not is_argument and re.fullmatch(r'x\d+', word):
            field.repeat = int(word[1:])
        else:
            raise Fault(f'{field.name}: "{word}" is not a word here')

    @staticmethod
    def read_limit(field, text):
        matched = re.fullmatch(r'(result<=)?(\*)?(\w+)( bytes)?', text)
        if not matched:
            raise Fault(f'{field.name}: "[{text}]" is not a limit')
        if matched[3].isdigit():
            limit = Limit('constant', int(matched[3]))
        else:
            limit = Limit('pointed' if matched[2] else 'sibling', name=matched[3])
        limit.result = bool(matched[1])
        limit.unit = 'bytes' if matched[4] else field.type.unit or 'elements'
        return limit

    @staticmethod
    def check_field(field, is_argument):
        kind = field.type.kind
        by_nature = field.type.name in POINTERS
        memory = field.pointer or by_nature
        if field.pointer and by_nature:
            raise Fault(f'{field.name}: {field.type.name} is a pointer by nature')
        if memory and by_nature and field.type.unit and not field.limit:
            raise Fault(f'{field.name}: a {field.type.name} without a limit')
        if field.limit and (not memory or by_nature and not field.type.unit):
            raise Fault(f'{field.name}: a limit for what has none')
        if field.limit and field.limit.unit == 'bytes' and field.pointer and not field.type.members:
            raise Fault(f'{field.name}: bytes of what is not a structure')
        if is_argument and memory != bool(field.direction):
            raise Fault(f'{field.name}: ' + ('in, out or inout?' if memory else 'a direction without memory'))
        if is_argument and not memory and field.type.members is not None:
            raise Fault(f'{field.name}: a structure in a register')
        if is_argument and not memory and field.size > 8 or kind == 'none':
            raise Fault(f'{field.name}: {field.type.name} is no argument')
        if (kind in ('fd', 'dirfd') and not field.pointer) != bool(field.virtual):
            raise Fault(f'{field.name}: what happens on a virtual descriptor?'
                        if not field.virtual else f'{field.name}: {field.virtual}, but no descriptor')
        if is_argument and (kind == 'path') != bool(field.follow):
            raise Fault(f'{field.name}: a path, and only a path, is followed or not')
        if (field.at or field.empty) and kind != 'path':
            raise Fault(f'{field.name}: only a path is relative to a descriptor or may be empty')

    @staticmethod
    def resolve_limits(fields):
        names = [field.name for field in fields]
        for field in fields:
            limit = field.limit
            if not limit or limit.kind == 'constant':
                continue
            if limit.name not in names:
                raise Fault(f'{field.name}: its limit {limit.name} is not an argument')
            limit.value = names.index(limit.name)
            other = fields[limit.value]
            scalar = other.type.kind in ('signed', 'unsigned', 'hex', 'address')
            if not scalar or other.pointer != (limit.kind == 'pointed'):
                raise Fault(f'{field.name}: its limit {limit.name} is not a number' +
                            (' behind a pointer' if limit.kind == 'pointed' else ''))

    # calls.tbl

    def read_calls(self, name):
        current = None

        def one(line, text):
            nonlocal current
            if text.startswith('\t'):
                if current is None:
                    raise Fault('belongs to no row')
                self.read_more(current, text.strip())
                return
            current = None
            if matched := re.fullmatch(r'(\d+)-(\d+) reserved\s*;.*', text):
                self.reserve(int(matched[1]), int(matched[2]))
                return
            current = self.read_call(line, text)
            self.count_up(current.number, current.number)
            if any(call and call.name == current.name for call in self.calls.values()):
                raise Fault(f'{current.name} is here twice')
            self.calls[current.number] = current
        self.each_line(name, one)

    def count_up(self, first, last):
        """Numbers rise by one."""
        expected, self.last = self.last + 1, max(last, self.last)
        if first < expected:
            raise Fault(f'number {first} is here twice, or not in its place')
        if first > expected:
            raise Fault(f'before this, the row of number {expected} is missing')

    def reserve(self, first, last):
        self.count_up(first, last)
        for number in range(first, last + 1):
            self.calls[number] = None

    def read_call(self, line, text):
        matched = re.fullmatch(
            r'(\d+) (\w+) (\w+) (\w+) ([\w:]+)( frame)?( wait)? :(?: (.*?))? -> (\w+)(?: +; (.*))?', text)
        if not matched:
            raise Fault('not NUMBER NAME CLASS HANDLER LEVEL [frame] [wait] : ARGUMENTS -> RESULT ; NOTE')
        level, _, errno = matched[5].partition(':')
        fields = self.read_fields(matched[8], is_argument=True) if matched[8] else []
        if matched[9] not in self.types:
            raise Fault(f'there is no type "{matched[9]}" for the result')
        call = Call(int(matched[1]), matched[2], line, matched[3], matched[4], level, errno,
                    bool(matched[6]), bool(matched[7]), fields, self.types[matched[9]])
        if matched[10]:
            call.notes.append(matched[10])
        self.check_call(call)
        call.paths = [self.path_of(call, index) for index, field in enumerate(call.fields)
                      if field.type.kind == 'path']
        return call

    def check_call(self, call):
        if call.class_ not in CLASSES:
            raise Fault(f'there is no class "{call.class_}"')
        if call.level not in LEVELS:
            raise Fault(f'there is no support level "{call.level}"')
        if (call.level in ('native', 'absent')) != (call.handler == 'native'):
            raise Fault(f'level {call.level}, but handler {call.handler}')
        if (call.level == 'refused') != (call.handler == 'refuse'):
            raise Fault('what is refused has the handler "refuse"')
        if call.frame and call.level != 'handled':
            raise Fault('a frame is for a handler')
        if (call.level == 'refused') != (call.errno in self.errors):
            raise Fault(f'refused with which error? ("{call.errno}")')
        if len(call.fields) > 6:
            raise Fault('more than six arguments')
        if call.result.size > 8 or call.result.members or call.result.name in POINTERS:
            raise Fault(f'{call.result.name} is no result')

    def path_of(self, call, index):
        """How the kernel reads the path in argument INDEX."""
        field = call.fields[index]
        at = -1
        if field.at:
            at = self.index_of(call, field.at)
            if call.fields[at].type.kind != 'dirfd':
                raise Fault(f'{field.name}: {field.at} is not a directory descriptor')
        path = Path(index, at, field.follow, -1, 0, 0)
        if field.follow_flag:
            path.flags, path.follow_mask = self.flag_of(call, field.follow_flag)
        if field.empty == 'always':
            path.empty_mask = -1
        elif field.empty:
            flags, path.empty_mask = self.flag_of(call, field.empty)
            if path.flags not in (-1, flags):
                raise Fault(f'{field.name}: its flags are in two arguments')
            path.flags = flags
        return path

    @staticmethod
    def index_of(call, name):
        for index, field in enumerate(call.fields):
            if field.name == name:
                return index
        raise Fault(f'{call.name} has no argument {name}')

    def flag_of(self, call, text):
        """ARG.FLAG: the argument's index, and the flag's value."""
        name, _, flag = text.partition('.')
        index = self.index_of(call, name)
        type_ = call.fields[index].type
        if call.fields[index].pointer and type_.members:
            type_ = type_.members[0].type
        for value in type_.values:
            if value.name == flag and value.value:
                return index, value.value
        raise Fault(f'{type_.name} has no flag {flag}')

    def read_more(self, call, text):
        """A note, or a variant."""
        if text.startswith(';'):
            call.notes.append(text[1:].strip())
            return
        matched = re.fullmatch(r'when (\w+)(?:&(~)?(\w+))? ([\w ]+?) : (.*)', text)
        if not matched:
            raise Fault('neither "; NOTE" nor "when ARG VALUE ... : ARGUMENT ..."')
        index = self.index_of(call, matched[1])
        selector = call.fields[index]
        if selector.reads_memory():
            raise Fault(f'{matched[1]} is not in a register')
        all_ones = (1 << 8 * selector.size) - 1
        mask = number_of(matched[3]) if matched[3] else all_ones
        mask = all_ones & ~mask if matched[2] else mask
        values = [self.value_in(selector.type, word) for word in matched[4].split()]
        if any(value & ~mask for value in values):
            raise Fault('a value outside its mask never fits')
        call.variants.append(Variant(index, mask, values, self.variant_fields(call, matched[5])))

    @staticmethod
    def value_in(type_, word):
        for value in type_.values:
            if value.name == word:
                return value.value
        if re.match(r'\d', word):
            return number_of(word)
        raise Fault(f'{type_.name} has no {word}')

    def variant_fields(self, call, text):
        """The call's arguments with those of TEXT in their places."""
        fields = list(call.fields)
        for part in text.split(','):
            words = self.field_words(part.strip())
            if words[:1] == ['drop'] and len(words) == 2:
                del fields[self.index_of(call, words[1]):]
                continue
            if len(words) < 2:
                raise Fault(f'"{part.strip()}" is neither an argument nor "drop NAME"')
            index = self.index_of(call, words[0])
            fields[index] = self.read_field(words, is_argument=True)
        self.resolve_limits(fields)
        return fields


def fields_of_all(tables):
    """Each list of fields that exists, once: of calls, variants and structures."""
    for call in tables.calls.values():
        if call:
            yield call.fields
            for variant in call.variants:
                yield variant.fields
    for type_ in tables.types.values():
        if type_.members:
            yield type_.members

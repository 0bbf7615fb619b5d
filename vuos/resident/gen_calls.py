#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes what is made from the tables of system calls.

  gen_calls.py header|source|handlers|dispatch|manual|json DIRECTORY OUTPUT

`header` and `source` are the tables as constant data (vuos/resident/calls.h has their structures):
no pointer is in them, names are places in one string, so that they need no relocation wherever they
are loaded. `handlers` are the prototypes of the dispatcher's handlers, `dispatch` is its table of them.
`manual` is the page vuos_calls(7) for scdoc, `json` the list that the conformance tests walk. A fault
in a table ends it with a line for each: FILE:LINE: what is wrong.
"""

import json
import sys

from call_tables import CLASSES, DIRECTIONS, LEVELS, VIRTUAL, FOLLOWS, Tables

BASES = ('decimal', 'hex', 'octal')
LIMITS = ('none', 'constant', 'sibling', 'pointed')
UNITS = ('elements', 'bytes', 'bits')
HEAD = '/* SPDX-License-Identifier: GPL-2.0-or-later */\n/* Made by gen_calls.py; do not edit. */\n'


class Strings:
    """One C string with all names in it; a name is its place."""

    def __init__(self):
        self.places = {'': 0}
        self.texts = ['']
        self.size = 1

    def place(self, text):
        if text not in self.places:
            self.places[text] = self.size
            self.texts.append(text)
            self.size += len(text.encode()) + 1
        return self.places[text]

    def lines(self):
        assert self.size < 1 << 16, 'more names than 16 bits can tell apart'
        for text in self.texts:
            quoted = text.replace('\\', '\\\\').replace('"', '\\"')
            yield f'\t"{quoted}\\0"'


class Lists:
    """Lists of rows in one array; equal lists are there once."""

    def __init__(self):
        self.rows = []
        self.places = {}

    def place(self, rows):
        key = tuple(rows)
        if key and key not in self.places:
            self.places[key] = len(self.rows)
            self.rows += rows
        return self.places.get(key, 0)


def real_calls(tables):
    return [call for call in tables.calls.values() if call]


def handlers(tables):
    return ['native', 'refuse'] + sorted({call.handler for call in real_calls(tables)} - {'native', 'refuse'})


def descriptors(call):
    """A bit for each argument that is a descriptor."""
    return sum(1 << index for index, field in enumerate(call.fields) if field.virtual)


def kinds(tables):
    return sorted({type_.kind for type_ in tables.types.values()})


def enum(tag, names):
    rows = ''.join(f'\t{tag.upper()}_{name.upper()},\n' for name in names)
    return f'enum {tag}_id {{\n{rows}\t{tag.upper()}_COUNT,\n}};\n\n'


def header(tables):
    text = HEAD + '#pragma once\n\n'
    structs = [type_.size for type_ in tables.types.values() if type_.members]
    text += f'#define CALL_COUNT {len(tables.calls)}\n#define CALL_STRUCT_MAX {max(structs)}\n\n'
    text += enum('call_class', CLASSES) + enum('call_level', LEVELS)
    text += enum('call_handler', handlers(tables)) + enum('call_kind', kinds(tables))
    text += enum('call_base', BASES) + enum('call_limit', LIMITS) + enum('call_unit', UNITS)
    text += enum('call_on', VIRTUAL) + enum('call_follow', [name.replace('-', '_') for name in FOLLOWS])
    return text + enum('call_type', tables.types)


def initializer(**members):
    return '{ ' + ', '.join(f'.{name} = {value}' for name, value in members.items()
                            if value not in (0, '0')) + ' }'


def error_number(tables, call):
    return tables.errors[call.errno][0] if call.errno else 0


class Source:
    """The C source with the tables."""

    def __init__(self, tables):
        self.tables = tables
        self.strings = Strings()
        self.fields = Lists()
        self.values = Lists()
        self.variants = Lists()
        self.paths = Lists()

    def field(self, field):
        flags = [name for name, bit in (('IN', 1), ('OUT', 2)) if field.direction & bit]
        flags += ['POINTER'] if field.pointer else []
        flags += ['MEMORY'] if field.reads_memory() else []
        flags += ['HIDDEN'] if field.hidden else []
        flags += ['BUDGET'] if field.budget else []
        limit = field.limit
        flags += ['RESULT'] if limit and limit.result else []
        return initializer(
            name=self.strings.place(field.name), type=f'CALL_TYPE_{field.type.name.upper()}',
            flags=' | '.join(f'CALL_FIELD_{flag}' for flag in flags) or 0,
            size=field.size, offset=field.offset, repeat=field.repeat,
            limit_kind=f'CALL_LIMIT_{limit.kind.upper()}' if limit else 0,
            unit=f'CALL_UNIT_{limit.unit.upper()}' if limit and limit.unit != 'elements' else 0,
            limit=limit.value if limit else 0)

    def field_list(self, fields):
        return self.fields.place([self.field(field) for field in fields])

    def type(self, type_):
        first = count = 0
        if type_.members is not None:
            first, count = self.field_list(type_.members), len(type_.members)
        elif type_.values:
            rows = [initializer(value=f'{value.value:#x}', mask=f'{value.mask:#x}',
                                name=self.strings.place(value.name)) for value in type_.values]
            first, count = self.values.place(rows), len(rows)
        return initializer(name=self.strings.place(type_.name), kind=f'CALL_KIND_{type_.kind.upper()}',
                           size=type_.size, first=first, count=count,
                           base=f'CALL_BASE_{type_.base.upper()}' if type_.base != 'decimal' else 0)

    def variant_list(self, call):
        rows = [initializer(argument=variant.argument, count=len(variant.fields), mask=f'{variant.mask:#x}',
                            first=self.field_list(variant.fields), value=f'{value:#x}')
                for variant in call.variants for value in variant.values]
        return self.variants.place(rows), len(rows)

    def path_list(self, call):
        return self.paths.place([initializer(
            argument=path.argument, at=path.at, flags=path.flags,
            flags_in_memory=int(path.flags >= 0 and call.fields[path.flags].pointer),
            follow='CALL_FOLLOW_' + path.follow.upper().replace('-', '_'),
            follow_mask=f'{path.follow_mask:#x}',
            empty_mask='UINT32_MAX' if path.empty_mask < 0 else f'{path.empty_mask:#x}')
            for path in call.paths])

    def virtual(self, field):
        if field.virtual in VIRTUAL:
            return f'CALL_ON_{field.virtual.upper()}'
        return str(self.tables.errors[field.virtual][0]) if field.virtual else '0'

    def row(self, call):
        if not call:
            return '{ 0 }'
        first_variant, variants = self.variant_list(call)
        virtual = [self.virtual(field) for field in call.fields]
        return initializer(
            name=self.strings.place(call.name), class_=f'CALL_CLASS_{call.class_.upper()}',
            handler=f'CALL_HANDLER_{call.handler.upper()}', level=f'CALL_LEVEL_{call.level.upper()}',
            error=error_number(self.tables, call), waits=int(call.wait),
            result=f'CALL_TYPE_{call.result.name.upper()}', fields=len(call.fields),
            first_field=self.field_list(call.fields), variants=variants, first_variant=first_variant,
            paths=len(call.paths), first_path=self.path_list(call), descriptors=descriptors(call),
            virtual_='{ ' + ', '.join(virtual) + ' }' if descriptors(call) else 0)

    def array(self, declaration, rows):
        return f'const {declaration} = {{\n' + ''.join(f'\t{row},\n' for row in rows) + '};\n\n'

    def names(self, name, words):
        return self.array(f'uint16_t {name}[]', [str(self.strings.place(word)) for word in words])

    def text(self):
        tables = self.tables
        types = [self.type(type_) for type_ in tables.types.values()]
        rows = [self.row(call) for _, call in sorted(tables.calls.items())]
        errors = [initializer(number=number, name=self.strings.place(name), text=self.strings.place(text))
                  for name, (number, text) in tables.errors.items()]
        text = HEAD + '#include "vuos/resident/calls.h"\n\n'
        text += self.array('struct call_row call_rows[CALL_COUNT]', rows)
        text += self.array('struct call_field call_fields[]', self.fields.rows)
        text += self.array('struct call_variant call_variants[]', self.variants.rows)
        text += self.array('struct call_path call_paths[]', self.paths.rows)
        text += self.array('struct call_type call_types[CALL_TYPE_COUNT]', types)
        text += self.array('struct call_value call_values[]', self.values.rows)
        text += self.array('struct call_error call_errors[]', errors)
        text += f'const uint16_t call_errors_count = {len(errors)};\n\n'
        text += self.names('call_class_names', CLASSES) + self.names('call_level_names', LEVELS)
        text += self.names('call_handler_names', handlers(tables))
        return text + 'const char call_strings[] =\n' + '\n'.join(self.strings.lines()) + ';\n'


def source(tables):
    return Source(tables).text()


def prototypes(tables):
    """The handlers' header. Numbers without a row are `unknown`."""
    rows = ''.join(f'call_handler call_{name};\n' for name in handlers(tables)[1:] + ['unknown'])
    return HEAD + '#pragma once\n\n#include "vuos/resident/context.h"\n\n' + rows


def entry(call, source):
    if not call:
        return initializer(handler='call_unknown')
    return initializer(handler=0 if call.handler == 'native' else f'call_{call.handler}', frame=int(call.frame),
                       descriptors=descriptors(call), paths=len(call.paths), first_path=source.path_list(call),
                       error=error_number(source.tables, call))


def dispatch(tables):
    source = Source(tables)  # it gives the paths their places, in the order of the calls
    entries = [(number, call, entry(call, source)) for number, call in sorted(tables.calls.items())]
    rows = ''.join(f'\t[{number}] = {text},\n' for number, call, text in entries
                   if not call or call.handler != 'native' or descriptors(call))
    return (HEAD + '#include "vuos/resident/dispatch.h"\n\n' +
            f'const struct call_entry call_entries[CALL_COUNT] = {{\n{rows}}};\n')


def field_facts(field):
    """What a test has to know of an argument."""
    facts = {'name': field.name, 'type': field.type.name}
    if field.reads_memory():
        facts['memory'] = {number: name for name, number in DIRECTIONS.items()}[field.direction]
    if field.pointer:
        facts['element_size'] = field.type.size
    if field.limit:
        limit = field.limit
        facts['limit'] = {limit.kind: limit.name or limit.value, 'unit': limit.unit}
    for name in ('virtual', 'at', 'follow', 'follow_flag', 'empty'):
        if getattr(field, name):
            facts[name] = getattr(field, name)
    return facts


def call_facts(call):
    facts = {'number': call.number, 'name': call.name, 'class': call.class_, 'handler': call.handler,
             'level': call.level, 'waits': call.wait, 'result': call.result.name,
             'arguments': [field_facts(field) for field in call.fields]}
    if call.errno:
        facts['errno'] = call.errno
    if call.variants:
        facts['variants'] = [
            {'argument': call.fields[variant.argument].name, 'mask': variant.mask, 'values': variant.values,
             'arguments': [field_facts(field) for field in variant.fields]} for variant in call.variants]
    return facts


def conformance(tables):
    return json.dumps([call_facts(call) for call in real_calls(tables)], indent=1) + '\n'


MANUAL_HEAD = '''vuos_calls(7)

# NAME

vuos_calls - the system calls of Linux in a view of VUOS

# DESCRIPTION

Every system call of a program in a view passes through VUOS. This page is made from the table that it
goes by. It says of each call of x86-64, up to those of Linux 6.18, what happens:

*native*
	The call is made as it is.

*handled*
	VUOS answers it, or changes it, so that the program sees what it would see outside.

*refused*
	The call fails with the error that is named, on purpose.

*absent*
	No current kernel has it on x86-64: ENOSYS. It is made as it is, so a future kernel may answer.

A call that is not here (a number beyond {last}) is made as it is. Calls of 32-bit programs and of the
x32 ABI fail with ENOSYS.
'''
MANUAL_TAIL = '''
# SEE ALSO

*syscalls*(2)
'''
TITLES = {
    'path': 'Files by name', 'fd': 'Files by descriptor', 'event': 'Waiting for events', 'net': 'Sockets',
    'id': 'Users and capabilities', 'time': 'Clocks and timers', 'memory': 'Memory',
    'process': 'Processes and threads', 'signal': 'Signals', 'ipc': 'Communication between processes',
    'mount': 'Mounting', 'security': 'Restrictions and keys', 'system': 'The whole system',
}


def escaped(text):
    """Text for scdoc."""
    for special in '\\*_[]':
        text = text.replace(special, '\\' + special)
    return text


def manual_row(call):
    level = f'refused: {call.errno}' if call.errno else call.level
    notes = escaped('; '.join(call.notes)) or ' '
    return f'|  {escaped(call.name)}\n:  {call.number}\n:  {level}\n:  {notes}\n'


def manual(tables):
    text = MANUAL_HEAD.format(last=tables.last)
    for class_ in CLASSES:
        rows = sorted((call for call in real_calls(tables) if call.class_ == class_),
                      key=lambda call: call.name)
        text += f'\n# {TITLES[class_].upper()}\n\n'
        text += '][ *call*\n:[ *number*\n:[ *support*\n:[ *note*\n' + ''.join(map(manual_row, rows))
    return text + MANUAL_TAIL


WRITERS = {'header': header, 'source': source, 'handlers': prototypes, 'dispatch': dispatch, 'manual': manual,
           'json': conformance}


def main(arguments):
    if len(arguments) != 3 or arguments[0] not in WRITERS:
        print('usage: gen_calls.py ' + '|'.join(WRITERS) + ' DIRECTORY OUTPUT', file=sys.stderr)
        return 2
    tables = Tables(arguments[1])
    if tables.faults:
        print('\n'.join(tables.faults), file=sys.stderr)
        return 1
    with open(arguments[2], 'w', encoding='utf-8') as output:
        output.write(WRITERS[arguments[0]](tables))
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))

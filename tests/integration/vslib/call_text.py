# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines of strace and of umvu --trace, taken apart so that what they say can be compared.

A value is a string (bytes), a number, a set of words, a list, or a dictionary of a structure's members. Two
values are the same when they say nothing different: of two structures only the members that both tracers show
are compared, since each leaves out others; an address is like any other.
"""

import dataclasses
import re

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"(?:\.\.\.)?|=>|\.\.\.|[\[\]{}(),=|~]|[^\s\[\]{}(),=|~"]+')
ESCAPES = {'n': 10, 't': 9, 'r': 13, 'v': 11, 'f': 12, '"': 34, '\\': 92}
LARGE = 1 << 20   # numbers from here on that are written in hex are addresses
COMMENT = re.compile(r'/\*.*?\*/')
ENDS = (',', ']', '}', ')', '=', '{', '[', '=>', '')
# What one side says and the other leaves away: names of fields and sets that are 0.
SILENT = {'AT_STATX_SYNC_AS_STAT', 'O_RDONLY', '0'}


class Address:
    """Somewhere in memory."""

    def __repr__(self):
        return 'ADDRESS'


@dataclasses.dataclass
class Call:
    name: str
    arguments: object       # a list, or a dictionary where each has a name
    result: object
    error: str = ''


def string_bytes(text):
    """The bytes of a C string with its quotes; those that were cut end in `...`."""
    cut = text.endswith('...')
    inner = text[1:-4] if cut else text[1:-1]
    data = bytearray()
    for part in re.finditer(r'\\x([0-9a-f]{2})|\\([0-7]{1,3})|\\(.)|([^\\])', inner, re.S):
        if part[1]:
            data.append(int(part[1], 16))
        elif part[2]:
            data.append(int(part[2], 8))
        else:
            data += bytes([ESCAPES[part[3]]]) if part[3] else part[4].encode('latin-1', 'replace')
    return bytes(data) + (b'...' if cut else b'')


def number(text):
    """A number, a product of numbers, or None."""
    if re.fullmatch(r'-?\d+(\*-?\d+)+', text):
        product = 1
        for part in text.split('*'):
            product *= int(part)
        return product
    if re.fullmatch(r'-?0x[0-9a-f]+', text):
        value = int(text, 16)
        return Address() if value >= LARGE else value
    if re.fullmatch(r'0[0-7]+', text):
        return int(text, 8)
    return int(text) if re.fullmatch(r'-?\d+', text) else None


class Parser:
    """Every step takes a token, so it ends with them."""

    def __init__(self, text):
        self.tokens = TOKEN.findall(COMMENT.sub('', text))
        self.at = 0

    def peek(self, ahead=0):
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else ''

    def take(self):
        self.at += 1
        return self.peek(-1)

    def rows(self, end):
        """Values up to END, with commas or blanks between them: a list, or a dictionary if they have names."""
        values, members = [], {}
        while self.peek() not in (end, ''):
            if self.peek() == ',':
                self.take()
            elif self.peek(1) == '=' and re.match(r'[a-z_]', self.peek()):
                name = self.take()
                self.take()
                members[name] = self.value()
            else:
                values.append(self.value())
            if self.peek() == '=>':      # what it was before the call, and what after: ours has only that
                self.take()
                if members:
                    members[name] = self.value()
                else:
                    values[-1] = self.value()
        self.take()
        return members or values

    def value(self):
        token = self.peek()
        if token == '~':
            self.take()
            return {'not': self.value()}
        if token in ('[', '{'):
            self.take()
            return self.rows(']' if token == '[' else '}')
        return string_bytes(self.take()) if token.startswith('"') else self.words()

    def words(self):
        words, word, depth = set(), self.take(), 0
        while self.peek() and (depth or self.peek() not in ENDS) and \
                (depth or self.peek() in ('|', '(') or word in ('', '|')):
            token = self.take()
            depth += (token == '(') - (token == ')')
            if token == '|' and not depth:
                words.add(word)
                word = ''
            else:
                word += token
        words.add(word)
        if len(words) == 1 and number(word) is not None:
            return number(word)
        return frozenset(filter(None, map(plain, words)))


def plain(word):
    """One spelling of a word that has two."""
    word = re.sub(r'^SIG(?=[A-Z]+\d?$)', '', word)
    return {'RTMIN': 'SIGRT_0', '...': ''}.get(word, re.sub(r'^RT_', 'SIGRT_', word))


# How strace writes what we write shorter.
SHORTER = [(re.compile(pattern), text) for pattern, text in (
    (r'(FUTEX_\w+)_PRIVATE\b', r'\1|FUTEX_PRIVATE_FLAG'), (r'htons\((\d+)\)', r'\1'),
    (r'inet_addr\(("[^"]*")\)', r'\1'), (r'\{WIFEXITED\(s\) && WEXITSTATUS\(s\) == (\d+)\}', r'{exited=\1}'),
    (r'\{WIFSIGNALED\(s\) && WTERMSIG\(s\) == (\w+)\}', r'{killed=\1}'), (r'BTRFS_IOC_CLONE or ', ''),
    (r'EXT2_SUPER_MAGIC', 'EXT4_SUPER_MAGIC'))]
# Members that change by themselves, or that are written in another form.
LOOSE = {'f_bfree', 'f_bavail', 'f_ffree', 'f_fsid', 'sin_port'}


def parse(line):
    """A Call; None: the line is of a signal or an end."""
    matched = re.match(r'(\w+)\(', line)
    if not matched:
        return None
    for pattern, text in SHORTER:
        line = pattern.sub(text, line)
    parser = Parser(line[matched.end():])
    arguments = parser.rows(')')
    rest = parser.tokens[parser.at:] + ['', '', '']
    assert rest[0] == '=', line
    result = '?' if rest[1] == '?' else number(rest[1])
    return Call(matched[1], arguments, result, rest[2] if re.fullmatch('E[A-Z0-9]+', rest[2]) else '')


def same(one, other):
    """Whether two values say nothing different."""
    if isinstance(one, Address) or isinstance(other, Address):
        return not (isinstance(one, (bytes, int)) or isinstance(other, (bytes, int)))
    if isinstance(one, dict) and isinstance(other, dict):
        return all(same(one[name], other[name]) for name in one.keys() & other.keys() - LOOSE)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, frozenset) or isinstance(other, frozenset):
        sets = [value if isinstance(value, frozenset) else frozenset([str(value)]) for value in (one, other)]
        return sets[0] - SILENT == sets[1] - SILENT
    return one == other

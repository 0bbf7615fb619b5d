# SPDX-License-Identifier: GPL-2.0-or-later
"""A management socket whose answers the test writes, also ones that no switch gives."""

import os
import socket
import threading

GREETING = (b'VDE switch V.2.3.2\n'
            b'(C) Virtual Square Team (coord. R. Davoli) 2005,2006,2007 - GPLv2\n\nvde$ ')
PROMPT = b'\nvde$ '


class FakeConsole:
    """Serves connections one after the other.

    answers: {command: bytes, None to say nothing, or EOFError to close}; others get 1038. lines: what
    was received. Answers get no prompt added.
    """

    def __init__(self, path, answers=None, greeting=GREETING):
        self.path = str(path)
        self.answers = answers or {}
        self.greeting = greeting
        self.lines = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(self.path)
        self.socket.listen(5)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            with peer:
                try:
                    self._talk(peer)
                except (BrokenPipeError, ConnectionResetError):
                    pass

    def _talk(self, peer):
        peer.sendall(self.greeting)
        for line in peer.makefile('rb'):
            command = line.decode().rstrip('\n')
            self.lines.append(command)
            answer = self.answers.get(command, b'1038 Function not implemented\n' + PROMPT)
            if answer is EOFError:
                return
            if answer is not None:
                peer.sendall(answer)

    def close(self):
        """Stop serving."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(5)
        os.unlink(self.path)


__all__ = ['FakeConsole', 'GREETING', 'PROMPT']

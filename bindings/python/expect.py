"""What the steps of the smoke test lean on: an error that must come, a server that says nothing, a host, silence on purpose."""

import asyncio
import contextlib
import os
import socket
import time

from office import PATIENCE_S


@contextlib.contextmanager
def raises(error, **fields):
    """The block must fail with that error and those fields."""
    try:
        yield
    except error as raised:
        for name, value in fields.items():
            assert getattr(raised, name) == value, (name, getattr(raised, name), value)
    else:
        raise AssertionError("%s was not raised" % error.__name__)


@contextlib.contextmanager
def quiet():
    """The block throws on purpose; what uniffi prints about it would only frighten."""
    with open(os.devnull, "w") as nowhere:
        # Panics are printed by Rust, so the descriptor itself is turned away.
        kept = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        try:
            with contextlib.redirect_stderr(nowhere):
                yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def sync(phone, progress=None, cancel=None):
    return asyncio.run(phone.sync(progress, cancel))


class Silent:
    """A server that takes a request and then says nothing, on the port where the real one was."""

    def __init__(self, port):
        self._listening = socket.socket()
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listening.bind(("127.0.0.1", port))
        self._listening.listen()
        self._listening.settimeout(PATIENCE_S)

    def wait_for_request(self):
        connection, _ = self._listening.accept()
        connection.settimeout(PATIENCE_S)
        assert connection.recv(65536).startswith(b"POST /v1/sync")
        return connection

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listening.close()


def host_of(patrol):
    """A host of our own: it counts how often it is asked, and does something meanwhile if told."""

    class Own(patrol.Host):
        asked = 0
        meanwhile = None

        def now_ms(self):
            Own.asked += 1
            if self.meanwhile:
                self.meanwhile()
            return int(time.time() * 1000)

        def monotonic_ms(self):
            return int(time.monotonic() * 1000)

        def boot(self):
            return 7

        def random(self, len):
            return os.urandom(len)

        def free_bytes(self):
            return 64 << 20

        def app_version(self):
            return "smoke"

    return Own()

"""A TCP line to a database that can be cut in every way a network knows."""

import contextlib
import socket
import struct
import threading
from types import TracebackType

_CHUNK = 64 * 1024
# SO_LINGER with no time: closing sends a reset instead of an orderly end.
_RESET = struct.pack("ii", 1, 0)


class Cable:
    """Listens on a port of its own and passes bytes on to `port`, as long as its `state` is "whole".

    "silent": connections are accepted and stay open, nothing comes through, in either direction.
    "resetting": connections are reset, at once where there is nothing to read, else at the first byte.
    "spoiling": requests come through, of each answer only the first half and then no more, or, on every second
    connection, one byte at a time.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self.state = "whole"
        self._changed = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = int(self._listener.getsockname()[1])
        self._ends: set[socket.socket] = set()
        self._closed = False

    def __enter__(self) -> "Cable":
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closed = True
        self.set("whole")
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._wake_all()

    def set(self, state: str) -> None:
        """Change the state, of open connections too. Those that were cut do not come back to life."""
        with self._changed:
            before, self.state = self.state, state
            self._changed.notify_all()
        if before == "spoiling":
            self._wake_all()

    def _wake_all(self) -> None:
        for end in list(self._ends):
            _wake(end)

    def _listen(self) -> None:
        while not self._closed:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        self._ends.add(near)
        if self.state == "resetting":
            _reset(near)
            return
        self._wait_while_silent()
        try:
            far = socket.create_connection(("127.0.0.1", self._target), timeout=5)
        except OSError:
            _reset(near)
            return
        far.settimeout(None)
        self._ends.add(far)
        threading.Thread(target=self._pass, args=(near, far, False), daemon=True).start()
        self._pass(far, near, True)

    def _pass(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(_CHUNK):
                self._wait_while_silent()
                if self.state == "resetting":
                    break
                if self.state == "spoiling" and is_answer:
                    self._spoil(chunk, sink)
                sink.sendall(chunk)
        _reset(source)
        _wake(sink)
        self._ends.discard(source)

    def _spoil(self, answer: bytes, sink: socket.socket) -> None:
        """Ends with the state, and the connection with it."""
        half = sink.fileno() % 2 == 0
        if half:
            sink.sendall(answer[: len(answer) // 2])
        for byte in b"" if half else answer:
            sink.sendall(bytes([byte]))
            with self._changed:
                if self._changed.wait_for(lambda: self.state != "spoiling", timeout=0.2):
                    break
        with self._changed:
            self._changed.wait_for(lambda: self.state != "spoiling")
        raise ConnectionResetError

    def _wait_while_silent(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self.state != "silent")


def _reset(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    end.close()


def _wake(end: socket.socket) -> None:
    """End what another thread waits for; that thread closes it."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)

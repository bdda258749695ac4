"""The reactor for asyncio, which `dividere.aio` gives out."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

from dividere import _logging
from dividere._reactor import handler_for, refuse
from dividere.errors import Closed, DecodeError

if TYPE_CHECKING:
    from dividere.aio import _Receiving

logger = _logging.messaging


class MsgReactor:
    """Receives from several objects as a task of the loop. Derive from it, with a method `handleX(self, obj, msg)` for
    each type of message X (`handleX(self, obj, id, msg)` for a routed one); methods may be coroutines. Messages of
    one object are handled one after the other, those of different ones side by side.

        async with MyReactor([aio.Response("tcp://*:5555")]) as reactor:
            await reactor.wait_stopped()
    """

    def __init__(self, obj: _Receiving | list[_Receiving]) -> None:
        self.objList_: list[_Receiving] = obj if isinstance(obj, list) else [obj]
        self._tasks: list[asyncio.Task[None]] = []
        self._stopped: asyncio.Event | None = None

    def start(self) -> None:
        """Begins to receive, in the running loop."""
        self._stopped = asyncio.Event()
        self._tasks = [asyncio.ensure_future(self._serve(one)) for one in self.objList_]

    async def stop(self) -> None:
        """Ends it after the handlers that are under way: what was taken is handled, what was not stays."""
        if self._stopped is not None:
            self._stopped.set()
        current = asyncio.current_task()
        others = [task for task in self._tasks if task is not current]
        if others:
            # Who gives up waiting for the handlers does not end them.
            await asyncio.shield(asyncio.gather(*others))

    async def wait_stopped(self) -> None:
        """Until it is stopped."""
        if self._stopped is not None:
            await self._stopped.wait()

    async def handleShutdownEvent(self, obj: Any, msg: Any) -> None:
        """Ends the reactor."""
        if self._stopped is not None:
            self._stopped.set()

    async def __aenter__(self) -> MsgReactor:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def __repr__(self) -> str:
        running = self._stopped is not None and not self._stopped.is_set()
        return f"<{type(self).__module__}.{type(self).__qualname__} {'running' if running else 'stopped'}>"

    async def _serve(self, one: _Receiving) -> None:
        assert self._stopped is not None
        stopped = asyncio.ensure_future(self._stopped.wait())
        try:
            while not stopped.done():
                if getattr(one._inner, "_owing", False):
                    await self._until_answered(one._inner, stopped)
                    continue
                receiving = asyncio.ensure_future(one.recv())
                try:
                    await asyncio.wait({receiving, stopped}, return_when=asyncio.FIRST_COMPLETED)
                except asyncio.CancelledError:
                    if receiving.done() and not receiving.cancelled() and not receiving.exception():
                        # It was taken already.
                        await self._dispatch(one, receiving.result())
                    raise
                finally:
                    # Does nothing where it has a message.
                    receiving.cancel()
                try:
                    received = await receiving
                except asyncio.CancelledError:
                    if not receiving.cancelled():
                        raise
                    return
                except Closed:
                    return
                except DecodeError as error:
                    logger.error("a message of no use at %r: %s", one, error)
                    continue
                except Exception:
                    logger.exception("%r cannot be received from", one)
                    return
                await self._dispatch(one, received)
        finally:
            stopped.cancel()

    @staticmethod
    async def _until_answered(inner: Any, stopped: asyncio.Future[Any]) -> None:
        """Until a response, which receives nothing before, has sent the answer that a handler left for later: from a
        coroutine, or from another thread."""
        loop = asyncio.get_running_loop()
        answered = asyncio.Event()

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(answered.set)
            except RuntimeError:
                # The loop ended meanwhile, and nobody waits.
                pass

        inner._when_answered = wake
        waiting = asyncio.ensure_future(answered.wait())
        try:
            if inner._owing:
                await asyncio.wait({waiting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            inner._when_answered = None
            waiting.cancel()

    async def _dispatch(self, one: _Receiving, received: Any) -> None:
        arguments = (one, *received) if isinstance(received, tuple) else (one, received)
        name, handler = handler_for(self, one, arguments[-1])
        if handler is None:
            refuse(one._inner, name, None)
            return
        try:
            outcome = handler(*arguments)
            if inspect.isawaitable(outcome):
                await outcome
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and _is_cancelled():
                raise
            logger.exception("%s.%s failed", type(self).__name__, name)
            refuse(one._inner, name, error)


def _is_cancelled() -> bool:
    """Whether the task that runs was cancelled itself, and not only what it waited for; before Python 3.11, which
    cannot tell, always."""
    task: Any = asyncio.current_task()
    return not hasattr(task, "cancelling") or bool(task.cancelling())

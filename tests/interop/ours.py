"""The name registry of the C ABI, as far as the tests against dividere 2.2.0 need it: from the tree in $BUILD."""

import ctypes
import importlib.util
import os
import pathlib

LIMIT_MS = 20000

NOT_FOUND = 500
UNSUPPORTED = 900
OPTION_PUBLISH_ENDPOINT = 200
OPTION_ADVERTISE = 208


class Handle(ctypes.Structure):
    _fields_ = [("id", ctypes.c_uint64)]


def declarations():
    """What is made from the header for the Python binding: its structs are written in no other place."""
    path = pathlib.Path(__file__).parents[2] / "bindings" / "python" / "dividere" / "_abi.py"
    spec = importlib.util.spec_from_file_location("dividere_declarations", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


InstanceView = declarations().Instance


def load():
    build = pathlib.Path(os.environ.get("BUILD", "build/test"))
    library = ctypes.CDLL(str((build / "lib" / "libdividere.so").resolve()))
    library.dividere_last_error.restype = ctypes.c_char_p
    library.dividere_instances_count.restype = ctypes.c_size_t
    library.dividere_instances_count.argtypes = [ctypes.c_void_p]
    library.dividere_instances_free.argtypes = [ctypes.c_void_p]
    library.dividere_instances_get.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
    return library


LIBRARY = load()


class Failed(Exception):
    def __init__(self, status):
        super().__init__(f"status {status}: {LIBRARY.dividere_last_error().decode()}")
        self.status = status


def check(status):
    if status != 0:
        raise Failed(status)


def options(**texts):
    made = ctypes.c_void_p()
    check(LIBRARY.dividere_options_new(ctypes.byref(made)))
    keys = {"publish_endpoint": OPTION_PUBLISH_ENDPOINT, "advertise": OPTION_ADVERTISE}
    for name, text in texts.items():
        check(LIBRARY.dividere_options_set_string(made, keys[name], text.encode()))
    return made


class Server:
    """Our registry."""

    def __init__(self, port, publish_port):
        self.handle = Handle()
        made = options(publish_endpoint=f"tcp://127.0.0.1:{publish_port}")
        endpoint = f"tcp://127.0.0.1:{port}".encode()
        status = LIBRARY.dividere_registry_server_new(endpoint, made, ctypes.byref(self.handle))
        LIBRARY.dividere_options_free(made)
        check(status)

    def close(self):
        check(LIBRARY.dividere_registry_server_close(self.handle))


class Client:
    """Our client; its services are on 127.0.0.1."""

    def __init__(self, port, publish_port, *other_ports):
        self.handle = Handle()
        made = options(advertise="127.0.0.1", publish_endpoint=f"tcp://127.0.0.1:{publish_port}")
        endpoints = ",".join(f"tcp://localhost:{number}" for number in (port, *other_ports)).encode()
        status = LIBRARY.dividere_registry_client_new(endpoints, made, ctypes.byref(self.handle))
        LIBRARY.dividere_options_free(made)
        check(status)

    def register(self, name, port):
        registration = ctypes.c_uint64()
        call = LIBRARY.dividere_registry_client_register
        limit = ctypes.c_int64(LIMIT_MS)
        check(
            call(
                self.handle, name.encode(), port, None, ctypes.c_size_t(0), limit, ctypes.byref(registration)
            )
        )
        return registration

    def unregister(self, registration):
        limit = ctypes.c_int64(LIMIT_MS)
        check(LIBRARY.dividere_registry_client_unregister(self.handle, registration, limit))

    def _find(self, call, name):
        found = ctypes.c_void_p()
        check(call(self.handle, name.encode(), ctypes.c_int64(LIMIT_MS), ctypes.byref(found)))
        places = []
        view = InstanceView()
        for index in range(LIBRARY.dividere_instances_count(found)):
            check(LIBRARY.dividere_instances_get(found, index, ctypes.byref(view)))
            places.append((ctypes.string_at(view.server).decode(), view.port, view.lease_ms))
        LIBRARY.dividere_instances_free(found)
        return places

    def lookup(self, name):
        return self._find(LIBRARY.dividere_registry_client_lookup, name)[0]

    def lookup_all(self, name):
        return self._find(LIBRARY.dividere_registry_client_lookup_all, name)

    def list(self, prefix):
        return self._find(LIBRARY.dividere_registry_client_list, prefix)

    def watch(self, name):
        watch = Handle()
        call = LIBRARY.dividere_registry_client_watch
        check(call(self.handle, name.encode(), 0, ctypes.c_int64(LIMIT_MS), ctypes.byref(watch)))

    def close(self):
        check(LIBRARY.dividere_registry_client_close(self.handle))


# int32_t (*)(void *context, dividere_service_t, dividere_message_t *request, dividere_message_t *reply)
HANDLER = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p)


class Service:
    """Our service: it answers each ServiceLookupReq with `ack{ok}`."""

    def __init__(self, name, client):
        self.handle = Handle()
        # Nobody else keeps it.
        self.handler = HANDLER(self._handle)
        made = LIBRARY.dividere_service_new(
            name.encode(), client.handle, b"tcp://127.0.0.1:*", None, 1, 10, None, ctypes.c_size_t(0),
            ctypes.byref(self.handle),
        )  # fmt: skip
        check(made)
        check(LIBRARY.dividere_service_on(self.handle, b"ServiceLookupReq", self.handler, None, None))
        check(LIBRARY.dividere_service_start(self.handle, ctypes.c_int64(LIMIT_MS)))

    @staticmethod
    def _handle(_context, _service, _request, reply):
        payload = b"\x08\x01"
        return LIBRARY.dividere_message_set(ctypes.c_void_p(reply), b"ack", payload, ctypes.c_size_t(2))

    def stop(self):
        check(LIBRARY.dividere_service_stop(self.handle, ctypes.c_int64(LIMIT_MS)))


class ServiceClient:
    """Our client of a service."""

    def __init__(self, name, client):
        self.handle = Handle()
        check(
            LIBRARY.dividere_service_client_new(name.encode(), client.handle, None, ctypes.byref(self.handle))
        )

    def call(self):
        """Whether the answer is `ack{ok}`."""
        request, reply = ctypes.c_void_p(), ctypes.c_void_p()
        check(LIBRARY.dividere_message_new(ctypes.byref(request)))
        check(LIBRARY.dividere_message_new(ctypes.byref(reply)))
        try:
            check(LIBRARY.dividere_message_set(request, b"ServiceLookupReq", None, ctypes.c_size_t(0)))
            limit = ctypes.c_int64(LIMIT_MS)
            check(LIBRARY.dividere_service_client_call(self.handle, request, reply, limit, 0))
            return LIBRARY.dividere_message_is(reply, b"ack") == 1
        finally:
            LIBRARY.dividere_message_free(request)
            LIBRARY.dividere_message_free(reply)

    def close(self):
        check(LIBRARY.dividere_service_client_close(self.handle))

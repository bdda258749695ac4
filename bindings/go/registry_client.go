package dividere

// The client of name registries.

// #include "shim.h"
import "C"

import (
	"context"
	"runtime"
	"unsafe"
)

// A RegistryClient registers services with a name registry and finds them there. With several registries it asks the
// one that answered last, and the next where that fails; they need not know of each other.
//
// What it registers stays registered until it is unregistered or the client closed: a thread of its own renews the
// leases, and registers again where a registry comes back empty or another one takes over. A client that has registered
// something is not collected before it was closed.
//
// A call that a registry answers late, or never, holds a thread of the system until its context is over, and for at most
// 2 s after that; there are no more than 8 such threads, on which calls take turns of 2 s where there are more of them.
type RegistryClient struct {
	h *handle
}

// NewRegistryClient makes a client of the registries at the comma-separated endpoints. It waits for nothing.
func NewRegistryClient(endpoints string, options ...Option) (*RegistryClient, error) {
	h, err := open(endpoints, options, FullQueueDrop,
		func(endpoints *C.char, s *settings, made *C.dividere_registry_client_t) C.dividere_status_t {
			return C.dividere_registry_client_new(endpoints, s.options, made)
		},
		func(made C.dividere_registry_client_t) C.dividere_status_t {
			return C.dividere_registry_client_close(made)
		})
	if err != nil {
		return nil, err
	}
	return &RegistryClient{h}, nil
}

func (r *RegistryClient) native() C.dividere_registry_client_t {
	if r == nil {
		return C.dividere_registry_client_t{}
	}
	return C.dividere_registry_client_t(r.h.socket())
}

// Close ends it: what it registered is unregistered, where a registry hears that within the linger time; its watches
// end, and blocked calls return ErrClosed. Closing again does nothing.
func (r *RegistryClient) Close() error { return r.h.close() }

// A Registration is what RegistryClient.Register registered.
type Registration struct {
	client *RegistryClient
	id     uint64
}

// ID is the number of the instance, as Instance has it.
func (r *Registration) ID() uint64 { return r.id }

// Register makes a service known under name: its TCP port on this host, and metadata, what it wants to tell of itself.
// The host is the address that leads to the registry, or what WithAdvertise says. Several services may have the same
// name. Where this process dies or stands still, the service is gone when its lease is over (WithLease).
//
// ErrLimit where the registry has no room for it or grants no such lease. When ctx is over first it is not registered,
// and taken out again where a registry took it in nevertheless.
func (r *RegistryClient) Register(ctx context.Context, name string, port int, metadata []byte) (*Registration, error) {
	if port < 1 || port > 65535 {
		return nil, errorf(StatusInvalidArgument, "a port is from 1 to 65535")
	}
	r.h.works()
	id, err := ask(ctx, r, name, func(name *C.char, ms C.int64_t) (uint64, error) {
		var id C.uint64_t
		err := check(func() C.dividere_status_t {
			return C.dividere_registry_client_register(r.native(), name, C.uint32_t(port),
				unsafe.Pointer(unsafe.SliceData(metadata)), C.size_t(len(metadata)), ms, &id)
		})
		return uint64(id), err
	}, func(id uint64) {
		// Its lease ends it where this fails: nobody is there to be told.
		_ = r.unregister(id, C.int64_t(oneTurn.Milliseconds()))
	})
	if err != nil {
		return nil, err
	}
	return &Registration{r, id}, nil
}

func (r *RegistryClient) unregister(id uint64, ms C.int64_t) error {
	return r.h.call(func(socket C.dividere_socket_t) C.dividere_status_t {
		return C.dividere_registry_client_unregister(C.dividere_registry_client_t(socket), C.uint64_t(id), ms)
	})
}

// Unregister takes it out. It is not renewed from here on, whatever the outcome: where that is an error, it is gone when
// its lease is over. ErrNotFound where it was taken out before.
func (r *Registration) Unregister(ctx context.Context) error {
	if r.client == nil {
		return errorf(StatusClosed, "the registration was never made: RegistryClient.Register does")
	}
	return blockingOnly(ctx, true, func(ms C.int64_t) error { return r.client.unregister(r.id, ms) })
}

// ask makes a call with a name.
func ask[T any](ctx context.Context, r *RegistryClient, name string,
	call func(name *C.char, ms C.int64_t) (T, error), late func(T),
) (T, error) {
	if err := withoutNul(name); err != nil {
		var none T
		return none, err
	}
	return blocking(ctx, false, func(ms C.int64_t) (T, error) {
		defer runtime.KeepAlive(r.h)
		text := C.CString(name)
		defer C.free(unsafe.Pointer(text))
		return call(text, ms)
	}, late)
}

func (r *RegistryClient) find(ctx context.Context, name string,
	call func(name *C.char, ms C.int64_t, into **C.dividere_instances_t) C.dividere_status_t,
) ([]Instance, error) {
	return ask(ctx, r, name, func(name *C.char, ms C.int64_t) ([]Instance, error) {
		return instancesFrom(func(into **C.dividere_instances_t) C.dividere_status_t { return call(name, ms, into) })
	}, nil)
}

// Lookup finds one instance of a service; where there are several they take turns. ErrNotFound, at once, where there is
// none.
func (r *RegistryClient) Lookup(ctx context.Context, name string) (Instance, error) {
	found, err := r.find(ctx, name, func(name *C.char, ms C.int64_t, into **C.dividere_instances_t) C.dividere_status_t {
		return C.dividere_registry_client_lookup(r.native(), name, ms, into)
	})
	if err != nil {
		return Instance{}, err
	}
	return found[0], nil
}

// LookupAll finds all instances of a service; that there is none is no error.
func (r *RegistryClient) LookupAll(ctx context.Context, name string) ([]Instance, error) {
	return r.find(ctx, name, func(name *C.char, ms C.int64_t, into **C.dividere_instances_t) C.dividere_status_t {
		return C.dividere_registry_client_lookup_all(r.native(), name, ms, into)
	})
}

// List finds all instances whose names begin with prefix, which may be empty, in the order of the names. ErrUnsupported
// where the registry is of dividere 2.2.0.
func (r *RegistryClient) List(ctx context.Context, prefix string) ([]Instance, error) {
	return r.find(ctx, prefix, func(name *C.char, ms C.int64_t, into **C.dividere_instances_t) C.dividere_status_t {
		return C.dividere_registry_client_list(r.native(), name, ms, into)
	})
}

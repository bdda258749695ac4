package dividere

// The end of what works by itself.

// #include "shim.h"
import "C"

import (
	"context"
	"time"
)

// How soon a fault is noticed, at the latest: one that nobody expects, so that it is not looked for all the time.
const endLook = 100 * time.Millisecond

// waitEnded waits until a look says something else than that it goes on: nil where the handle was closed.
func (h *handle) waitEnded(ctx context.Context, look func(socket C.dividere_socket_t) C.dividere_status_t) error {
	if h == nil {
		return errorf(StatusClosed, "the handle was never made")
	}
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	attempt := func() error { return h.call(look) }
	err := attempt()
	if isWouldBlock(err) {
		err = h.lookWithin(ctx, endLook, attempt)
	}
	if err != nil && statusOf(err) == StatusClosed {
		return nil
	}
	return err
}

// WaitEnded waits until the broker has ended: nil where it was closed, also before; where one of its own threads failed,
// what went wrong, within 100 ms. It serves nobody then, and is still to be closed.
func (b *Broker) WaitEnded(ctx context.Context) error {
	return b.h.waitEnded(ctx, func(socket C.dividere_socket_t) C.dividere_status_t {
		return C.dividere_broker_wait_ended(C.dividere_broker_t(socket), 0)
	})
}

// WaitEnded waits until the proxy has ended, as that of a Broker does.
func (p *Proxy) WaitEnded(ctx context.Context) error {
	return p.h.waitEnded(ctx, func(socket C.dividere_socket_t) C.dividere_status_t {
		return C.dividere_proxy_wait_ended(C.dividere_proxy_t(socket), 0)
	})
}

// WaitEnded waits until the registry has ended, as that of a Broker does.
func (r *RegistryServer) WaitEnded(ctx context.Context) error {
	return r.h.waitEnded(ctx, func(socket C.dividere_socket_t) C.dividere_status_t {
		return C.dividere_registry_server_wait_ended(C.dividere_registry_server_t(socket), 0)
	})
}

// WaitEnded waits until the service has ended, by Stop, too, as that of a Broker does. A service that failed is taken out of
// the registry.
func (s *Service) WaitEnded(ctx context.Context) error {
	return s.h.waitEnded(ctx, func(socket C.dividere_socket_t) C.dividere_status_t {
		return C.dividere_service_wait_ended(C.dividere_service_t(socket), 0)
	})
}

// WaitEnded waits until the worker has ended, by Stop, too, as that of a Broker does.
func (w *Worker) WaitEnded(ctx context.Context) error {
	return w.h.waitEnded(ctx, func(socket C.dividere_socket_t) C.dividere_status_t {
		return C.dividere_worker_wait_ended(C.dividere_worker_t(socket), 0)
	})
}

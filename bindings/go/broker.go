package dividere

// The broker of the load balancer.

// #include "shim.h"
import "C"

import (
	"context"
)

// A Broker hands the requests of clients to workers, from its making to its Close, on a thread of its own. A request goes
// to the worker that has the least to do and has been idle for longest, waits where none is free, and is answered once.
// Clients and workers of dividere 2.2.0 are served, too. It is not collected before it was closed.
//
// Its client is a request: with retries it may be repeated, and is handed to another worker where the first one dies. The
// call returns ErrBusy where the queue is full, and ErrUnreachable where the worker is gone and the request may not be
// repeated: whether it was served is not known then.
type Broker struct {
	h *handle
}

// BrokerStatistics is how a broker stands, and what it counted since it was made; exact at one moment.
type BrokerStatistics struct {
	// Workers are there; of these, IdleWorkers have nothing to do.
	Workers, IdleWorkers uint64
	// Queued requests wait for a worker, Working ones are with one.
	Queued, Working uint64
	// Served counts requests that a worker answered.
	Served uint64
	// Retried counts how often a request was handed to another worker, because the one before did not answer.
	Retried uint64
	// Refused counts requests that found the queue full.
	Refused uint64
	// Failed counts requests that were lost with their worker, or kept by it for too long, and not handed to another.
	Failed uint64
	// Expired counts requests that nobody waited for any more when their turn came.
	Expired uint64
	// Late counts answers that nobody waited for any more: of a worker that was given up, or a second one.
	Late uint64
}

// NewBroker makes a broker that binds to the endpoints of its front end, for clients, and of its back end, for workers,
// each a comma-separated list (">" in front connects). The options are for both its sockets. Fails as NewPublisher.
func NewBroker(front, back string, options ...Option) (*Broker, error) {
	if err := withoutNul(back); err != nil {
		return nil, err
	}
	h, err := open(front, options, FullQueueDrop,
		func(front *C.char, s *settings, made *C.dividere_broker_t) C.dividere_status_t {
			other := C.CString(back)
			defer freeText(other)
			return C.dividere_broker_new(front, other, s.options, made)
		},
		func(made C.dividere_broker_t) C.dividere_status_t { return C.dividere_broker_close(made) })
	if err != nil {
		return nil, err
	}
	h.works()
	return &Broker{h}, nil
}

// Close stops it, within 50 ms, and closes its sockets: their addresses are free again when this returns. Requests that
// wait for a worker, or for its answer, are answered with ErrUnreachable. Closing again does nothing.
func (b *Broker) Close() error { return b.h.close() }

// Statistics gives how it stands now.
func (b *Broker) Statistics() (BrokerStatistics, error) {
	var c C.dividere_broker_statistics_t
	err := b.h.call(func(socket C.dividere_socket_t) C.dividere_status_t {
		return C.dividere_broker_statistics(C.dividere_broker_t(socket), &c)
	})
	return BrokerStatistics{
		Workers: uint64(c.workers), IdleWorkers: uint64(c.idle_workers), Queued: uint64(c.queued),
		Working: uint64(c.working), Served: uint64(c.served), Retried: uint64(c.retried), Refused: uint64(c.refused),
		Failed: uint64(c.failed), Expired: uint64(c.expired), Late: uint64(c.late),
	}, err
}

// WaitForWorkers waits until so many workers are there.
func (b *Broker) WaitForWorkers(ctx context.Context, count int) error {
	if count < 0 {
		return errorf(StatusInvalidArgument, "a negative number of workers")
	}
	return b.h.until(ctx, func(socket C.dividere_socket_t) C.dividere_status_t {
		return C.dividere_broker_wait_workers(C.dividere_broker_t(socket), C.uint64_t(count), 0)
	})
}

// FrontEndpoint gives the endpoint that the front end is bound to, the last one where there are several. ErrNotFound
// where it is bound to none.
func (b *Broker) FrontEndpoint() (string, error) { return b.endpoint(C.DIVIDERE_BROKER_SIDE_FRONT) }

// BackEndpoint gives the endpoint that the back end is bound to. Fails as FrontEndpoint.
func (b *Broker) BackEndpoint() (string, error) { return b.endpoint(C.DIVIDERE_BROKER_SIDE_BACK) }

func (b *Broker) endpoint(side C.int32_t) (string, error) {
	return b.h.endpointOf(func(socket C.dividere_socket_t, buffer *C.char, size C.size_t, length *C.size_t) C.dividere_status_t {
		return C.dividere_broker_last_endpoint(C.dividere_broker_t(socket), side, buffer, size, length)
	})
}

// FrontStatistics gives what the connections of clients counted so far, BackStatistics those of workers.
func (b *Broker) FrontStatistics() (Statistics, error) {
	return b.statistics(C.DIVIDERE_BROKER_SIDE_FRONT)
}

// BackStatistics gives what the connections of workers counted so far.
func (b *Broker) BackStatistics() (Statistics, error) {
	return b.statistics(C.DIVIDERE_BROKER_SIDE_BACK)
}

// RecvFrontEvent takes the oldest event of the connections of clients, or waits for one. The last 1024 are kept.
func (b *Broker) RecvFrontEvent(ctx context.Context) (Event, error) {
	return b.recvEvent(ctx, C.DIVIDERE_BROKER_SIDE_FRONT)
}

// RecvBackEvent takes the oldest event of the connections of workers, or waits for one. The last 1024 are kept.
func (b *Broker) RecvBackEvent(ctx context.Context) (Event, error) {
	return b.recvEvent(ctx, C.DIVIDERE_BROKER_SIDE_BACK)
}

func (b *Broker) recvEvent(ctx context.Context, side C.int32_t) (Event, error) {
	var c C.dividere_event_t
	err := b.h.until(ctx, func(socket C.dividere_socket_t) C.dividere_status_t {
		return C.dividere_broker_event_recv(C.dividere_broker_t(socket), side, &c, 0)
	})
	if err != nil {
		return Event{}, err
	}
	return eventOf(&c), nil
}

func (b *Broker) statistics(side C.int32_t) (Statistics, error) {
	var c C.dividere_statistics_t
	err := b.h.call(func(socket C.dividere_socket_t) C.dividere_status_t {
		return C.dividere_broker_side_statistics(C.dividere_broker_t(socket), side, &c)
	})
	return statisticsOf(&c), err
}

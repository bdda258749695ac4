package dividere

// The worker of the load balancer.

// #include "serving.h"
import "C"

import (
	"context"

	"google.golang.org/protobuf/proto"
)

// A Worker serves what brokers hand it: as many requests at once, from each broker, as WithCapacity says. Requests are
// handled by a handler (Serve), or received one by one (RecvMessage). A thread of its own answers the brokers, also while all
// handlers work, and announces the worker again when a broker comes back. One that has a handler is not collected before
// it was closed.
type Worker struct {
	Socket
	ctx context.Context
}

// NewWorker makes a worker, which connects to each of the comma-separated endpoints ("@" in front binds), the back end of
// a broker each. Its name is a random UUID unless WithIdentity says otherwise. Fails as NewPublisher.
func NewWorker(endpoints string, options ...Option) (*Worker, error) {
	h, err := open(endpoints, options, FullQueueDrop,
		func(endpoints *C.char, s *settings, made *C.dividere_worker_t) C.dividere_status_t {
			return C.dividere_worker_new(endpoints, s.options, made)
		},
		func(made C.dividere_worker_t) C.dividere_status_t { return C.dividere_worker_close(made) })
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.before = cancel
	return &Worker{Socket{h}, ctx}, nil
}

// Serve calls handler for each request from now on, on as many threads as the worker has capacity. A request of another
// type than Q (proto.Message takes any) is answered with ErrType; what the handler returns is the answer, as Handle has
// it. ErrState where the worker has a handler already.
//
//	dividere.Serve(worker, func(ctx context.Context, job *pb.Job) (*pb.Done, error) {
func Serve[Q, R proto.Message](worker *Worker, handler func(ctx context.Context, request Q) (R, error)) error {
	if handler == nil {
		return errNoTask
	}
	worker.h.works()
	return worker.h.call(func(socket C.dividere_socket_t) C.dividere_status_t {
		return C.go_worker_serve(C.dividere_worker_t(socket), (&server{worker.ctx, typed(handler)}).context())
	})
}

// Close closes the worker at once: blocked calls return ErrClosed, and what it has not answered is lost with it, which a
// broker notices and makes up for. It waits for handlers under way, whose context ends, at most for 10 s (then
// ErrTimeout); in a handler it does not. Closing again does nothing.
func (w *Worker) Close() error { return w.h.close() }

// Stop takes no more requests, tells the brokers so, waits until those that it has are answered, and closes it. Where ctx
// is over first it is closed all the same, and Stop returns ctx.Err(). A handler that stops its worker does it in a
// goroutine: it would wait for itself.
func (w *Worker) Stop(ctx context.Context) error {
	return w.h.stop(ctx, func(socket C.dividere_socket_t, ms C.int64_t) C.dividere_status_t {
		return C.dividere_worker_stop(C.dividere_worker_t(socket), ms)
	})
}

// RecvMessage receives the next request, to be answered by its Reply, once, at any time and by any goroutine; it waits as
// long as ctx allows. One that is no envelope is answered with an error by itself; here it is a DecodeError, and the next
// one can be received.
func (w *Worker) RecvMessage(ctx context.Context) (*Message, error) {
	return receiving{w.h}.RecvMessage(ctx)
}

// RecvRaw is RecvMessage without looking for an envelope: requests of any bytes are to be answered by the caller then.
func (w *Worker) RecvRaw(ctx context.Context) (*Message, error) {
	return receiving{w.h}.RecvRaw(ctx)
}

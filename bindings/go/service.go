package dividere

// Serves requests under a name.

// #include "serving.h"
import "C"

import (
	"context"
	"time"
	"unsafe"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A Service serves requests under a name, and answers each: with a reply, or with an error. The asker gets
// ErrUnsupported for a type that no handler is for, ErrDecode for what is no envelope, and what a handler returned as an
// error; ErrBusy where too many wait, and ErrClosed while it stops: these two say that nothing was done, and a
// ServiceClient asks another instance.
//
// Handlers run on threads of the service's own, as many at once as WithWorkers says, and may do what they like. From
// Start on it is not collected before it was closed.
type Service struct {
	h      *handle
	ctx    context.Context
	cancel context.CancelFunc
}

// settings of a service.
type serviceSettings struct {
	endpoint    string
	workers     uint32
	mostWaiting uint32
	metadata    []byte
}

func ofService(set func(s *serviceSettings)) Option {
	return func(s *settings) error {
		if s.service == nil {
			return errorf(StatusInvalidArgument, "an option of a service, and this is none")
		}
		set(s.service)
		return nil
	}
}

// WithServiceEndpoint sets where a service is bound, on TCP: "tcp://127.0.0.1:*". Unless set it is the first free port
// from 5101 to 6000, on all interfaces. Bound to one address it is registered with that, unless its RegistryClient has
// WithAdvertise.
func WithServiceEndpoint(endpoint string) Option {
	return func(s *settings) error {
		if err := withoutNul(endpoint); err != nil {
			return err
		}
		return ofService(func(s *serviceSettings) { s.endpoint = endpoint })(s)
	}
}

// WithWorkers sets how many handlers of a service run at once, 1 to 1024. 1 unless set.
func WithWorkers(workers int) Option {
	return ofService(func(s *serviceSettings) { s.workers = within32(workers) })
}

// WithMostWaiting sets how many requests wait for a worker of a service; more are refused with ErrBusy. 1000 unless set.
func WithMostWaiting(requests int) Option {
	return ofService(func(s *serviceSettings) { s.mostWaiting = within32(requests) })
}

// WithMetadata sets what a service tells of itself in the registry.
func WithMetadata(metadata []byte) Option {
	return ofService(func(s *serviceSettings) { s.metadata = append([]byte(nil), metadata...) })
}

// within32 makes what does not fit the largest number, which is refused.
func within32(n int) uint32 {
	return uint32(min(uint64(n), 1<<32-1))
}

// NewService makes a service of this name and binds it. It is registered by registry, which several services and clients
// may share, from Start on. ErrAddressInUse where no port is free.
func NewService(name string, registry *RegistryClient, options ...Option) (*Service, error) {
	var own serviceSettings
	withOwn := func(s *settings) error {
		s.service = &own
		own = serviceSettings{workers: 1, mostWaiting: 1000}
		return nil
	}
	h, err := open(name, append([]Option{withOwn}, options...), FullQueueDrop,
		func(name *C.char, s *settings, made *C.dividere_service_t) C.dividere_status_t {
			var endpoint *C.char
			if own.endpoint != "" {
				endpoint = C.CString(own.endpoint)
				defer C.free(unsafe.Pointer(endpoint))
			}
			return C.dividere_service_new(name, registry.native(), endpoint, s.options, C.uint32_t(own.workers),
				C.uint32_t(own.mostWaiting), unsafe.Pointer(unsafe.SliceData(own.metadata)), C.size_t(len(own.metadata)),
				made)
		},
		func(made C.dividere_service_t) C.dividere_status_t { return C.dividere_service_close(made) })
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.needs = registry.h
	h.before = cancel
	return &Service{h, ctx, cancel}, nil
}

func (s *Service) native() C.dividere_service_t { return C.dividere_service_t(s.h.socket()) }

// Handle calls handler for requests of the type Q, in place of the one set before; nil takes it away; with proto.Message as Q, for those of
// any type that no other handler is for. What it returns is the answer: a reply, or an error, of which the asker gets
// the text, and the status where it is one of this package (see NewError), else ErrRemote. A panic is ErrRemote, too, and
// goes to slog.Default with its stack; runtime.Goexit, as t.FailNow of package testing calls it, ends the process. At any
// time, from any goroutine; ctx ends when the service is closed, or stopping took too long.
//
//	dividere.Handle(service, func(ctx context.Context, question *pb.Question) (*pb.Answer, error) {
func Handle[Q, R proto.Message](service *Service, handler func(ctx context.Context, request Q) (R, error)) error {
	if handler == nil {
		return service.on(NameOf[Q](), nil)
	}
	return service.on(NameOf[Q](), typed(handler))
}

func (s *Service) on(name protoreflect.FullName, serve func(context.Context, *slot, *slot) error) error {
	return withFilter(name, func(name *C.char) error {
		return s.h.call(func(socket C.dividere_socket_t) C.dividere_status_t {
			if serve == nil {
				return C.go_service_on(C.dividere_service_t(socket), name, 0)
			}
			return C.go_service_on(C.dividere_service_t(socket), name, (&server{s.ctx, serve}).context())
		})
	})
}

// Start serves from now on, and registers the service. Where no registry answers while ctx allows it, that is an error,
// and it serves nevertheless; it may be started again. ErrState where it is registered already.
func (s *Service) Start(ctx context.Context) error {
	s.h.works()
	return blockingOnly(ctx, false, func(ms C.int64_t) error {
		return s.h.call(func(socket C.dividere_socket_t) C.dividere_status_t {
			return C.dividere_service_start(C.dividere_service_t(socket), ms)
		})
	})
}

// Port is the TCP port that it is bound to.
func (s *Service) Port() (int, error) {
	var port C.uint32_t
	err := s.h.call(func(socket C.dividere_socket_t) C.dividere_status_t {
		return C.dividere_service_port(C.dividere_service_t(socket), &port)
	})
	return int(port), err
}

// Stop takes the service out of the registry, refuses new requests, waits until those that it has are answered, and
// closes it. Where ctx is over first it is closed all the same, what is left is answered with an error, and Stop returns
// ctx.Err(). A handler that stops its service does it in a goroutine: it would wait for itself.
func (s *Service) Stop(ctx context.Context) error {
	return s.h.stop(ctx, func(socket C.dividere_socket_t, ms C.int64_t) C.dividere_status_t {
		return C.dividere_service_stop(C.dividere_service_t(socket), ms)
	})
}

// stop ends what works by itself, within ctx.
func (h *handle) stop(ctx context.Context, call func(socket C.dividere_socket_t, ms C.int64_t) C.dividere_status_t) error {
	ms := C.int64_t(-1)
	if end, ok := ctx.Deadline(); ok {
		ms = C.int64_t(max(0, milliseconds(time.Until(end))))
	}
	done := make(chan error, 1)
	go func() {
		err := h.call(func(socket C.dividere_socket_t) C.dividere_status_t { return call(socket, ms) })
		done <- err
		// Closed already below: it tells the rest of this package.
		_ = h.close()
	}()
	select {
	case err := <-done:
		if ctx.Err() != nil && err != nil {
			return contextError(ctx)
		}
		return err
	case <-ctx.Done():
		// Handlers under way are waited for, by nobody.
		go func() { _ = h.close() }()
		return contextError(ctx)
	}
}

// Close ends it at once: it is unregistered, the context of its handlers ends, and what is not answered is answered with
// an error. It waits for handlers under way, at most for 10 s (then ErrTimeout); in a handler it does not. Closing again
// does nothing.
func (s *Service) Close() error { return s.h.close() }

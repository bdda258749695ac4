package dividere

// What all roles share: closing, endpoints, connections, counters.

// #include "shim.h"
import "C"

import (
	"context"
	"runtime"
	"time"
	"unsafe"
)

// Socket is what Publisher, Subscriber, Request, Response and Dealer share. Any goroutine may use one, with any number of
// calls at once. One that is forgotten is collected, and closed by that; what was sent is delivered all the same, for at
// most the linger time.
type Socket struct {
	h *handle
}

// Statistics is what a handle counted since it was made. Each counter by itself is exact and only grows.
type Statistics struct {
	// MessagesIn and BytesIn count what was received, MessagesOut and BytesOut what the transport accepted for sending;
	// a message of several frames counts once, its bytes in all of them.
	MessagesIn, MessagesOut, BytesIn, BytesOut uint64
	// DroppedQueueFull counts messages given up because the queue to a peer was full.
	DroppedQueueFull uint64
	// DroppedStale counts late replies to requests that nobody waits for any more.
	DroppedStale uint64
	// DroppedMalformed counts messages whose frames are not those of this role.
	DroppedMalformed uint64
	// DroppedUnrouted counts messages whose receiver has gone.
	DroppedUnrouted uint64
	// DecodeErrors counts messages received that are no envelopes; their bytes were handed out.
	DecodeErrors uint64
	// EventsLost counts events that were pushed out of the full queue of events before anybody took them.
	EventsLost uint64
	// Reconnects counts connections that came back after they were lost.
	Reconnects uint64
	// Peers is how many are connected now.
	Peers uint64
	// Subscribers is, of a publisher, how many there are now.
	Subscribers uint64
}

func statisticsOf(c *C.dividere_statistics_t) Statistics {
	return Statistics{
		MessagesIn: uint64(c.messages_in), MessagesOut: uint64(c.messages_out),
		BytesIn: uint64(c.bytes_in), BytesOut: uint64(c.bytes_out),
		DroppedQueueFull: uint64(c.dropped_queue_full), DroppedStale: uint64(c.dropped_stale),
		DroppedMalformed: uint64(c.dropped_malformed), DroppedUnrouted: uint64(c.dropped_unrouted),
		DecodeErrors: uint64(c.decode_errors), EventsLost: uint64(c.events_lost),
		Reconnects: uint64(c.reconnects), Peers: uint64(c.peers), Subscribers: uint64(c.subscribers),
	}
}

// Close closes the handle: blocked calls of other goroutines return ErrClosed, and so does every later use. Its addresses
// can be bound again when this returns. What was accepted goes on being sent in the background, for at most the linger
// time: call Shutdown before main returns. Closing again does nothing.
func (s Socket) Close() error { return s.h.close() }

// Statistics gives what was counted so far.
func (s Socket) Statistics() (Statistics, error) {
	var c C.dividere_statistics_t
	err := s.h.call(func(socket C.dividere_socket_t) C.dividere_status_t {
		return C.dividere_socket_statistics(socket, &c)
	})
	return statisticsOf(&c), err
}

// endpointOf reads a text that C writes as snprintf does.
func (h *handle) endpointOf(read func(socket C.dividere_socket_t, buffer *C.char, size C.size_t, length *C.size_t) C.dividere_status_t) (string, error) {
	size := C.size_t(256)
	for {
		buffer := (*C.char)(C.malloc(size))
		defer C.free(unsafe.Pointer(buffer))
		var length C.size_t
		err := h.call(func(socket C.dividere_socket_t) C.dividere_status_t {
			return read(socket, buffer, size, &length)
		})
		if err != nil {
			return "", err
		}
		if length < size {
			return C.GoStringN(buffer, C.int(length)), nil
		}
		size = length + 1
	}
}

// LastEndpoint gives the endpoint bound last, as tcp://127.0.0.1:40001 where tcp://127.0.0.1:* was asked for: what peers
// connect to. ErrNotFound where none is bound.
func (s Socket) LastEndpoint() (string, error) {
	return s.h.endpointOf(func(socket C.dividere_socket_t, buffer *C.char, size C.size_t, length *C.size_t) C.dividere_status_t {
		return C.dividere_socket_last_endpoint(socket, buffer, size, length)
	})
}

// Endpoints gives all endpoints that it is bound or connected to.
func (s Socket) Endpoints() ([]string, error) {
	var all []string
	for {
		one, err := s.h.endpointOf(func(socket C.dividere_socket_t, buffer *C.char, size C.size_t, length *C.size_t) C.dividere_status_t {
			return C.dividere_socket_endpoint(socket, C.size_t(len(all)), buffer, size, length)
		})
		if err != nil {
			if statusOf(err) == StatusNotFound {
				return all, nil
			}
			return nil, err
		}
		all = append(all, one)
	}
}

// Attach binds or connects to one more endpoint, as the role does by itself; "@" in front binds, ">" connects.
// ErrEndpoint, ErrAddressInUse or ErrUnreachable where that fails; ErrUnsupported for a Request, whose endpoints are
// given when it is made.
func (s Socket) Attach(endpoint string) error {
	if err := withoutNul(endpoint); err != nil {
		return err
	}
	at := C.CString(endpoint)
	defer C.free(unsafe.Pointer(at))
	return s.h.call(func(socket C.dividere_socket_t) C.dividere_status_t {
		return C.dividere_socket_attach(socket, at)
	})
}

// Detach gives up one endpoint that it connects to. ErrNotFound where it is not among them.
func (s Socket) Detach(endpoint string) error {
	if err := withoutNul(endpoint); err != nil {
		return err
	}
	at := C.CString(endpoint)
	defer C.free(unsafe.Pointer(at))
	return s.h.call(func(socket C.dividere_socket_t) C.dividere_status_t {
		return C.dividere_socket_detach(socket, at)
	})
}

// The pauses between two looks where no call of ours can be told that what it waits for has come, at first and at last.
const (
	firstLook   = time.Millisecond
	longestLook = 10 * time.Millisecond
)

// look makes attempts until one gives something else than WOULD_BLOCK, after pauses that grow.
func (h *handle) look(ctx context.Context, attempt func() error) error {
	return h.lookWithin(ctx, longestLook, attempt)
}

func (h *handle) lookWithin(ctx context.Context, longest time.Duration, attempt func() error) error {
	defer runtime.KeepAlive(h)
	pause := firstLook
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-h.ended:
		case <-ctx.Done():
			return contextError(ctx)
		}
		if err := attempt(); !isWouldBlock(err) {
			return err
		}
		pause = min(2*pause, longest)
		timer.Reset(pause)
	}
}

// until makes looks at the handle until one does not say that it would have to wait.
func (h *handle) until(ctx context.Context, look func(socket C.dividere_socket_t) C.dividere_status_t) error {
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	attempt := func() error {
		err := h.call(look)
		if err != nil && statusOf(err) == StatusTimeout {
			// Of no time.
			return errWouldBlock
		}
		return err
	}
	if err := attempt(); !isWouldBlock(err) {
		return err
	}
	return h.look(ctx, attempt)
}

// WaitConnected waits until so many peers are connected; with 0, until each endpoint that this side connects to is. It
// does not prove that a subscription has arrived at a publisher: see Publisher.WaitForSubscribers. ErrPermission where a
// key was refused, ErrHandshake where the handshake failed otherwise.
func (s Socket) WaitConnected(ctx context.Context, peers int) error {
	if peers < 0 {
		return errorf(StatusInvalidArgument, "a negative number of peers")
	}
	return s.h.until(ctx, func(socket C.dividere_socket_t) C.dividere_status_t {
		return C.dividere_socket_wait_connected(socket, C.size_t(peers), 0)
	})
}

// Flush waits until everything sent so far was handed to the connections. Closing and Shutdown need no flush before them.
func (s Socket) Flush(ctx context.Context) error {
	return s.h.until(ctx, func(socket C.dividere_socket_t) C.dividere_status_t {
		return C.dividere_socket_flush(socket, 0)
	})
}

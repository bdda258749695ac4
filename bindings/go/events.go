package dividere

// What happened to the connections of a handle.

// #include "callbacks.h"
// #include "shim.h"
import "C"

import (
	"context"
	"iter"
	"runtime/cgo"
	"sync"
)

// An EventKind says what happened.
type EventKind int32

// What can happen to a connection. Over inproc there are no events.
const (
	// EventConnected: a connection is ready: the handshake succeeded, on the side that tells.
	EventConnected EventKind = C.DIVIDERE_EVENT_CONNECTED
	// EventAccepted: a peer reached a bound endpoint; its handshake is still to come.
	EventAccepted EventKind = C.DIVIDERE_EVENT_ACCEPTED
	// EventDisconnected: an established connection ended.
	EventDisconnected EventKind = C.DIVIDERE_EVENT_DISCONNECTED
	// EventRetried: a connection attempt failed; the next one follows.
	EventRetried EventKind = C.DIVIDERE_EVENT_RETRIED
	// EventListening: an endpoint is bound.
	EventListening EventKind = C.DIVIDERE_EVENT_LISTENING
	// EventHandshakeFailed: a peer was there, but the two sides cannot talk: keys, mechanism or role.
	EventHandshakeFailed EventKind = C.DIVIDERE_EVENT_HANDSHAKE_FAILED
	// EventClosed: an endpoint was closed by this side.
	EventClosed EventKind = C.DIVIDERE_EVENT_CLOSED
	// EventMonitorLost: the events cannot be read any more; none follows.
	EventMonitorLost EventKind = C.DIVIDERE_EVENT_MONITOR_LOST
	// EventAcceptFailed: a peer that arrived could not be taken in: mostly, no descriptors left.
	EventAcceptFailed EventKind = C.DIVIDERE_EVENT_ACCEPT_FAILED
	// EventRestarted: a connection that the transport had given up for good was begun anew.
	EventRestarted EventKind = C.DIVIDERE_EVENT_RESTARTED
)

var eventNames = map[EventKind]string{
	EventConnected: "connected", EventAccepted: "accepted", EventDisconnected: "disconnected", EventRetried: "retried",
	EventListening: "listening", EventHandshakeFailed: "handshake failed", EventClosed: "closed",
	EventMonitorLost: "monitor lost", EventAcceptFailed: "accept failed", EventRestarted: "restarted",
}

// String gives a word for it.
func (k EventKind) String() string {
	if name, ok := eventNames[k]; ok {
		return name
	}
	return "unknown"
}

// An Event is one thing that happened to one connection.
type Event struct {
	// Kind is what happened.
	Kind EventKind
	// Code is a number that goes with the kind: a status, an errno or a code of ZeroMQ's; 0 for none.
	Code int
	// Endpoint is that of this handle that it happened on.
	Endpoint string
	// Peer is the address of the peer; empty where it cannot be known.
	Peer string
	// Text says what the number means and what to do; may be empty.
	Text string
}

func eventOf(c *C.dividere_event_t) Event {
	return Event{
		Kind: EventKind(c.kind), Code: int(c.code), Endpoint: C.GoString(&c.endpoint[0]), Peer: C.GoString(&c.peer[0]),
		Text: C.GoString(&c.text[0]),
	}
}

// eventHook rings when the handle has an event, from the first wait on.
type eventHook struct {
	once sync.Once
	bell *bell
	err  error
}

func (h *handle) events() (*bell, error) {
	if h == nil {
		return nil, errorf(StatusClosed, "the handle was never made")
	}
	h.hook.once.Do(func() {
		h.hook.bell = &bell{}
		context := cgo.NewHandle(h.hook.bell)
		h.hook.err = h.call(func(socket C.dividere_socket_t) C.dividere_status_t {
			return C.dividere_go_set_event_callback(socket, C.uintptr_t(context))
		})
	})
	return h.hook.bell, h.hook.err
}

// RecvEvent takes the oldest event of the connections, or waits for one. The last 1024 are kept.
func (s Socket) RecvEvent(ctx context.Context) (Event, error) {
	if ctx.Err() != nil {
		return Event{}, contextError(ctx)
	}
	bell, err := s.h.events()
	if err != nil {
		return Event{}, err
	}
	for {
		news, shut := bell.next(), shutdowns.next()
		var c C.dividere_event_t
		err := s.h.call(func(socket C.dividere_socket_t) C.dividere_status_t {
			return C.dividere_socket_event_recv(socket, &c, 0)
		})
		if err == nil {
			return eventOf(&c), nil
		}
		if !isWouldBlock(err) {
			return Event{}, err
		}
		select {
		case <-news:
		case <-shut:
		case <-s.h.ended:
		case <-ctx.Done():
			return Event{}, contextError(ctx)
		}
	}
}

// Events takes events for as long as the loop goes on. It ends without an error when the handle is closed; any error is
// the last.
func (s Socket) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			event, err := s.RecvEvent(ctx)
			if err != nil && statusOf(err) == StatusClosed {
				return
			}
			if !yield(event, err) || err != nil {
				return
			}
		}
	}
}

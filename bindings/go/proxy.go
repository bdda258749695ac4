package dividere

// Passes messages between two sockets.

// #include "shim.h"
import "C"

import (
	"context"
	"unsafe"
)

// A ProxyKind says what a proxy passes on.
type ProxyKind int32

// What a proxy passes on.
const (
	// ProxyRequestResponse: requests that come to the front end, to responses and dealers that connect to the back end;
	// and their replies.
	ProxyRequestResponse ProxyKind = C.DIVIDERE_PROXY_REQUEST_RESPONSE
	// ProxyPublishSubscribe: what publishers that connect to the front end publish, to subscribers that connect to the
	// back end; and their subscriptions.
	ProxyPublishSubscribe ProxyKind = C.DIVIDERE_PROXY_PUBLISH_SUBSCRIBE
)

// A ProxySide is one of the sockets of a proxy.
type ProxySide int32

// The sockets of a proxy.
const (
	// ProxyFront is where requests or publications come in.
	ProxyFront ProxySide = C.DIVIDERE_PROXY_SIDE_FRONT
	// ProxyBack is where they go to.
	ProxyBack ProxySide = C.DIVIDERE_PROXY_SIDE_BACK
	// ProxyCapture is where copies of everything are published.
	ProxyCapture ProxySide = C.DIVIDERE_PROXY_SIDE_CAPTURE
)

// A Proxy passes messages between two sockets, from its making to its Close, on a thread of its own. It is not collected
// before it was closed.
type Proxy struct {
	h *handle
}

// NewProxy makes a proxy that binds to the endpoints of its front end and of its back end, each a comma-separated list
// (">" in front connects). With a capture that is not "", a publisher there gets the payload of every message. The options
// are for all its sockets. Fails as NewPublisher.
func NewProxy(kind ProxyKind, front, back, capture string, options ...Option) (*Proxy, error) {
	if err := withoutNul(front, back, capture); err != nil {
		return nil, err
	}
	var proxy *Proxy
	err := with(options, func(s *settings) error {
		cFront, cBack := C.CString(front), C.CString(back)
		defer C.free(unsafe.Pointer(cFront))
		defer C.free(unsafe.Pointer(cBack))
		var cCapture *C.char
		if capture != "" {
			cCapture = C.CString(capture)
			defer C.free(unsafe.Pointer(cCapture))
		}
		var made C.dividere_proxy_t
		err := check(func() C.dividere_status_t {
			return C.dividere_proxy_new(C.int32_t(kind), cFront, cBack, cCapture, s.options, &made)
		})
		if err != nil {
			return err
		}
		proxy = &Proxy{newHandle(made, func(made C.dividere_proxy_t) C.dividere_status_t {
			return C.dividere_proxy_close(made)
		})}
		proxy.h.works()
		return nil
	})
	return proxy, err
}

// Close stops the proxy, within 50 ms, and closes its sockets: their addresses are free again when this returns. Closing
// again does nothing.
func (p *Proxy) Close() error { return p.h.close() }

// LastEndpoint gives the endpoint that a side is bound to, the last one where there are several. ErrNotFound where it is
// bound to none, or where there is no capture.
func (p *Proxy) LastEndpoint(side ProxySide) (string, error) {
	return p.h.endpointOf(func(socket C.dividere_socket_t, buffer *C.char, size C.size_t, length *C.size_t) C.dividere_status_t {
		return C.dividere_proxy_last_endpoint(C.dividere_proxy_t(socket), C.int32_t(side), buffer, size, length)
	})
}

// Statistics gives what a side counted so far.
func (p *Proxy) Statistics(side ProxySide) (Statistics, error) {
	var c C.dividere_statistics_t
	err := p.h.call(func(socket C.dividere_socket_t) C.dividere_status_t {
		return C.dividere_proxy_statistics(C.dividere_proxy_t(socket), C.int32_t(side), &c)
	})
	return statisticsOf(&c), err
}

// RecvEvent takes the oldest event of a side's connections, or waits for one. The last 1024 are kept.
func (p *Proxy) RecvEvent(ctx context.Context, side ProxySide) (Event, error) {
	var c C.dividere_event_t
	err := p.h.until(ctx, func(socket C.dividere_socket_t) C.dividere_status_t {
		return C.dividere_proxy_event_recv(C.dividere_proxy_t(socket), C.int32_t(side), &c, 0)
	})
	if err != nil {
		return Event{}, err
	}
	return eventOf(&c), nil
}

package dividere

// Serves requests, each answered exactly once.

// #include "shim.h"
import "C"

import (
	"context"
	"runtime"
	"unsafe"

	"google.golang.org/protobuf/proto"
)

// A Response serves requests, one at a time, each answered exactly once: by Send or SendError, or by the Reply of a message
// (RecvMessage), from any goroutine. The next one is received after that: before, it is ErrState. For many at once there is
// a Reactor, whose handlers Keep what they answer later, and a Service. What is never answered is answered with an error. A request
// that is no envelope is answered with an error at once, and comes back as ErrDecode; one that is of another type than the
// one asked for (ErrType, ErrNotFound) is still to be answered.
type Response struct {
	Socket
	receiving
}

// NewResponse makes a response, which binds to each of the comma-separated endpoints that has a "*" ("@" in front binds,
// too) and connects to the others. Fails as NewPublisher.
func NewResponse(endpoints string, options ...Option) (*Response, error) {
	h, err := open(endpoints, options, FullQueueBlock,
		func(endpoints *C.char, s *settings, made *C.dividere_response_t) C.dividere_status_t {
			return C.dividere_response_new(endpoints, s.options, made)
		},
		func(made C.dividere_response_t) C.dividere_status_t { return C.dividere_response_close(made) })
	if err != nil {
		return nil, err
	}
	h.room.coarse = coarseLook
	return &Response{Socket{h}, receiving{h}}, nil
}

func (r *Response) sender() *handle { return r.h }

// Send answers the request received last. ErrState where there is none to answer; ErrUnreachable where the asker is gone.
func (r *Response) Send(ctx context.Context, answer proto.Message) error {
	return r.h.send(ctx, answer)
}

// SendBytes answers it with bytes without an envelope.
func (r *Response) SendBytes(ctx context.Context, answer []byte) error {
	return r.h.sendBytes(ctx, answer)
}

// SendError answers the request received last with an error: the asker's call returns one with this status (StatusRemote
// where a handler failed) and text.
func (r *Response) SendError(ctx context.Context, status Status, text string) error {
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	words := C.CString(text)
	defer C.free(unsafe.Pointer(words))
	defer runtime.KeepAlive(r.h)
	return r.h.attempt(ctx, func(C.int64_t) C.go_result {
		return C.go_send_error(C.dividere_response_t(r.h.socket()), C.int32_t(status), words)
	}, false)
}

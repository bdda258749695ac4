package dividere

// Sends and receives in any order.

// #include "shim.h"
import "C"

import (
	"context"
	"runtime"
	"unsafe"

	"google.golang.org/protobuf/proto"
)

// A Dealer sends and receives in any order: to its peers in turn, and back to where a routed message came from.
type Dealer struct {
	Socket
	receiving
}

// NewDealer makes a dealer, which binds to each of the comma-separated endpoints that has a "*" ("@" in front binds, too)
// and connects to the others. Its identity is a random UUID unless WithIdentity is given. Fails as NewPublisher.
func NewDealer(endpoints string, options ...Option) (*Dealer, error) {
	h, err := open(endpoints, options, FullQueueBlock,
		func(endpoints *C.char, s *settings, made *C.dividere_dealer_t) C.dividere_status_t {
			return C.dividere_dealer_new(endpoints, s.options, made)
		},
		func(made C.dividere_dealer_t) C.dividere_status_t { return C.dividere_dealer_close(made) })
	if err != nil {
		return nil, err
	}
	return &Dealer{Socket{h}, receiving{h}}, nil
}

func (d *Dealer) sender() *handle { return d.h }

// Send sends a message as one frame, to the peers in turn. A full queue blocks up to the send timeout unless
// WithFullQueue says otherwise: ErrTimeout, or ErrWouldBlock.
func (d *Dealer) Send(ctx context.Context, m proto.Message) error { return d.h.send(ctx, m) }

// SendBytes sends bytes without an envelope.
func (d *Dealer) SendBytes(ctx context.Context, data []byte) error { return d.h.sendBytes(ctx, data) }

// SendWithEmptyFrame sends a message with an empty frame in front: the form in which a Response expects a request.
func (d *Dealer) SendWithEmptyFrame(ctx context.Context, m proto.Message) error {
	return d.sendAsRequest(ctx, filledWith(m))
}

// SendBytesWithEmptyFrame is SendWithEmptyFrame for bytes without an envelope.
func (d *Dealer) SendBytesWithEmptyFrame(ctx context.Context, data []byte) error {
	return d.sendAsRequest(ctx, filledWithBytes(data))
}

// SendRouted sends a message with frames in front: what Message.Route gave, to answer where a routed message came from,
// as Message.Reply does by itself.
func (d *Dealer) SendRouted(ctx context.Context, route [][]byte, m proto.Message) error {
	return d.sendBehind(ctx, route, filledWith(m))
}

// SendBytesRouted is SendRouted for bytes without an envelope.
func (d *Dealer) SendBytesRouted(ctx context.Context, route [][]byte, data []byte) error {
	return d.sendBehind(ctx, route, filledWithBytes(data))
}

func (d *Dealer) sendAsRequest(ctx context.Context, fill func(*slot) error) error {
	return d.sendFilled(ctx, fill, func(s *slot) C.go_result {
		return C.go_send_with_empty_frame(C.dividere_dealer_t(d.h.socket()), s.c)
	})
}

func (d *Dealer) sendBehind(ctx context.Context, route [][]byte, fill func(*slot) error) error {
	frames := framesForC(route)
	defer frames.free()
	return d.sendFilled(ctx, fill, func(s *slot) C.go_result {
		return C.go_send_routed(C.dividere_dealer_t(d.h.socket()), unsafe.SliceData(frames), C.size_t(len(frames)), s.c)
	})
}

func filledWith(m proto.Message) func(*slot) error {
	return func(s *slot) error {
		if isNil(m) {
			return errNil
		}
		return s.prepare(m, proto.Size(m))
	}
}

func filledWithBytes(data []byte) func(*slot) error {
	return func(s *slot) error { return s.prepareBytes(data) }
}

func (d *Dealer) sendFilled(ctx context.Context, fill func(*slot) error, send func(*slot) C.go_result) error {
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	s, err := takeSlot()
	if err != nil {
		return err
	}
	defer s.giveBack()
	if err := fill(s); err != nil {
		return err
	}
	defer runtime.KeepAlive(d.h)
	return d.h.attempt(ctx, func(C.int64_t) C.go_result { return send(s) }, false)
}

// cFrames is a list of frames in memory of C, since C holds no pointer of Go's.
type cFrames []C.dividere_bytes_t

func framesForC(route [][]byte) cFrames {
	if len(route) == 0 {
		return nil
	}
	block := C.calloc(C.size_t(len(route)), C.size_t(unsafe.Sizeof(C.dividere_bytes_t{})))
	list := unsafe.Slice((*C.dividere_bytes_t)(block), len(route))
	for i, frame := range route {
		list[i] = C.dividere_bytes_t{data: C.CBytes(frame), len: C.size_t(len(frame))}
	}
	return list
}

func (l cFrames) free() {
	for _, frame := range l {
		C.free(unsafe.Pointer(frame.data))
	}
	C.free(unsafe.Pointer(unsafe.SliceData(l)))
}

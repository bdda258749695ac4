package dividere

// Sending: serialised straight into the frame, and waiting for room where a queue is full.

// #include "shim.h"
import "C"

import (
	"context"
	"runtime"
	"time"
	"unsafe"

	"google.golang.org/protobuf/proto"
)

// Where libzmq does not always tell that there is room, a send looks again after this time, as those in C do.
const coarseLook = 20 * time.Millisecond

// A Sender is a handle that sends messages of its own accord: Publisher, Request, Response, Dealer.
type Sender interface {
	sender() *handle
}

// send sends a message that can be serialised.
func (h *handle) send(ctx context.Context, m proto.Message) error {
	if err := ctx.Err(); err != nil {
		return contextError(ctx)
	}
	if m == nil {
		return errNil
	}
	reflected := m.ProtoReflect()
	if !reflected.IsValid() {
		return errNil
	}
	defer runtime.KeepAlive(h)
	size := sizeReflected(reflected)
	if size > mostCopied {
		s, err := takeSlot()
		if err != nil {
			return err
		}
		defer s.giveBack()
		if err := s.prepare(m, size); err != nil {
			return err
		}
		return h.sendSlot(ctx, s)
	}
	scratch := scratches.Get().(*[]byte)
	defer scratches.Put(scratch)
	payload := (*scratch)[:size]
	if err := serialiseReflected(reflected, payload); err != nil {
		return err
	}
	name, owned := nameOf(reflected.Descriptor().FullName())
	if owned {
		defer C.free(unsafe.Pointer(name))
	}
	return h.sendCopy(ctx, name, payload)
}

// sendBytes sends bytes without an envelope.
func (h *handle) sendBytes(ctx context.Context, data []byte) error {
	if err := ctx.Err(); err != nil {
		return contextError(ctx)
	}
	defer runtime.KeepAlive(h)
	return h.sendCopy(ctx, nil, data)
}

func (h *handle) sendCopy(ctx context.Context, name *C.char, data []byte) error {
	result := C.go_send_copy(h.socket(), name, unsafe.Pointer(unsafe.SliceData(data)), C.size_t(len(data)))
	if result.status == C.DIVIDERE_OK {
		return nil
	}
	err := taken(result)
	if !h.waitsForRoom(err) {
		return err
	}
	s, lacking := takeSlot()
	if lacking != nil {
		return lacking
	}
	defer s.giveBack()
	if err := taken(C.go_fill(s.c, name, unsafe.Pointer(unsafe.SliceData(data)), C.size_t(len(data)))); err != nil {
		return err
	}
	return h.sendSlot(ctx, s)
}

// sendSlot sends what a slot holds.
func (h *handle) sendSlot(ctx context.Context, s *slot) error {
	defer s.clear()
	return h.attempt(ctx, func(ms C.int64_t) C.go_result { return C.go_send(h.socket(), s.c, ms) }, true)
}

// attempt sends once, and again when there is room where the queue is full and the handle waits then. With soon a send
// can wait for so many milliseconds, else it is given none. What was not sent is as it was.
func (h *handle) attempt(ctx context.Context, send func(ms C.int64_t) C.go_result, soon bool) error {
	err := taken(send(0))
	if !h.waitsForRoom(err) {
		return err
	}
	defer runtime.KeepAlive(h)
	end := time.Time{}
	if h.full.limit > 0 {
		end = time.Now().Add(h.full.limit)
	}
	within := func(ms C.int64_t) bool {
		err = taken(send(ms))
		return !h.waitsForRoom(err)
	}
	inAMoment := within
	if !soon || h.connects {
		// A request would wait for a connection, too.
		inAMoment = nil
	}
	try := func() bool { return within(0) }
	given := h.await(ctx, wait{at: &h.room, end: end, attempt: try, soon: inAMoment})
	if given == errEnd && !try() {
		return errorf(StatusTimeout, "the send queue stayed full, or nobody was connected, for the whole send timeout")
	}
	if given != nil && given != errEnd {
		return given
	}
	return err
}

var errNil error = &Error{Status: StatusInvalidArgument, Text: "the message is nil"}

// isNil tells whether there is no message, or a nil pointer to one, which protobuf would take for an empty message.
func isNil(m proto.Message) bool {
	return m == nil || !m.ProtoReflect().IsValid()
}

var errWouldBlock error = &Error{Status: StatusWouldBlock}

// waitsForRoom tells whether a send that ended so is made again.
func (h *handle) waitsForRoom(err error) bool {
	if err == nil || h == nil || h.full.limit == 0 {
		return false
	}
	if h.connects && statusOf(err) == StatusTimeout {
		return true
	}
	return h.full.block && isWouldBlock(err)
}

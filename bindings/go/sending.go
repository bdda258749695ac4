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

// How soon a send looks again whether there is room, at first and at last.
const (
	firstPause   = 50 * time.Microsecond
	longestPause = 5 * time.Millisecond
)

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
	defer runtime.KeepAlive(h)
	size := proto.Size(m)
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
	if err := serialise(m, payload); err != nil {
		return err
	}
	name, owned := nameOf(m.ProtoReflect().Descriptor().FullName())
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
	return h.sendAgain(ctx, taken(result), func() C.go_result {
		return C.go_send_copy(h.socket(), name, unsafe.Pointer(unsafe.SliceData(data)), C.size_t(len(data)))
	})
}

// sendSlot sends what a slot holds; on failure it holds it still.
func (h *handle) sendSlot(ctx context.Context, s *slot) error {
	return h.attempt(ctx, func() C.go_result { return C.go_send(h.socket(), s.c) })
}

// attempt sends once, and again where the queue is full and the handle waits then. Nothing tells Go without a thread that
// there is room, so it looks again after pauses that grow.
func (h *handle) attempt(ctx context.Context, send func() C.go_result) error {
	result := send()
	if result.status == C.DIVIDERE_OK {
		return nil
	}
	return h.sendAgain(ctx, taken(result), send)
}

// sendAgain is what follows a first attempt that failed.
func (h *handle) sendAgain(ctx context.Context, err error, send func() C.go_result) error {
	if !h.sendsAgain(err) {
		return err
	}
	if h.full.limit == 0 {
		return err
	}
	end := time.Time{}
	if h.full.limit > 0 {
		end = time.Now().Add(h.full.limit)
	}
	return h.look(ctx, firstPause, longestPause, end, nil, func() error {
		err := taken(send())
		if !h.sendsAgain(err) {
			return err
		}
		if !end.IsZero() && !time.Now().Before(end) {
			return errorf(StatusTimeout, "the send queue stayed full, or nobody was connected, for the whole send timeout")
		}
		return errWouldBlock
	})
}

var errNil error = &Error{Status: StatusInvalidArgument, Text: "the message is nil"}

var errWouldBlock error = &Error{Status: StatusWouldBlock}

// sendsAgain tells whether a send that ended so is made again.
func (h *handle) sendsAgain(err error) bool {
	if h == nil {
		return false
	}
	if h.connects && err != nil && statusOf(err) == StatusTimeout {
		return true
	}
	return h.full.block && isWouldBlock(err)
}

// look makes attempts until one gives something else than WOULD_BLOCK, after pauses that double from the
// first to the longest one, and at the end, if there is one. A wake-up makes the next one come at once.
func (h *handle) look(ctx context.Context, pause, longest time.Duration, end time.Time, wake <-chan struct{},
	attempt func() error,
) error {
	defer runtime.KeepAlive(h)
	var timer *time.Timer
	for {
		wait := pause
		if !end.IsZero() {
			wait = max(0, min(wait, time.Until(end)))
		}
		if timer == nil {
			timer = time.NewTimer(wait)
			defer timer.Stop()
		} else {
			timer.Reset(wait)
		}
		select {
		case <-timer.C:
			pause = min(2*pause, longest)
		case <-wake:
			timer.Stop()
		case <-h.ended:
		case <-ctx.Done():
			return contextError(ctx)
		}
		if err := attempt(); !isWouldBlock(err) {
			return err
		}
	}
}

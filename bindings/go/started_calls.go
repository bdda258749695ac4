package dividere

// Calls of a service client that are under way. Any number of them wait at one descriptor: whoever sleeps there takes what
// has ended, and hands it over to those whose calls these are.

// #include "serving.h"
import "C"

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"
)

type startedCalls struct {
	h  *handle
	mu sync.Mutex
	// By their numbers.
	waiting map[C.uint64_t]*startedCall
}

type startedCall struct {
	number C.uint64_t
	// Where its reply goes; its owner's again once it is over.
	slot *slot
	// What came of it, once ended is closed.
	err   error
	ended chan struct{}
}

func callsOf(h *handle) *startedCalls {
	client := C.dividere_service_client_t(h.socket())
	h.ready.watched = nil
	h.ready.descriptor = func(fd *C.int32_t) C.dividere_status_t { return C.dividere_service_client_fd(client, fd) }
	return &startedCalls{h: h, waiting: map[C.uint64_t]*startedCall{}}
}

func (c *startedCalls) client() C.dividere_service_client_t {
	return C.dividere_service_client_t(c.h.socket())
}

// make makes a call with what a slot holds, which holds the reply then.
func (c *startedCalls) make(ctx context.Context, s *slot, mayRepeat C.int32_t) error {
	defer runtime.KeepAlive(c.h)
	call, err := c.start(ctx, s, mayRepeat)
	if err != nil {
		return err
	}
	given := c.h.await(ctx, wait{
		at: &c.h.ready, over: call.ended,
		attempt: func() bool { return c.collect(call) },
		soon:    func(ms C.int64_t) bool { return c.finish(call, ms) },
	})
	if given != nil && c.abandon(call) {
		if errors.Is(given, context.DeadlineExceeded) {
			given = &cancelledError{given, errorf(StatusTimeout, "the service has not answered in time")}
		}
		return given
	}
	// Of the library's time, which is that of the context rounded down: it has words for what was waited for.
	if _, limited := ctx.Deadline(); limited && statusOf(call.err) == StatusTimeout {
		return &cancelledError{context.DeadlineExceeded, call.err}
	}
	return call.err
}

func (c *startedCalls) start(ctx context.Context, s *slot, mayRepeat C.int32_t) (*startedCall, error) {
	ms := C.int64_t(-1)
	if end, limited := ctx.Deadline(); limited {
		ms = C.int64_t(max(1, int64(time.Until(end)/time.Millisecond)))
	}
	call := &startedCall{slot: s, ended: make(chan struct{})}
	// It may be over before this has its number, and somebody else be told of that.
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := taken(C.go_service_start(c.client(), s.c, ms, mayRepeat, &call.number)); err != nil {
		return nil, err
	}
	c.waiting[call.number] = call
	return call, nil
}

// collect hands over what has ended, until the call itself has; false where it has not.
func (c *startedCalls) collect(call *startedCall) bool {
	s, err := takeSlot()
	if err != nil {
		return c.end(call, nil, err)
	}
	defer s.giveBack()
	for {
		// Taken and handed over at once, so that a call that is still in the list was taken by nobody.
		c.mu.Lock()
		if call.isOver() {
			c.mu.Unlock()
			return true
		}
		var number C.uint64_t
		result := C.go_service_next(c.client(), &number, s.c)
		switch {
		case number != 0:
			if other := c.waiting[number]; other != nil {
				c.endLocked(other, s, taken(result))
			} else {
				// It was given up, before it ended.
				_ = taken(result)
				s.clear()
			}
		case result.status == C.DIVIDERE_WOULD_BLOCK:
			c.mu.Unlock()
			return false
		default:
			// Of all calls: the client is closed.
			c.endLocked(call, nil, taken(result))
		}
		c.mu.Unlock()
	}
}

// finish waits for the end of the call in C.
func (c *startedCalls) finish(call *startedCall, ms C.int64_t) bool {
	s, err := takeSlot()
	if err != nil {
		return c.end(call, nil, err)
	}
	defer s.giveBack()
	result := C.go_service_finish(c.client(), call.number, s.c, ms)
	if result.status == C.DIVIDERE_WOULD_BLOCK {
		return call.isOver()
	}
	// Where another one was told of its end that was NOT_FOUND here, and does not count.
	return c.end(call, s, taken(result))
}

// end ends a call, unless it has ended. True.
func (c *startedCalls) end(call *startedCall, reply *slot, err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endLocked(call, reply, err)
	return true
}

func (c *startedCalls) endLocked(call *startedCall, reply *slot, err error) {
	if call.isOver() {
		return
	}
	delete(c.waiting, call.number)
	if reply != nil {
		*call.slot, *reply = *reply, *call.slot
	}
	call.err = err
	close(call.ended)
}

// abandon gives up a call; false where it has ended.
func (c *startedCalls) abandon(call *startedCall) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if call.isOver() {
		return false
	}
	delete(c.waiting, call.number)
	// Over already, and not collected yet, where it fails.
	C.dividere_service_client_abandon_call(c.client(), call.number)
	return true
}

func (call *startedCall) isOver() bool {
	select {
	case <-call.ended:
		return true
	default:
		return false
	}
}

package dividere

// Waiting without a thread. Who waits tries first; then one goroutine of those that wait for a handle sleeps in Go's
// netpoller, at a descriptor of the handle, and the others wait for their turn. When the descriptor has become readable
// it tries, and hands the turn on once it has what it wanted.

// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type readiness struct {
	mu   sync.Mutex
	file *os.File
	raw  syscall.RawConn
	// Full while somebody sleeps at the descriptor.
	turn chan struct{}
	// Where a look by one concerns all (replies of calls): rung at each look.
	looks bell
	// The last wait was not quick.
	slow   atomic.Bool
	closed bool
}

// So many goroutines that wait are in the library at once. A call into C that does not return within some microseconds
// makes Go start a thread for others: without a limit that is one for each of those who come to wait, or are woken, together.
var inside = make(chan struct{}, 16)

// sleeping counts those who wait for a handle.
var sleeping atomic.Int64

// await makes attempts until one says that it is over. One comes after the descriptor is watched, so that nothing is
// missed. nil where the attempt was over, else why it was given up: because of the context, and then no attempt took
// anything. Before it sleeps it makes the attempt soon, if there is one, which waits for a moment.
func (h *handle) await(ctx context.Context, attempt func() bool, soon func(ms C.int64_t) bool) error {
	if soon != nil && h.overInAMoment(soon) {
		return nil
	}
	inside <- struct{}{}
	err := h.ready.open(h)
	<-inside
	if err != nil {
		return err
	}
	sleeping.Add(1)
	defer sleeping.Add(-1)
	for {
		var news <-chan struct{}
		if h.shared {
			news = h.ready.looks.next()
			if attempt() {
				return nil
			}
		}
		select {
		case h.ready.turn <- struct{}{}:
			begun := time.Now()
			over, err := h.sleep(ctx, attempt)
			<-h.ready.turn
			if over {
				h.ready.slow.Store(time.Since(begun) > quick)
			}
			if over || err != nil {
				return err
			}
		case <-news:
		case <-h.ended:
			// It says CLOSED, in words.
			if attempt() {
				return nil
			}
			return errorf(StatusClosed, "the handle is closed")
		case <-ctx.Done():
			return contextError(ctx)
		}
	}
}

// Where an answer comes within some microseconds, waiting for it in C is much quicker than by the netpoller: so that is
// done for a moment (in milliseconds) by a few goroutines at once, each of which holds a thread for that long; but not at a
// handle where the wait before took longer than what is quick. The moment is longer than the system's tick, since the clock
// would have to be set for a shorter one, which costs more than all the rest where it belongs to a hypervisor.
const (
	aMoment     = 10
	mostMoments = 4
	quick       = time.Millisecond
)

var moments atomic.Int64

func (h *handle) overInAMoment(soon func(ms C.int64_t) bool) bool {
	if h.ready.slow.Load() {
		return false
	}
	defer moments.Add(-1)
	if moments.Add(1) > mostMoments {
		return false
	}
	begun := time.Now()
	over := soon(aMoment)
	if time.Since(begun) > quick {
		h.ready.slow.Store(true)
	}
	return over
}

// sleep makes attempts with the turn in hand. False and nil where the handle was closed meanwhile.
func (h *handle) sleep(ctx context.Context, attempt func() bool) (bool, error) {
	r := &h.ready
	stop := func() bool { return true }
	woken := make(chan struct{})
	if ctx.Done() != nil {
		stop = context.AfterFunc(ctx, func() {
			defer close(woken)
			// It wakes the sleeper; a file that was closed needs no waking.
			_ = r.file.SetReadDeadline(time.Unix(1, 0))
		})
	}
	over := false
	err := r.raw.Read(func(uintptr) bool {
		// The descriptor is watched only while somebody sleeps there, so that others are spared the telling. It fails only
		// where the handle is closed, which the attempt says.
		inside <- struct{}{}
		defer func() { <-inside }()
		h.watched(1)
		if h.shared {
			r.looks.ring()
		}
		over = attempt()
		if over {
			h.watched(0)
		}
		return over
	})
	if !over {
		h.watched(0)
	}
	if !stop() {
		<-woken
		_ = r.file.SetReadDeadline(time.Time{})
	}
	switch {
	case over:
		return true, nil
	case ctx.Err() != nil:
		return false, contextError(ctx)
	case r.isClosed():
		return false, nil
	case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
		return false, errorf(StatusInternal, "waiting at a descriptor failed: "+err.Error())
	}
	return false, nil
}

// open asks for the descriptor, at the first wait. It is a copy, which stays ours when the handle is closed.
func (r *readiness) open(h *handle) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file != nil {
		return nil
	}
	var file *os.File
	var lacking error
	err := check(func() C.dividere_status_t {
		var fd C.int32_t
		status := h.descriptor(&fd)
		if status == C.DIVIDERE_OK {
			file, lacking = pollable(int(fd))
		}
		return status
	})
	if err != nil {
		return err
	}
	if lacking != nil {
		return errorf(StatusLimit, "no descriptor to wait at: "+lacking.Error())
	}
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return errorf(StatusInternal, err.Error())
	}
	r.file, r.raw = file, raw
	if r.closed {
		file.Close()
	}
	return nil
}

func (h *handle) watched(on C.int32_t) {
	if h.fd == nil {
		C.dividere_socket_watch(h.socket(), on)
	}
}

func (h *handle) descriptor(fd *C.int32_t) C.dividere_status_t {
	if h.fd != nil {
		return h.fd(fd)
	}
	return C.dividere_socket_fd(h.socket(), fd)
}

// pollable makes a copy of a descriptor that Go's netpoller watches.
func pollable(fd int) (*os.File, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	own, err := syscall.Dup(fd)
	if err != nil {
		return nil, err
	}
	syscall.CloseOnExec(own)
	if err := syscall.SetNonblock(own, true); err != nil {
		syscall.Close(own)
		return nil, err
	}
	file := os.NewFile(uintptr(own), "dividere")
	// Refused where the netpoller does not have it: a read would hold a thread, then.
	if err := file.SetReadDeadline(time.Time{}); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func (r *readiness) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.file != nil {
		r.file.Close()
	}
}

func (r *readiness) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

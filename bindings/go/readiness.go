package dividere

// Waiting without a thread. Who waits tries first; then one goroutine of those that wait for the same of a handle, for
// messages or for room, sleeps in Go's netpoller, at a descriptor of the handle, and the others wait for their turn. When
// the descriptor has become readable it tries, and hands the turn on once it has what it wanted.

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

// place is where the goroutines sleep that wait for the same of a handle.
type place struct {
	mu   sync.Mutex
	file *os.File
	raw  syscall.RawConn
	// Full while somebody sleeps at the descriptor.
	turn chan struct{}
	// Gives the descriptor, which stays the library's.
	descriptor func(fd *C.int32_t) C.dividere_status_t
	// Tells the library whether somebody sleeps there; nil where it does not have to know.
	watched func(on C.int32_t)
	// Where a look by one concerns all (replies of calls): rung at each look.
	looks *bell
	// The descriptor does not tell all: who sleeps there looks again after this time. 0 where it does.
	coarse time.Duration
	// The last wait was not quick.
	slow atomic.Bool
	// Nobody opens it any more, and nobody sleeps there any more.
	sealed, closed bool
}

// So many goroutines that wait are in the library at once. A call into C that does not return within some microseconds
// makes Go start a thread for others: without a limit that is one for each of those who come to wait, or are woken, together.
var inside = make(chan struct{}, 16)

// sleeping counts those who wait for a handle.
var sleeping atomic.Int64

// errEnd: the time of a wait is over, not that of its context.
var errEnd error = &Error{Status: StatusTimeout, Text: "the time given is over"}

// wait is what a goroutine waits for.
type wait struct {
	at *place
	// Until when; zero for as long as the context allows.
	end time.Time
	// Tells whether it is over.
	attempt func() bool
	// The same, waiting in C for so many milliseconds; nil where that cannot be done.
	soon func(ms C.int64_t) bool
	// Closed where the attempt of another one ends it; nil where none does.
	over <-chan struct{}
}

// await makes attempts until one says that it is over. One comes after the descriptor is watched, so that nothing is
// missed. nil where it is over, else why it was given up: because of the context, or with errEnd at the end; and then no
// attempt took anything. Before it sleeps it waits in C for a moment.
func (h *handle) await(ctx context.Context, w wait) error {
	p, end, attempt := w.at, w.end, w.attempt
	if w.soon != nil && p.overInAMoment(end, w.soon) {
		return nil
	}
	inside <- struct{}{}
	err := p.open()
	<-inside
	if err != nil {
		return err
	}
	sleeping.Add(1)
	defer sleeping.Add(-1)
	var atEnd <-chan time.Time
	if !end.IsZero() {
		timer := time.NewTimer(time.Until(end))
		defer timer.Stop()
		atEnd = timer.C
	}
	for {
		news := w.over
		if p.looks != nil {
			news = p.looks.next()
			if attempt() {
				return nil
			}
		}
		select {
		case p.turn <- struct{}{}:
			begun := time.Now()
			over, err := p.sleep(ctx, end, attempt)
			<-p.turn
			if over {
				p.slow.Store(time.Since(begun) > quick)
			}
			if over || err != nil {
				return err
			}
		case <-news:
			if w.over != nil {
				return nil
			}
		case <-h.ended:
			// It says CLOSED, in words.
			if attempt() {
				return nil
			}
			return errorf(StatusClosed, "the handle is closed")
		case <-atEnd:
			return errEnd
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

func (p *place) overInAMoment(end time.Time, soon func(ms C.int64_t) bool) bool {
	if p.slow.Load() || (!end.IsZero() && time.Until(end) < aMoment*time.Millisecond) {
		return false
	}
	defer moments.Add(-1)
	if moments.Add(1) > mostMoments {
		return false
	}
	begun := time.Now()
	over := soon(aMoment)
	if time.Since(begun) > quick {
		p.slow.Store(true)
	}
	return over
}

// sleep makes attempts with the turn in hand. False and nil where it is to be looked again: the handle was closed
// meanwhile, or the descriptor does not tell all.
func (p *place) sleep(ctx context.Context, end time.Time, attempt func() bool) (bool, error) {
	until := end
	if p.coarse > 0 {
		if next := time.Now().Add(p.coarse); until.IsZero() || next.Before(until) {
			until = next
		}
	}
	limited := !until.IsZero()
	if limited {
		// Before the context can move it. A file that was closed is noticed below.
		_ = p.file.SetReadDeadline(until)
	}
	stop := func() bool { return true }
	woken := make(chan struct{})
	if ctx.Done() != nil {
		stop = context.AfterFunc(ctx, func() {
			defer close(woken)
			// It wakes the sleeper; a file that was closed needs no waking.
			_ = p.file.SetReadDeadline(time.Unix(1, 0))
		})
	}
	over := false
	err := p.raw.Read(func(uintptr) bool {
		// The descriptor is watched only while somebody sleeps there, so that others are spared the telling. It fails only
		// where the handle is closed, which the attempt says.
		inside <- struct{}{}
		defer func() { <-inside }()
		p.watch(1)
		if p.looks != nil {
			p.looks.ring()
		}
		over = attempt()
		if over {
			p.watch(0)
		}
		return over
	})
	if !over {
		p.watch(0)
	}
	if !stop() {
		<-woken
		limited = true
	}
	if limited {
		_ = p.file.SetReadDeadline(time.Time{})
	}
	switch {
	case over:
		return true, nil
	case ctx.Err() != nil:
		return false, contextError(ctx)
	case p.isClosed():
		return false, nil
	case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
		return false, errorf(StatusInternal, "waiting at a descriptor failed: "+err.Error())
	case !end.IsZero() && !time.Now().Before(end):
		return false, errEnd
	}
	return false, nil
}

func (p *place) watch(on C.int32_t) {
	if p.watched != nil {
		p.watched(on)
	}
}

// open asks for the descriptor, at the first wait. It is a copy, which stays ours when the handle is closed.
func (p *place) open() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file != nil {
		return nil
	}
	if p.sealed {
		return errorf(StatusClosed, "the handle is closed")
	}
	var file *os.File
	var lacking error
	err := check(func() C.dividere_status_t {
		var fd C.int32_t
		status := p.descriptor(&fd)
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
	p.file, p.raw = file, raw
	return nil
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

func (p *place) seal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sealed = true
}

func (p *place) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.file != nil {
		p.file.Close()
	}
}

func (p *place) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

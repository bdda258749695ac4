package dividere

// A handle of the library: a number, how it is closed, and who waits for it.

// #include "shim.h"
import "C"

import (
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
)

// native is a handle as C has it: dividere_publisher_t and so on.
type native interface{ ~struct{ id C.uint64_t } }

// handle is what every role has inside. It holds no reference to the object around it, so that both are collected, and
// the handle closed, when a program forgets it.
type handle struct {
	id    uint64
	end   func() C.dividere_status_t
	once  sync.Once
	err   error
	ended chan struct{}
	// Where to wait for what is to be received, and for room to send.
	ready, room place
	hook        eventHook
	// How a send waits where a queue is full.
	full fullQueue
	// Of a request: TIMEOUT of a send says that nobody is connected yet.
	connects bool
	// What must not be collected before it.
	needs *handle
	// Called before it is closed.
	before func()
}

// working has those that work by themselves: nobody may hold them, and they are not to be collected.
var working sync.Map

// works says that it works by itself, until it is closed.
func (h *handle) works() {
	if h == nil {
		return
	}
	working.Store(h, nil)
	if h.isClosed() {
		working.Delete(h)
	}
}

// openHandles counts those that were neither closed nor collected.
var openHandles atomic.Int64

func newHandle[T native](made T, end func(T) C.dividere_status_t) *handle {
	h := &handle{
		id:    uint64(C.dividere_socket_t(made).id),
		end:   func() C.dividere_status_t { return end(made) },
		ended: make(chan struct{}),
	}
	// Of its number alone: a place that held the handle would keep it from being collected.
	socket := h.socket()
	h.ready = place{
		turn:       make(chan struct{}, 1),
		descriptor: func(fd *C.int32_t) C.dividere_status_t { return C.dividere_socket_fd(socket, fd) },
		watched:    func(on C.int32_t) { C.dividere_socket_watch(socket, on) },
	}
	h.room = place{
		turn:       make(chan struct{}, 1),
		descriptor: func(fd *C.int32_t) C.dividere_status_t { return C.dividere_socket_room_fd(socket, fd) },
	}
	openHandles.Add(1)
	// Closing may take a moment, and the goroutine of finalizers is there for all.
	runtime.SetFinalizer(h, func(h *handle) { go h.close() })
	return h
}

// open makes a handle of a role: with its options, its endpoints (or its name) as C has them, and how sends wait where a
// queue is full. FullQueueDrop is for a role that sends nothing.
func open[T native](endpoints string, options []Option, usual FullQueue,
	create func(endpoints *C.char, s *settings, made *T) C.dividere_status_t, end func(T) C.dividere_status_t,
) (*handle, error) {
	if err := withoutNul(endpoints); err != nil {
		return nil, err
	}
	var h *handle
	err := with(options, func(s *settings) error {
		full, err := s.waitInGo(usual)
		if err != nil {
			return err
		}
		at := C.CString(endpoints)
		defer C.free(unsafe.Pointer(at))
		var made T
		if err := check(func() C.dividere_status_t { return create(at, s, &made) }); err != nil {
			return err
		}
		h = newHandle(made, end)
		h.full = full
		return nil
	})
	return h, err
}

// close ends it, once. What waits for it returns ErrClosed.
func (h *handle) close() error {
	if h == nil {
		return nil
	}
	h.once.Do(func() {
		runtime.SetFinalizer(h, nil)
		if h.before != nil {
			h.before()
		}
		// Before the descriptors are others': nobody is about to copy one.
		h.ready.seal()
		h.room.seal()
		h.err = check(h.end)
		if statusOf(h.err) == StatusClosed {
			// By Shutdown, which closes everything.
			h.err = nil
		}
		close(h.ended)
		working.Delete(h)
		h.ready.close()
		h.room.close()
		openHandles.Add(-1)
	})
	return h.err
}

func (h *handle) isClosed() bool {
	if h == nil {
		return true
	}
	select {
	case <-h.ended:
		return true
	default:
		return false
	}
}

// number is 0, which the library takes for a closed one, of a handle that was never made: the zero value of a role.
func (h *handle) number() uint64 {
	if h == nil {
		return 0
	}
	return h.id
}

// socket is the number as the functions take it that all roles share.
func (h *handle) socket() C.dividere_socket_t {
	return C.dividere_socket_t{id: C.uint64_t(h.number())}
}

// call makes a call with the handle that does not wait.
func (h *handle) call(call func(socket C.dividere_socket_t) C.dividere_status_t) error {
	defer runtime.KeepAlive(h)
	return check(func() C.dividere_status_t { return call(h.socket()) })
}

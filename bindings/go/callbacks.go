package dividere

// What the library calls. Each function runs on a thread of the library's or, of a reactor, on that of Run; nothing that
// panics passes through C.

// #include "callbacks.h"
// #include "shim.h"
import "C"

import (
	"log/slog"
	"runtime/cgo"
	"runtime/debug"
	"sync"
	"unsafe"
)

//export dividereGoRelease
func dividereGoRelease(context C.uintptr_t) {
	h := cgo.Handle(context)
	if bell, ok := h.Value().(*bell); ok {
		// Of a socket that is closed, or was by the library itself.
		bell.ring()
	}
	h.Delete()
}

//export dividereGoHandle
func dividereGoHandle(context C.uintptr_t, source C.uint64_t, message *C.dividere_message_t) C.dividere_status_t {
	h := cgo.Handle(context).Value().(*reaction)
	err := h.run(uint64(source), message)
	if err == nil {
		return C.DIVIDERE_OK
	}
	// For the error handler, which is called next, on this thread.
	h.reactor.setFailed(err)
	return fail(err)
}

//export dividereGoHandleError
func dividereGoHandleError(context C.uintptr_t, source C.uint64_t, message *C.dividere_message_t, status C.dividere_status_t, text *C.char) {
	r := cgo.Handle(context).Value().(*reactions)
	err := r.setFailed(nil)
	if err == nil {
		err = &Error{Status: Status(status), Text: C.GoString(text)}
	}
	r.tell(uint64(source), message, err)
}

//export dividereGoRunTask
func dividereGoRunTask(context C.uintptr_t) {
	t := cgo.Handle(context).Value().(*task)
	if err := guarded(func() error { t.run(); return nil }); err != nil {
		t.reactor.tell(0, nil, err)
	}
}

//export dividereGoRing
func dividereGoRing(context C.uintptr_t) {
	cgo.Handle(context).Value().(*bell).ring()
}

//export dividereGoLog
func dividereGoLog(context C.uintptr_t, level C.int32_t, target, text *C.char) {
	logger := cgo.Handle(context).Value().(*slog.Logger)
	// A panic in somebody's slog.Handler has nowhere to go.
	_ = guarded(func() error { return logLine(logger, int32(level), C.GoString(target), C.GoString(text)) })
}

// fail makes err the last error of this thread and gives its status: what an asker is told.
func fail(err error) C.dividere_status_t {
	status := StatusRemote
	if ours, ok := err.(*Error); ok && ours.Status != StatusOK {
		status = ours.Status
	}
	text := C.CString(err.Error())
	defer C.free(unsafe.Pointer(text))
	return C.dividere_fail(C.int32_t(status), text)
}

// guarded runs something of the user's; a panic becomes an error.
func guarded(run func() error) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = &PanicError{panicked, debug.Stack()}
		}
	}()
	return run()
}

// bell wakes all who wait for it. The zero value is one.
type bell struct {
	mu   sync.Mutex
	news chan struct{}
}

// next is closed at the next ring.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.news == nil {
		b.news = make(chan struct{})
	}
	return b.news
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.news != nil {
		close(b.news)
		b.news = nil
	}
}

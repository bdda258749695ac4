package dividere

// What belongs to the process.

// #include "shim.h"
import "C"

import (
	"context"
	"time"
	"unsafe"
)

// Configure sets what belongs to the process: WithIOThreads, WithMaxSockets, WithThreadNamePrefix. ErrInvalidArgument
// where other options are set, too; ErrState once a handle was made.
func Configure(options ...Option) error {
	return with(options, func(s *settings) error {
		return check(func() C.dividere_status_t { return C.dividere_configure(s.options) })
	})
}

// shutdowns rings when one is over: for those who wait for what a closed handle does not tell.
var shutdowns bell

// Shutdown closes every handle of the process and waits until what was accepted is sent: for at most the longest linger
// time among the handles, or as long as ctx allows, whichever is shorter. Call it before main returns: returning from main
// ends a Go program at once, and what was sent just before would be lost. Handles are closed afterwards, and new ones can
// be made. ctx.Err() where ctx was over first; everything is closed then, too, and where ctx was over from the beginning, what
// is not sent within 300 ms is lost: give it a context of its own where that of the program is over at a signal.
func Shutdown(ctx context.Context) error {
	limit := int64(-1)
	waiting := ctx.Done()
	if ctx.Err() != nil {
		// What the library takes to close, and no more.
		limit, waiting = 0, nil
	} else if end, ok := ctx.Deadline(); ok {
		limit = max(1, milliseconds(time.Until(end)))
	}
	var theirs []*handle
	working.Range(func(h, _ any) bool {
		theirs = append(theirs, h.(*handle))
		return true
	})
	done := make(chan error, 1)
	go func() {
		err := check(func() C.dividere_status_t { return C.dividere_shutdown(C.int64_t(limit)) })
		shutdowns.ring()
		done <- err
		for _, h := range theirs {
			// Closed already: so it may be collected.
			_ = h.close()
		}
	}()
	select {
	case err := <-done:
		if err == nil && ctx.Err() != nil {
			return contextError(ctx)
		}
		return err
	case <-waiting:
		return contextError(ctx)
	}
}

// Version gives the version of the library that is loaded, as "3.0.0".
func Version() string { return C.GoString(C.dividere_version()) }

// Has tells whether the library can do what is asked for: "curve", "ipc", "tcp", "inproc".
func Has(feature string) bool {
	name := C.CString(feature)
	defer C.free(unsafe.Pointer(name))
	return C.dividere_has(name) == 1
}

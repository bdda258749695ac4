package dividere

// Handlers of requests, of services and of workers: what is called from threads of the library.

// #include "serving.h"
import "C"

import (
	"context"
	"errors"
	"runtime/cgo"
	"unsafe"

	"google.golang.org/protobuf/proto"
)

// server is what the library calls for a request.
type server struct {
	ctx context.Context
	// Serialises the answer, or says what went wrong.
	serve func(ctx context.Context, request, reply *slot) error
}

func (s *server) context() C.uintptr_t { return C.uintptr_t(cgo.NewHandle(s)) }

//export dividereGoForget
func dividereGoForget(context C.uintptr_t) {
	cgo.Handle(context).Delete()
}

//export dividereGoServe
func dividereGoServe(context C.uintptr_t, request, reply *C.go_slot) C.dividere_status_t {
	s := cgo.Handle(context).Value().(*server)
	err := guarded(func() error { return s.serve(s.ctx, &slot{request}, &slot{reply}) })
	if err == nil {
		return C.DIVIDERE_OK
	}
	if panicked, ok := err.(*PanicError); ok {
		logFailure("a handler panicked", panicked)
	}
	status, words := told(err)
	text := C.CString(words)
	defer C.free(unsafe.Pointer(text))
	if C.dividere_message_reply_error(request.message, C.int32_t(status), text) == C.DIVIDERE_OK {
		return C.DIVIDERE_OK
	}
	// It was answered before: there is somebody to be told all the same, in the log.
	return C.dividere_fail(C.int32_t(status), text)
}

// told gives the status and the words that the asker is told of an error.
func told(err error) (Status, string) {
	if panicked, ok := err.(*PanicError); ok {
		return StatusRemote, panicked.Error()
	}
	var ours *Error
	if !errors.As(err, &ours) || ours.Status == StatusOK {
		return StatusRemote, err.Error()
	}
	if e, plain := err.(*Error); plain && e.Text != "" {
		return e.Status, e.Text
	}
	return ours.Status, err.Error()
}

// NewError makes an error with a status, which a handler returns for the asker to see: errors.Is(err, ErrNotFound).
func NewError(status Status, text string) error { return errorf(status, text) }

// typed makes a handler of a message type one of slots.
func typed[Q, R proto.Message](handler func(ctx context.Context, request Q) (R, error)) func(context.Context, *slot, *slot) error {
	return func(ctx context.Context, request, reply *slot) error {
		question, err := parseAs[Q](request.view())
		if err != nil {
			return err
		}
		answer, err := handler(ctx, question)
		if err != nil {
			return err
		}
		if isNil(answer) {
			return errors.New("the handler gave no reply")
		}
		return reply.prepare(answer, proto.Size(answer))
	}
}

func freeText(text *C.char) { C.free(unsafe.Pointer(text)) }

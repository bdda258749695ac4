package dividere

// What can go wrong, as errors.Is and errors.As see it.

// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"unsafe"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// A Status is the number of an outcome, the same in every language. Numbers are never changed; a later version of the
// library may give some that this package has no name for.
type Status int32

// The outcomes.
const (
	// StatusOK is no failure; the others are explained at the errors of their names, where there are such.
	StatusOK              Status = C.DIVIDERE_OK
	StatusInvalidArgument Status = C.DIVIDERE_INVALID_ARGUMENT
	StatusNullPointer     Status = C.DIVIDERE_NULL_POINTER
	StatusOutOfMemory     Status = C.DIVIDERE_OUT_OF_MEMORY
	StatusLimit           Status = C.DIVIDERE_LIMIT
	StatusTimeout         Status = C.DIVIDERE_TIMEOUT
	StatusWouldBlock      Status = C.DIVIDERE_WOULD_BLOCK
	StatusClosed          Status = C.DIVIDERE_CLOSED
	StatusForked          Status = C.DIVIDERE_FORKED
	StatusCancelled       Status = C.DIVIDERE_CANCELLED
	StatusState           Status = C.DIVIDERE_STATE
	StatusEndpoint        Status = C.DIVIDERE_ENDPOINT
	StatusAddressInUse    Status = C.DIVIDERE_ADDRESS_IN_USE
	StatusUnreachable     Status = C.DIVIDERE_UNREACHABLE
	StatusPermission      Status = C.DIVIDERE_PERMISSION
	StatusHandshake       Status = C.DIVIDERE_HANDSHAKE
	StatusTooLarge        Status = C.DIVIDERE_TOO_LARGE
	StatusDecode          Status = C.DIVIDERE_DECODE
	StatusType            Status = C.DIVIDERE_TYPE
	StatusNotFound        Status = C.DIVIDERE_NOT_FOUND
	StatusBusy            Status = C.DIVIDERE_BUSY
	StatusRemote          Status = C.DIVIDERE_REMOTE
	StatusUnsupported     Status = C.DIVIDERE_UNSUPPORTED
	StatusInternal        Status = C.DIVIDERE_INTERNAL
)

// String gives the name that all languages know, as "TIMEOUT".
func (s Status) String() string {
	return C.GoString(C.dividere_status_name(C.int32_t(s)))
}

// What errors.Is compares with: what this package returns, but for StatusCancelled and the like, which only a handler on the
// far side can make up.
var (
	// ErrInvalidArgument: an argument or an option is outside of what is allowed; the text names it.
	ErrInvalidArgument error = &Error{Status: StatusInvalidArgument}
	// ErrOutOfMemory: there was no memory left for it.
	ErrOutOfMemory error = &Error{Status: StatusOutOfMemory}
	// ErrLimit: the process ran out of descriptors or sockets, or the far side has a limit that would be exceeded.
	ErrLimit error = &Error{Status: StatusLimit}
	// ErrTimeout: a time that is not a context's was over: the send timeout, that of one attempt of a call.
	ErrTimeout error = &Error{Status: StatusTimeout}
	// ErrWouldBlock: the send queue is full, and the handle was told to fail then (FullQueueFail).
	ErrWouldBlock error = &Error{Status: StatusWouldBlock}
	// ErrClosed: the handle is closed, or was closed during the call.
	ErrClosed error = &Error{Status: StatusClosed}
	// ErrState: not in this state: the order of send and receive was broken, or a reactor has the socket.
	ErrState error = &Error{Status: StatusState}
	// ErrEndpoint: the endpoint is malformed, or it makes no sense for this role.
	ErrEndpoint error = &Error{Status: StatusEndpoint}
	// ErrAddressInUse: another socket is bound to the address.
	ErrAddressInUse error = &Error{Status: StatusAddressInUse}
	// ErrUnreachable: the host, the address or the peer cannot be reached, or does not exist.
	ErrUnreachable error = &Error{Status: StatusUnreachable}
	// ErrPermission: the other side refused our key, or the system refused the access.
	ErrPermission error = &Error{Status: StatusPermission}
	// ErrHandshake: the handshake failed for another reason than a refused key.
	ErrHandshake error = &Error{Status: StatusHandshake}
	// ErrTooLarge: the message is larger than the maximum message size.
	ErrTooLarge error = &Error{Status: StatusTooLarge}
	// ErrDecode: the bytes are no envelope, or no message of the type that they name. See DecodeError.
	ErrDecode error = &Error{Status: StatusDecode}
	// ErrType: the message is of another type than the one asked for. See DecodeError.
	ErrType error = &Error{Status: StatusType}
	// ErrNotFound: nothing has that name; of a received message, the program has no such type. See DecodeError.
	ErrNotFound error = &Error{Status: StatusNotFound}
	// ErrBusy: the far side has no capacity for it now.
	ErrBusy error = &Error{Status: StatusBusy}
	// ErrRemote: the handler on the far side failed.
	ErrRemote error = &Error{Status: StatusRemote}
	// ErrUnsupported: this build, or the role, cannot do it.
	ErrUnsupported error = &Error{Status: StatusUnsupported}
	// ErrInternal: a fault in dividere itself.
	ErrInternal error = &Error{Status: StatusInternal}
)

// An Error is what dividere says. errors.Is compares its Status with that of ErrTimeout and the others.
type Error struct {
	// Status is the number of the outcome.
	Status Status
	// Text names what was at fault (the endpoint, the option, the type) and says what to do.
	Text string
}

// Error gives the text, or where there is none the name of the status.
func (e *Error) Error() string {
	if e.Text == "" {
		return "dividere: " + e.Status.String()
	}
	return "dividere: " + e.Status.String() + ": " + e.Text
}

// Is tells whether target is the sentinel of the same status.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Status == e.Status && (other.Text == "" || other.Text == e.Text)
}

// Timeout tells whether a time was over, as errors of package net do.
func (e *Error) Timeout() bool {
	return e.Status == StatusTimeout
}

// A DecodeError is returned with a message that was received and could not be made into what was asked for:
// ErrDecode, ErrType or ErrNotFound. The message is taken all the same; here it is.
type DecodeError struct {
	// Err says what is wrong with it.
	Err error
	// TypeName is the full name of its type; empty where it is no envelope.
	TypeName protoreflect.FullName
	// Payload is the serialised message, or, where it is no envelope, all bytes.
	Payload []byte
}

// Error gives the text.
func (e *DecodeError) Error() string {
	return e.Err.Error()
}

// Unwrap gives Err.
func (e *DecodeError) Unwrap() error {
	return e.Err
}

// A PanicError is what a handler, timer or task of a Reactor has failed with that panicked. errors.Is says ErrRemote.
type PanicError struct {
	// Value is what it panicked with.
	Value any
	// Stack is where, as debug.Stack formats it.
	Stack []byte
}

// Error gives "panic: " and the value, and not the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap gives an Error that is ErrRemote, and the value where that is an error.
func (e *PanicError) Unwrap() []error {
	all := []error{&Error{Status: StatusRemote, Text: e.Error()}}
	if err, ok := e.Value.(error); ok {
		all = append(all, err)
	}
	return all
}

// logFailure writes to slog.Default what there is nobody else to be told.
func logFailure(what string, err error) {
	var panicked *PanicError
	if errors.As(err, &panicked) {
		slog.Default().Error(what, "error", err, "stack", string(panicked.Stack))
		return
	}
	slog.Default().Error(what, "error", err)
}

func errorf(status Status, text string) error {
	return &Error{Status: status, Text: text}
}

// withoutNul says that one of what C takes as strings, which end with a NUL there, has one in itself.
func withoutNul(texts ...string) error {
	for _, text := range texts {
		if strings.IndexByte(text, 0) >= 0 {
			return errorf(StatusInvalidArgument, fmt.Sprintf("%q has a NUL in it", text))
		}
	}
	return nil
}

// taken makes an error of what a shim gave, and frees its text. nil for OK.
func taken(r C.go_result) error {
	if r.status == C.DIVIDERE_OK {
		return nil
	}
	if r.status == C.DIVIDERE_WOULD_BLOCK {
		return errFull
	}
	e := &Error{Status: Status(r.status)}
	if r.text != nil {
		e.Text = C.GoString(r.text)
		C.free(unsafe.Pointer(r.text))
	}
	return e
}

// Without a text of its own, as it is met all the time.
var errFull error = &Error{Status: StatusWouldBlock, Text: "the send queue is full"}

// check makes a call into C and the error of what it returned. The text of an error is per thread: so the goroutine
// stays on its thread meanwhile.
func check(call func() C.dividere_status_t) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	status := call()
	if status == C.DIVIDERE_OK {
		return nil
	}
	return &Error{Status: Status(status), Text: C.GoString(C.dividere_last_error())}
}

// statusOf gives the status of an error of ours, and StatusInternal of others.
func statusOf(err error) Status {
	var ours *Error
	if errors.As(err, &ours) {
		return ours.Status
	}
	return StatusInternal
}

func isWouldBlock(err error) bool {
	e, ok := err.(*Error)
	return ok && e.Status == StatusWouldBlock
}

// A cancelled context's error, with its cause where it has one.
type cancelledError struct {
	err, cause error
}

func (e *cancelledError) Error() string {
	return e.err.Error() + ": " + e.cause.Error()
}

func (e *cancelledError) Unwrap() []error {
	return []error{e.err, e.cause}
}

// contextError gives ctx.Err(); where the context has a cause of its own, an error that is both.
func contextError(ctx context.Context) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); cause != err && cause != nil {
		return &cancelledError{err, cause}
	}
	return err
}

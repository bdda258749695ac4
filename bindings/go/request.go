package dividere

// Asks, and gets an answer or an error in time.

// #include "shim.h"
import "C"

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"google.golang.org/protobuf/proto"
)

// A Request asks, and gets an answer or an error in time. Any number of calls may be under way at once. It is never stuck:
// after a call was given up the next one may be made, and a late reply is dropped and counted, never delivered.
type Request struct {
	Socket
	receiving
}

// NewRequest makes a request, which connects to each of the comma-separated endpoints ("@" in front binds) and asks them
// in turn. Fails as NewPublisher.
func NewRequest(endpoints string, options ...Option) (*Request, error) {
	h, err := open(endpoints, options, FullQueueBlock,
		func(endpoints *C.char, s *settings, made *C.dividere_request_t) C.dividere_status_t {
			// Waiting for a connection is done here.
			if status := C.dividere_options_set_int(s.options, C.DIVIDERE_OPTION_SEND_TIMEOUT_MS, 0); status != C.DIVIDERE_OK {
				return status
			}
			return C.dividere_request_new(endpoints, s.options, made)
		},
		func(made C.dividere_request_t) C.dividere_status_t { return C.dividere_request_close(made) })
	if err != nil {
		return nil, err
	}
	h.connects = true
	h.ready.looks = new(bell)
	return &Request{Socket{h}, receiving{h}}, nil
}

func (r *Request) sender() *handle { return r.h }

// A CallOption says how a call is made.
type CallOption func(*calling)

type calling struct {
	retries   int
	each      time.Duration
	mayRepeat bool
}

// may says whether a request may be served more than once.
func (c *calling) may() C.int32_t {
	if c.mayRepeat || c.retries > 0 {
		return 1
	}
	return 0
}

// A Caller is a handle to ask with: Request, ServiceClient.
type Caller interface {
	call(ctx context.Context, options []CallOption, fill, use func(*slot) error) error
}

// MayRepeat says that a request may be served more than once: a service client sends it again where an instance went away
// with it, or has not answered in half of the time left while there was another one; a broker hands it to another worker
// where the first one dies.
func MayRepeat() CallOption { return func(c *calling) { c.mayRepeat = true } }

// WithRetries makes a call ask again, the next endpoint where there are several, up to so many times, each time after no
// reply came within each. So a request may be served more than once; a broker is told that it may be repeated. The
// context limits all attempts together.
func WithRetries(retries int, each time.Duration) CallOption {
	return func(c *calling) { c.retries, c.each = retries, each }
}

// Call asks and waits for the reply, which has to be of the type A, as *pb.Answer (proto.Message takes any), as long as
// ctx allows. Where the other side answered with an error: its status (ErrRemote where a handler failed), with its text.
// ErrTimeout where none of the attempts of WithRetries had a reply. DecodeError where the reply is of another type.
//
// Of a ServiceClient also: ErrNotFound, at once, where nobody has the name; ErrBusy where all who could be asked are too
// busy; ErrUnreachable where an instance went away and may have served it or not; where the time of ctx is over, ErrTimeout
// beside ctx.Err(), with words for what was waited for.
//
//	answer, err := dividere.Call[*pb.Answer](ctx, client, question, dividere.MayRepeat())
func Call[A proto.Message](ctx context.Context, with Caller, question proto.Message, options ...CallOption) (A, error) {
	var answer A
	if isNil(question) {
		return answer, errNil
	}
	fill := func(s *slot) error { return s.prepare(question, proto.Size(question)) }
	err := with.call(ctx, options, fill, func(s *slot) (err error) {
		answer, err = parseAs[A](s.view())
		return err
	})
	return answer, err
}

// Call asks and waits for the reply, of any type that the program has. See the function Call.
func (r *Request) Call(ctx context.Context, question proto.Message, options ...CallOption) (proto.Message, error) {
	return Call[proto.Message](ctx, r, question, options...)
}

// CallBytes asks with bytes without an envelope, and gives the bytes of the reply.
func (r *Request) CallBytes(ctx context.Context, question []byte, options ...CallOption) ([]byte, error) {
	var answer []byte
	err := r.call(ctx, options, func(s *slot) error { return s.prepareBytes(question) }, func(s *slot) error {
		answer = bytes.Clone(s.view().wire())
		return nil
	})
	return answer, err
}

func (r *Request) call(ctx context.Context, options []CallOption, fill, use func(*slot) error) error {
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	how := calling{}
	for _, option := range options {
		option(&how)
	}
	if how.retries < 0 || how.each < 0 || (how.retries > 0 && how.each == 0) {
		return errorf(StatusInvalidArgument, "retries take a time for each attempt, and neither is negative")
	}
	s, err := takeSlot()
	if err != nil {
		return err
	}
	defer s.giveBack()
	defer runtime.KeepAlive(r.h)
	// What an attempt leaves of its time is the next one's, to wait for a connection.
	end := time.Now()
	for attempt := 0; ; attempt++ {
		if err := fill(s); err != nil {
			return err
		}
		end = end.Add(how.each)
		err := r.attemptCall(ctx, &how, end, s)
		if err == nil {
			return use(s)
		}
		// Its connection was lost, or a broker's worker with it: it may be repeated.
		if errors.Is(err, ErrUnreachable) && attempt < how.retries {
			continue
		}
		if err != errAttemptOver {
			return err
		}
		if attempt == how.retries {
			return errorf(StatusTimeout, fmt.Sprintf("no reply to %d attempt(s) of %v each", attempt+1, how.each))
		}
	}
}

// errAttemptOver: the time of one attempt, not that of the context.
var errAttemptOver error = &Error{Status: StatusTimeout, Text: "no reply in the time of one attempt"}

// attemptCall sends what the slot holds, until end, and receives the reply into it, in the time of one attempt.
func (r *Request) attemptCall(whole context.Context, how *calling, end time.Time, s *slot) error {
	ctx := whole
	if how.each > 0 {
		limited, cancel := context.WithDeadline(whole, end)
		defer cancel()
		ctx = limited
	}
	// What a broker on the way is told: how long the reply will be waited for.
	replyTimeout := int64(-1)
	if end, ok := ctx.Deadline(); ok {
		replyTimeout = max(1, milliseconds(time.Until(end)))
	}
	request := C.dividere_request_t{id: C.uint64_t(r.h.number())}
	var call C.uint64_t
	var err error
	start := func() bool {
		err = taken(C.go_start_call(request, s.c, C.int(how.may()), C.int64_t(replyTimeout), &call))
		return !isWouldBlock(err)
	}
	if !start() {
		// Nobody is connected, or the queue is full.
		if !r.h.full.block && r.up() {
			return err
		}
		if given := r.h.await(ctx, wait{at: &r.h.room, attempt: start}); given != nil {
			err = given
		}
	}
	if err == nil {
		if how.each > 0 {
			limited, cancel := context.WithTimeout(ctx, how.each)
			defer cancel()
			ctx = limited
		}
		err = r.finish(ctx, request, call, s)
	}
	if err != nil && ctx.Err() != nil && whole.Err() == nil {
		return errAttemptOver
	}
	return err
}

// up tells whether somebody is connected.
func (r *Request) up() bool {
	counted, err := r.Statistics()
	return err == nil && counted.Peers > 0
}

func (r *Request) finish(ctx context.Context, request C.dividere_request_t, call C.uint64_t, s *slot) error {
	var result C.go_result
	// A reply to one call may be received by another one, which puts it by.
	soon := func(ms C.int64_t) bool {
		result = C.go_finish_call(request, call, s.c, ms)
		return result.status != C.DIVIDERE_WOULD_BLOCK
	}
	err := r.h.await(ctx, wait{at: &r.h.ready, attempt: func() bool { return soon(0) }, soon: soon})
	if err != nil {
		// Over already where it fails.
		C.dividere_request_abandon_call(request, call)
		return err
	}
	return taken(result)
}

// Send sends a request; its reply is received next. ErrState where the reply to the one before was not received. It waits
// for a connection for the send timeout (WithSendTimeout). Call does both, for any number of goroutines.
func (r *Request) Send(ctx context.Context, question proto.Message) error {
	return r.h.send(ctx, question)
}

// SendBytes sends a request without an envelope.
func (r *Request) SendBytes(ctx context.Context, question []byte) error {
	return r.h.sendBytes(ctx, question)
}

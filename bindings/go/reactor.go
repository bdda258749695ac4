package dividere

// Calls a function for each message that arrives at any of its sources.

// #include "callbacks.h"
// #include "shim.h"
import "C"

import (
	"context"
	"runtime"
	"runtime/cgo"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A Reactor calls a function for each message that arrives at any of its sources, one after the other on one thread.
// Nothing ends it but stopping or closing it: what cannot be handled goes to the error handler, and a request that is left
// unanswered is answered with an error. Handlers, timers and tasks may do anything, closing and stopping included; what
// takes long there holds up all others. A handler that panics has failed, with a PanicError. None may call runtime.Goexit,
// as t.FailNow of package testing does: the thread is not its own, and Go ends the process. A reactor that its own handlers
// refer to is not collected before it was closed.
type Reactor struct {
	h *handle
	r *reactions
}

// reactions are what the callbacks of a reactor need. They do not keep the reactor itself from being collected.
type reactions struct {
	mu      sync.Mutex
	sources map[uint64]Receiver
	// How many of them there were when those that are closed were taken out.
	open    int
	onError func(Source, error)
	// What the handler that ran last returned, until the error handler, which runs next, has it.
	failed error
}

type reaction struct {
	reactor *reactions
	handler func(Source) error
}

type task struct {
	reactor *reactions
	run     func()
}

// NewReactor makes a reactor without sources. It does not run yet.
func NewReactor() (*Reactor, error) {
	var made C.dividere_reactor_t
	if err := check(func() C.dividere_status_t { return C.dividere_reactor_new(&made) }); err != nil {
		return nil, err
	}
	h := newHandle(made, func(made C.dividere_reactor_t) C.dividere_status_t { return C.dividere_reactor_close(made) })
	reactor := &Reactor{h, &reactions{sources: map[uint64]Receiver{}}}
	context := cgo.NewHandle(reactor.r)
	err := reactor.call(func(c C.dividere_reactor_t) C.dividere_status_t {
		return C.dividere_go_reactor_on_error(c, C.uintptr_t(context))
	})
	if err != nil {
		reactor.Close()
		return nil, err
	}
	return reactor, nil
}

func (r *Reactor) call(call func(c C.dividere_reactor_t) C.dividere_status_t) error {
	defer runtime.KeepAlive(r)
	return check(func() C.dividere_status_t { return call(C.dividere_reactor_t{id: C.uint64_t(r.h.number())}) })
}

// Close stops the reactor and lets go of its sources, handlers, timers and tasks. The sources stay open. ErrTimeout where a
// callback takes longer than 10 s; the reactor ends after it all the same. Closing again does nothing.
func (r *Reactor) Close() error { return r.h.close() }

// Add receives from a Subscriber, Response or Dealer from now on. To receive from it directly is ErrState until it is
// removed, and closing it removes it. ErrState where a reactor has it already; ErrUnsupported for a Request.
func (r *Reactor) Add(source Receiver) error {
	if r.r == nil {
		return errNone
	}
	h := source.receiver()
	// Before the first message can come.
	known := r.r.remember(h.number(), source)
	err := r.call(func(c C.dividere_reactor_t) C.dividere_status_t { return C.dividere_reactor_add(c, h.socket()) })
	if err != nil && !known {
		r.r.forget(h.number())
	}
	return err
}

// Remove receives from a source no more; a handler that is under way finishes. ErrNotFound where it is none.
func (r *Reactor) Remove(source Receiver) error {
	if r.r == nil {
		return errNone
	}
	h := source.receiver()
	err := r.call(func(c C.dividere_reactor_t) C.dividere_status_t { return C.dividere_reactor_remove(c, h.socket()) })
	if err == nil {
		r.r.forget(h.number())
	}
	return err
}

// setFailed gives what was set before.
func (r *reactions) setFailed(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.failed
	r.failed = err
	return before
}

// fewSources are kept although they may be closed.
const fewSources = 64

// remember tells whether it was known before.
func (r *reactions) remember(id uint64, source Receiver) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, known := r.sources[id]
	r.sources[id] = source
	if len(r.sources) > max(fewSources, 2*r.open) {
		// A source that is closed is removed, and nobody tells.
		for id, source := range r.sources {
			if source.receiver().isClosed() {
				delete(r.sources, id)
			}
		}
		r.open = len(r.sources)
	}
	return known
}

func (r *reactions) forget(id uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sources, id)
}

// On calls handler for messages of the type T, as *pb.Reading, in place of the one set before; nil ends it. The message is the
// handler's. What the handler returns, an asker is told (as ErrRemote, with the text), and the error handler,
// too. From any goroutine, at any time.
func On[T proto.Message](r *Reactor, handler func(Source, T) error) error {
	name := NameOf[T]()
	if name == "" {
		return errorf(StatusInvalidArgument, "On takes one type of messages; OnDefault is for all others")
	}
	if handler == nil {
		return r.on(name, nil)
	}
	return r.on(name, func(from Source) error {
		m, err := parseDelivery[T](from)
		if err != nil {
			return err
		}
		return handler(from, m)
	})
}

func parseDelivery[T proto.Message](from Source) (T, error) {
	var none T
	m := none.ProtoReflect().Type().New().Interface().(T)
	return m, from.UnmarshalInto(m)
}

// OnType calls handler for messages of the type with this full name, which the program need not have, in place of the one
// set before; nil ends it.
func (r *Reactor) OnType(typeName protoreflect.FullName, handler func(Source) error) error {
	if typeName == "" {
		return errorf(StatusInvalidArgument, "no name of a type; OnDefault is for all that no other handler is for")
	}
	return r.on(typeName, handler)
}

// OnDefault calls handler for messages that no other handler is for, in place of the one set before; nil ends it.
func (r *Reactor) OnDefault(handler func(Source) error) error { return r.on("", handler) }

func (r *Reactor) on(name protoreflect.FullName, handler func(Source) error) error {
	context := C.uintptr_t(0)
	if handler != nil {
		context = C.uintptr_t(cgo.NewHandle(&reaction{r.r, handler}))
	}
	return withFilter(name, func(name *C.char) error {
		return r.call(func(c C.dividere_reactor_t) C.dividere_status_t { return C.dividere_go_reactor_on(c, name, context) })
	})
}

// OnError calls handler for what cannot be handled, in place of the one set before: ErrDecode for an undecodable message,
// ErrNotFound for one that no handler is for, else what a handler returned, or a PanicError. Of timers and
// tasks that panic the Source is the zero one. Without a handler, or with nil, these go to slog.Default.
func (r *Reactor) OnError(handler func(Source, error)) {
	if r.r == nil {
		return
	}
	r.r.mu.Lock()
	defer r.r.mu.Unlock()
	r.r.onError = handler
}

// deliver lends a message to something of the user's.
func (r *reactions) deliver(source uint64, message *C.dividere_message_t, use func(Source) error) error {
	r.mu.Lock()
	handle := r.sources[source]
	r.mu.Unlock()
	d := &delivery{message: message, handle: handle}
	if message != nil {
		C.dividere_message_view(message, &d.view)
	}
	// A Source that was kept has nothing afterwards.
	defer func() { d.message, d.view = nil, C.dividere_view_t{} }()
	return guarded(func() error { return use(Source{d}) })
}

func (h *reaction) run(source uint64, message *C.dividere_message_t) error {
	return h.reactor.deliver(source, message, h.handler)
}

// tell calls the error handler.
func (r *reactions) tell(source uint64, message *C.dividere_message_t, err error) {
	r.mu.Lock()
	handler := r.onError
	r.mu.Unlock()
	if handler == nil {
		logFailure("a reactor could not handle something", err)
		return
	}
	failed := r.deliver(source, message, func(from Source) error {
		handler(from, err)
		return nil
	})
	if failed != nil {
		logFailure("the error handler of a reactor failed", failed)
		logFailure("the reactor could not handle something before", err)
	}
}

// errNone is what the zero value of a Reactor says.
var errNone error = &Error{Status: StatusClosed, Text: "the reactor was never made: NewReactor does"}

// A TimerID names a timer of a reactor; 0 for none.
type TimerID uint64

// After calls run in d, which is rounded up to milliseconds, once.
func (r *Reactor) After(d time.Duration, run func()) (TimerID, error) { return r.timer(d, 0, run) }

// Every calls run every d, which is above 0, and rounded up to milliseconds.
func (r *Reactor) Every(d time.Duration, run func()) (TimerID, error) { return r.timer(d, 1, run) }

func (r *Reactor) timer(d time.Duration, repeat C.int32_t, run func()) (TimerID, error) {
	if run == nil {
		return 0, errNoTask
	}
	context := cgo.NewHandle(&task{r.r, run})
	var id C.uint64_t
	err := r.call(func(c C.dividere_reactor_t) C.dividere_status_t {
		return C.dividere_go_reactor_add_timer(c, C.int64_t(milliseconds(d)), repeat, C.uintptr_t(context), &id)
	})
	return TimerID(id), err
}

var errNoTask error = &Error{Status: StatusInvalidArgument, Text: "the function is nil"}

// CancelTimer ends a timer. ErrNotFound where it is over, or was cancelled before.
func (r *Reactor) CancelTimer(timer TimerID) error {
	return r.call(func(c C.dividere_reactor_t) C.dividere_status_t {
		return C.dividere_reactor_cancel_timer(c, C.uint64_t(timer))
	})
}

// OnIdle calls run whenever no message came for d, in place of the function set before; nil ends it.
func (r *Reactor) OnIdle(d time.Duration, run func()) error {
	context := C.uintptr_t(0)
	if run != nil {
		context = C.uintptr_t(cgo.NewHandle(&task{r.r, run}))
	}
	return r.call(func(c C.dividere_reactor_t) C.dividere_status_t {
		return C.dividere_go_reactor_on_idle(c, C.int64_t(milliseconds(d)), context)
	})
}

// Post runs a function once on the reactor's thread, soon, in the order of posting; while it does not run, when it runs
// again.
func (r *Reactor) Post(run func()) error {
	if run == nil {
		return errNoTask
	}
	context := cgo.NewHandle(&task{r.r, run})
	return r.call(func(c C.dividere_reactor_t) C.dividere_status_t {
		return C.dividere_go_reactor_post(c, C.uintptr_t(context))
	})
}

// Run runs the reactor until it is stopped or closed (nil), or ctx is over (ctx.Err(), after the callback that is under
// way). It is the one call that keeps a thread. ErrState where it runs already.
func (r *Reactor) Run(ctx context.Context) error {
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		// It may come before the loop has begun, and then does nothing.
		for pause := time.Millisecond; ; pause = min(2*pause, longestLook) {
			C.dividere_reactor_stop(C.dividere_reactor_t{id: C.uint64_t(r.h.number())}, 0)
			select {
			case <-ended:
				return
			case <-time.After(pause):
			}
		}
	})
	err := r.call(func(c C.dividere_reactor_t) C.dividere_status_t { return C.dividere_reactor_run(c) })
	close(ended)
	if !stop() && err == nil {
		return contextError(ctx)
	}
	return err
}

// Start runs the reactor on a thread of its own until it is stopped or closed; until then it is not collected. ErrState
// where it runs already.
func (r *Reactor) Start() error {
	err := r.call(func(c C.dividere_reactor_t) C.dividere_status_t { return C.dividere_reactor_start(c, nil) })
	if err == nil {
		r.h.works()
	}
	return err
}

// Stop ends the loop after the callback that is under way, and waits for that; in a callback of its own it does not wait.
// It can run again.
func (r *Reactor) Stop(ctx context.Context) error {
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	attempt := func() error {
		err := r.call(func(c C.dividere_reactor_t) C.dividere_status_t { return C.dividere_reactor_stop(c, 0) })
		if err != nil && statusOf(err) == StatusTimeout {
			return errWouldBlock
		}
		return err
	}
	err := attempt()
	if isWouldBlock(err) {
		err = r.h.look(ctx, attempt)
	}
	if err == nil {
		working.Delete(r.h)
	}
	return err
}

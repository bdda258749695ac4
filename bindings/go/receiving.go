package dividere

// Receiving: parsed straight from the frame, as a type, as any type that the program has, or as bytes.

// #include "shim.h"
import "C"

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"runtime"

	"google.golang.org/protobuf/proto"
)

// A Receiver is a handle to receive from: Subscriber, Request, Response, Dealer.
type Receiver interface {
	receiver() *handle
}

// recv receives into a slot, which the caller gives back. With an error that comes with bytes there is a slot, too.
func (h *handle) recv(ctx context.Context, typed bool) (*slot, error) {
	if ctx.Err() != nil {
		return nil, contextError(ctx)
	}
	s, err := takeSlot()
	if err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(h)
	form := C.int(0)
	if typed {
		form = 1
	}
	result := C.go_recv(h.socket(), s.c, form)
	if result.status == C.DIVIDERE_WOULD_BLOCK {
		if result, err = h.awaitRecv(ctx, s, form); err != nil {
			s.giveBack()
			return nil, err
		}
	}
	if result.status == C.DIVIDERE_OK {
		return s, nil
	}
	err = taken(result)
	if statusOf(err) != StatusDecode {
		s.giveBack()
		return nil, err
	}
	return s, err
}

// awaitRecv receives where there was nothing. Apart, so that what is there already is received without an allocation.
func (h *handle) awaitRecv(ctx context.Context, s *slot, form C.int) (C.go_result, error) {
	var result C.go_result
	soon := func(ms C.int64_t) bool {
		result = C.go_recv_soon(h.socket(), s.c, form, ms)
		return result.status != C.DIVIDERE_WOULD_BLOCK
	}
	if h.connects {
		// A request gives up what it waited for in vain.
		soon = nil
	}
	err := h.await(ctx, wait{at: &h.ready, attempt: func() bool {
		result = C.go_recv(h.socket(), s.c, form)
		return result.status != C.DIVIDERE_WOULD_BLOCK
	}, soon: soon})
	return result, err
}

// received gives what recv gave to use, and the slot back. An undecodable message becomes a DecodeError.
func (h *handle) received(ctx context.Context, use func(*slot) error) error {
	s, err := h.recv(ctx, true)
	if s == nil {
		return err
	}
	defer s.giveBack()
	if err != nil {
		return s.view().undecodable(err)
	}
	return use(s)
}

// Recv receives the next message, which has to be of the type T, as *pb.Reading; proto.Message takes any type that the
// program has. It waits as long as ctx allows: ctx.Err() after that, and no message is lost. DecodeError where what came
// is of another type or cannot be decoded: it is taken then, and the error has its bytes. ErrClosed where the handle is
// closed; ErrState where (Request, Response) it is out of turn, or where a reactor has the handle.
func Recv[T proto.Message](ctx context.Context, from Receiver) (T, error) {
	var m T
	if err := receivable[T](); err != nil {
		return m, err
	}
	err := from.receiver().received(ctx, func(s *slot) (err error) {
		m, err = parseAs[T](s.view())
		return err
	})
	return m, err
}

// All receives messages of the type T for as long as the loop goes on, as Recv does. What a message alone is to blame
// for (DecodeError) comes as an error, and the next one follows; any other error is the last. It ends without one when
// the handle is closed.
//
//	for reading, err := range dividere.All[*pb.Reading](ctx, subscriber) {
func All[T proto.Message](ctx context.Context, from Receiver) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			m, err := Recv[T](ctx, from)
			if statusOf(err) == StatusClosed && err != nil {
				return
			}
			var undecodable *DecodeError
			goes := err == nil || errors.As(err, &undecodable)
			if !yield(m, err) || !goes {
				return
			}
		}
	}
}

// receiving is what all roles that receive have.
type receiving struct {
	from *handle
}

func (r receiving) receiver() *handle { return r.from }

// Recv receives the next message, of any type that the program has (protoregistry.GlobalTypes). Fails as the function
// Recv does.
func (r receiving) Recv(ctx context.Context) (proto.Message, error) {
	return Recv[proto.Message](ctx, r)
}

// RecvInto receives the next message into m, which has to be of its type: so nothing has to be made for it. What m held
// before is gone. Fails as the function Recv does.
func (r receiving) RecvInto(ctx context.Context, m proto.Message) error {
	if isNil(m) {
		return errNil
	}
	return r.from.received(ctx, func(s *slot) error { return s.view().parseInto(m) })
}

// RecvBytes receives the next message as it is, without looking for an envelope.
func (r receiving) RecvBytes(ctx context.Context) ([]byte, error) {
	s, err := r.from.recv(ctx, false)
	if err != nil {
		return nil, err
	}
	defer s.giveBack()
	return bytes.Clone(s.view().wire()), nil
}

// RecvMessage receives the next message as an object: to look at its type before it is parsed, to answer it later or from
// another goroutine, or to see the route that it took. DecodeError where it is no envelope.
func (r receiving) RecvMessage(ctx context.Context) (*Message, error) {
	var m *Message
	s, err := r.from.recv(ctx, true)
	if s == nil {
		return nil, err
	}
	if err != nil {
		defer s.giveBack()
		return nil, s.view().undecodable(err)
	}
	m = &Message{s: s, from: r.from}
	return m, nil
}

// RecvRaw is RecvMessage without looking for an envelope.
func (r receiving) RecvRaw(ctx context.Context) (*Message, error) {
	s, err := r.from.recv(ctx, false)
	if err != nil {
		return nil, err
	}
	return &Message{s: s, from: r.from}, nil
}

// All receives messages of any type for as long as the loop goes on. See the function All.
func (r receiving) All(ctx context.Context) iter.Seq2[proto.Message, error] {
	return All[proto.Message](ctx, r)
}

// Wait waits until a receive may work. It is no promise: another goroutine may take the message first.
func (r receiving) Wait(ctx context.Context) error {
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	var err error
	look := func() bool {
		err = r.from.call(func(socket C.dividere_socket_t) C.dividere_status_t {
			return C.dividere_socket_wait(socket, 0)
		})
		return !isWouldBlock(err)
	}
	if look() {
		return err
	}
	if given := r.from.await(ctx, wait{at: &r.from.ready, attempt: look}); given != nil {
		return given
	}
	return err
}

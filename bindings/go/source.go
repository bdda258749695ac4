package dividere

// What a handler of a reactor has of a message.

// #include "shim.h"
import "C"

import (
	"bytes"
	"context"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A Source is where a message came from, and the message itself, as a handler has them: for the call only.
type Source struct {
	d *delivery
}

type delivery struct {
	message *C.dividere_message_t
	handle  Receiver
	view    C.dividere_view_t
}

// errLent is what a Source says after its handler has returned.
var errLent error = &Error{Status: StatusState, Text: "a Source is its handler's for the call only; Keep keeps the message"}

// Handle gives the Subscriber, Response or Dealer that the message came to; nil in an error handler that is told of a task.
func (s Source) Handle() Receiver {
	if s.d == nil {
		return nil
	}
	return s.d.handle
}

// TypeName gives the full name of the message's type; "" where it is no typed message.
func (s Source) TypeName() protoreflect.FullName {
	if s.d == nil || s.d.message == nil {
		return ""
	}
	return protoreflect.FullName(C.GoStringN(s.d.view.type_name, C.int(s.d.view.type_name_len)))
}

// Payload gives a copy of the serialised message; where it is no typed one, of all bytes.
func (s Source) Payload() []byte {
	if s.d == nil || s.d.message == nil {
		return nil
	}
	return bytes.Clone(s.view().content())
}

func (s Source) view() *view { return (*view)(&s.d.view) }

// Unmarshal parses the message into one of the type that the program has for it; ErrNotFound where it has none.
func (s Source) Unmarshal() (proto.Message, error) {
	if s.d == nil || s.d.message == nil {
		return nil, errLent
	}
	return s.view().parseAny()
}

// UnmarshalInto parses the message into one of its type: ErrType, or ErrDecode.
func (s Source) UnmarshalInto(m proto.Message) error {
	if s.d == nil || s.d.message == nil {
		return errLent
	}
	if isNil(m) {
		return errNil
	}
	return s.view().parseInto(m)
}

// Reply answers the message, which is a request or came through a router, once. ErrState where it has no way back or was
// answered before; ErrUnreachable where the asker is gone.
func (s Source) Reply(m proto.Message) error {
	if isNil(m) {
		return errNil
	}
	return s.reply(func(filled *slot) error { return filled.prepare(m, proto.Size(m)) })
}

// ReplyBytes answers the message with bytes without an envelope.
func (s Source) ReplyBytes(data []byte) error {
	return s.reply(func(filled *slot) error { return filled.prepareBytes(data) })
}

func (s Source) reply(fill func(*slot) error) error {
	if s.d == nil || s.d.message == nil {
		return errLent
	}
	return reply(context.Background(), s.from(), s.d.message, fill)
}

// Keep makes a Message of it that outlives the call, to be answered later and from any goroutine.
func (s Source) Keep() (*Message, error) {
	if s.d == nil || s.d.message == nil {
		return nil, errLent
	}
	return cloneOf(s.d.message, s.from())
}

// from gives the handle whose way back the message takes; nil where it was removed meanwhile.
func (s Source) from() *handle {
	if s.d.handle == nil {
		return nil
	}
	return s.d.handle.receiver()
}

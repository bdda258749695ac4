package dividere

// A received message as an object.

// #include "shim.h"
import "C"

import (
	"bytes"
	"context"
	"runtime"
	"unsafe"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A Message is one that was received, as it came. One goroutine has it at a time; it may go from one to another. A request
// that nobody answers is answered with an error when its message is closed, or forgotten and collected. Close it: its bytes
// are in memory of C, which Go's collector does not count.
type Message struct {
	// Its bytes, in memory of C, are gone with the slot: what looks at them keeps the message alive until it has done so.
	s *slot
	// Whose way back it takes.
	from *handle
}

// errMessageClosed is what a message says that was closed.
var errMessageClosed error = &Error{Status: StatusState, Text: "the message is closed"}

// Close lets go of the message. Closing again does nothing.
func (m *Message) Close() error {
	if m.s != nil {
		s := m.s
		m.s = nil
		s.giveBack()
	}
	return nil
}

// TypeName gives the full name of its type; "" where it is no typed message.
func (m *Message) TypeName() protoreflect.FullName {
	if m.s == nil {
		return ""
	}
	defer runtime.KeepAlive(m)
	return protoreflect.FullName(string([]byte(m.s.view().typeName())))
}

// Payload gives a copy of the serialised message; where it is no typed one, of all bytes.
func (m *Message) Payload() []byte {
	if m.s == nil {
		return nil
	}
	defer runtime.KeepAlive(m)
	return bytes.Clone(m.s.view().content())
}

// Bytes gives a copy of all bytes as they are on the wire.
func (m *Message) Bytes() []byte {
	if m.s == nil {
		return nil
	}
	defer runtime.KeepAlive(m)
	return bytes.Clone(m.s.view().wire())
}

// Unmarshal parses it into one of the type that the program has for it; ErrNotFound where it has none.
func (m *Message) Unmarshal() (proto.Message, error) {
	if m.s == nil {
		return nil, errMessageClosed
	}
	defer runtime.KeepAlive(m)
	return m.s.view().parseAny()
}

// UnmarshalInto parses it into a message, which has to be of its type (ErrType).
func (m *Message) UnmarshalInto(into proto.Message) error {
	if isNil(into) {
		return errNil
	}
	if m.s == nil {
		return errMessageClosed
	}
	defer runtime.KeepAlive(m)
	return m.s.view().parseInto(into)
}

// Route gives the frames that routed it here, for Dealer.SendRouted.
func (m *Message) Route() ([][]byte, error) {
	if m.s == nil {
		return nil, errMessageClosed
	}
	defer runtime.KeepAlive(m)
	return routeOf(m.s.c.message, int(m.s.c.view.route_count))
}

func routeOf(message *C.dividere_message_t, count int) ([][]byte, error) {
	route := make([][]byte, 0, count)
	for i := range count {
		var data unsafe.Pointer
		var length C.size_t
		err := check(func() C.dividere_status_t {
			return C.dividere_message_route(message, C.size_t(i), &data, &length)
		})
		if err != nil {
			return nil, err
		}
		frame := make([]byte, length)
		copy(frame, unsafe.Slice((*byte)(data), length))
		route = append(route, frame)
	}
	return route, nil
}

// CanReply tells whether it is a request, or came through a router, and was not answered yet.
func (m *Message) CanReply() bool {
	if m.s == nil {
		return false
	}
	defer runtime.KeepAlive(m)
	var view C.dividere_view_t
	return C.dividere_message_view(m.s.c.message, &view) == C.DIVIDERE_OK && view.can_reply != 0
}

// Reply answers it, once, at any time. ErrState where it has no way back or was answered before; ErrUnreachable where the
// asker is gone; ErrClosed where the handle that received it is.
func (m *Message) Reply(ctx context.Context, reply proto.Message) error {
	if isNil(reply) {
		return errNil
	}
	return m.reply(ctx, func(s *slot) error { return s.prepare(reply, proto.Size(reply)) })
}

// ReplyBytes answers it with bytes without an envelope.
func (m *Message) ReplyBytes(ctx context.Context, reply []byte) error {
	return m.reply(ctx, func(s *slot) error { return s.prepareBytes(reply) })
}

// ReplyError answers it with an error: the asker's call returns one with this status (StatusRemote where a handler
// failed) and text.
func (m *Message) ReplyError(ctx context.Context, status Status, text string) error {
	if m.s == nil {
		return errMessageClosed
	}
	defer runtime.KeepAlive(m)
	return replyError(ctx, m.from, m.s.c.message, status, text)
}

func (m *Message) reply(ctx context.Context, fill func(*slot) error) error {
	if m.s == nil {
		return errMessageClosed
	}
	defer runtime.KeepAlive(m)
	return reply(ctx, m.from, m.s.c.message, fill)
}

// reply answers a message that was received by a handle.
func reply(ctx context.Context, from *handle, message *C.dividere_message_t, fill func(*slot) error) error {
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	s, err := takeSlot()
	if err != nil {
		return err
	}
	defer s.giveBack()
	if err := fill(s); err != nil {
		return err
	}
	defer runtime.KeepAlive(from)
	return from.attempt(ctx, func(C.int64_t) C.go_result { return C.go_reply(message, s.c) }, false)
}

func replyError(ctx context.Context, from *handle, message *C.dividere_message_t, status Status, text string) error {
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	words := C.CString(text)
	defer C.free(unsafe.Pointer(words))
	defer runtime.KeepAlive(from)
	return from.attempt(ctx, func(C.int64_t) C.go_result {
		return C.go_reply_error(message, C.int32_t(status), words)
	}, false)
}

// Clone makes a second message with the same content and the same way back, to be closed on its own.
func (m *Message) Clone() (*Message, error) {
	if m.s == nil {
		return nil, errMessageClosed
	}
	defer runtime.KeepAlive(m)
	return cloneOf(m.s.c.message, m.from)
}

func cloneOf(message *C.dividere_message_t, from *handle) (*Message, error) {
	s, err := takeSlot()
	if err != nil {
		return nil, err
	}
	var copied *C.dividere_message_t
	err = check(func() C.dividere_status_t { return C.dividere_message_clone(message, &copied) })
	if err != nil {
		s.giveBack()
		return nil, err
	}
	C.dividere_message_free(s.c.message)
	s.c.message = copied
	if err := check(func() C.dividere_status_t { return C.dividere_message_view(copied, &s.c.view) }); err != nil {
		s.giveBack()
		return nil, err
	}
	return &Message{s: s, from: from}, nil
}

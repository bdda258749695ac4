package dividere

// Many messages in one call into C.

// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"sync"
	"unsafe"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/runtime/protoimpl"
)

// How many messages, and how many bytes of them, go through one call into C.
const (
	batchMessages = 256
	batchBytes    = 256 << 10
)

// batch is what such a call needs, in memory of C. One goroutine has it at a time.
type batch struct {
	c *C.go_batch
}

var batches sync.Pool

func takeBatch() (*batch, error) {
	if b, ok := batches.Get().(*batch); ok {
		return b, nil
	}
	c := C.dividere_go_batch_new(batchMessages, batchBytes)
	if c == nil {
		return nil, errorf(StatusOutOfMemory, "no memory for a batch of messages")
	}
	b := &batch{c}
	runtime.SetFinalizer(b, func(b *batch) { C.dividere_go_batch_free(b.c) })
	return b, nil
}

// giveBack ends the use of a batch. Messages that somebody waits for, or that are large, are let go of.
func (b *batch) giveBack() {
	C.dividere_go_batch_tidy(b.c, mostKept)
	batches.Put(b)
}

// SendMany sends messages in order, with few calls into C, until one fails, and gives how many were sent; the error says
// what was wrong with the next one. A full queue is waited for as Send does it.
func SendMany[T proto.Message](ctx context.Context, to Sender, messages []T) (int, error) {
	h := to.sender()
	if len(messages) == 0 {
		return 0, nil
	}
	b, err := takeBatch()
	if err != nil {
		return 0, err
	}
	defer b.giveBack()
	defer runtime.KeepAlive(h)
	sent := 0
	for sent < len(messages) {
		if ctx.Err() != nil {
			return sent, contextError(ctx)
		}
		filled, wrong := fill(b, messages[sent:])
		if filled == 0 && wrong == nil {
			// None for a batch.
			if err := h.send(ctx, messages[sent]); err != nil {
				return sent, err
			}
			sent++
			continue
		}
		done, err := h.sendBatch(ctx, b, filled)
		sent += done
		if err != nil {
			return sent, err
		}
		if wrong != nil {
			return sent, wrong
		}
	}
	return sent, nil
}

// fill serialises as many of the messages into a batch as find room, and tells what is wrong with the next one. 0 and nil
// where the first one has to be sent by itself: a large one, which is serialised straight into its frame.
func fill[T proto.Message](b *batch, messages []T) (int, error) {
	buffer := unsafe.Slice((*byte)(unsafe.Pointer(b.c.buffer)), batchBytes)
	lengths := unsafe.Slice(b.c.lengths, batchMessages)
	names := unsafe.Slice(b.c.names, batchMessages)
	var of protoreflect.MessageDescriptor
	var name *C.char
	filled, used := 0, 0
	for filled < batchMessages && filled < len(messages) {
		m := proto.Message(messages[filled])
		if m == nil {
			return filled, errNil
		}
		reflected := m.ProtoReflect()
		if !reflected.IsValid() {
			return filled, errNil
		}
		size := sizeReflected(reflected)
		if size > mostCopied || size > batchBytes-used {
			break
		}
		if descriptor := reflected.Descriptor(); descriptor != of {
			known, owned := nameOf(descriptor.FullName())
			if owned {
				// One of very many types: by itself.
				C.free(unsafe.Pointer(known))
				break
			}
			of, name = descriptor, known
		}
		if err := serialiseReflected(reflected, buffer[used:used+size]); err != nil {
			return filled, err
		}
		names[filled], lengths[filled] = name, C.size_t(size)
		filled++
		used += size
	}
	return filled, nil
}

// sendBatch sends the first messages that were serialised into a batch.
func (h *handle) sendBatch(ctx context.Context, b *batch, count int) (int, error) {
	if count == 0 {
		return 0, nil
	}
	if err := taken(C.dividere_go_batch_fill(b.c, C.size_t(count))); err != nil {
		return 0, err
	}
	first := 0
	for first < count {
		var done C.size_t
		err := h.attempt(ctx, func(ms C.int64_t) C.go_result {
			return C.dividere_go_batch_send(h.socket(), b.c, C.size_t(first), C.size_t(count-first), ms, &done)
		}, true)
		if err != nil {
			return first, err
		}
		first += int(done)
	}
	return first, nil
}

// RecvMany receives messages of the type T, as *pb.Reading (proto.Message takes any type that the program has): it waits
// for one, and takes what else is there already, most at most (256 at once), with one call into C. Those of another type,
// and those that cannot be decoded, come as errors.Join of a DecodeError each, beside the messages that are good. For a
// Subscriber or a Dealer; a message that is to be answered comes from RecvMessage.
func RecvMany[T proto.Message](ctx context.Context, from Receiver, most int) ([]T, error) {
	b, err := recvBatch[T](ctx, from, most)
	if err != nil {
		return nil, err
	}
	defer b.giveBack()
	messages := make([]T, 0, b.c.received)
	var wrong []error
	views := unsafe.Slice(b.c.views, b.c.received)
	blank := making[T]{wanted: len(views)}
	for i := range views {
		m, err := blank.parse((*view)(&views[i]))
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		messages = append(messages, m)
	}
	return messages, errors.Join(wrong...)
}

// recvBatch receives some messages of the type T, which the caller gives back.
func recvBatch[T proto.Message](ctx context.Context, from Receiver, most int) (*batch, error) {
	if most < 1 {
		return nil, errorf(StatusInvalidArgument, "a batch is of one message at least")
	}
	if err := receivable[T](); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, contextError(ctx)
	}
	h := from.receiver()
	defer runtime.KeepAlive(h)
	b, err := takeBatch()
	if err != nil {
		return nil, err
	}
	result := C.dividere_go_batch_recv(h.socket(), b.c, C.size_t(min(most, batchMessages)), 0)
	if result.status == C.DIVIDERE_WOULD_BLOCK {
		within := func(ms C.int64_t) bool {
			result = C.dividere_go_batch_recv(h.socket(), b.c, C.size_t(min(most, batchMessages)), ms)
			return result.status != C.DIVIDERE_WOULD_BLOCK
		}
		soon := within
		if h.connects {
			// A request gives up what it waited for in vain.
			soon = nil
		}
		err := h.await(ctx, wait{at: &h.ready, attempt: func() bool { return within(0) }, soon: soon})
		if err != nil {
			b.giveBack()
			return nil, err
		}
	}
	if err := taken(result); err != nil {
		b.giveBack()
		return nil, err
	}
	return b, nil
}

// So many messages are allocated at once: whoever keeps one of them keeps the others, too, without what they hold.
const madeAtOnce = 16

// making makes messages of the type T to parse into: those of generated types several at once, since to allocate each by
// itself takes as long as to parse a small one.
type making[T proto.Message] struct {
	// How many may still be made.
	wanted int
	name   protoreflect.FullName
	// nil where T is no pointer to a generated type.
	element reflect.Type
	// Those that were made and not given out yet: the next one, and how many.
	next  unsafe.Pointer
	left  int
	known bool
}

// parse is parseAs, for many.
func (k *making[T]) parse(v *view) (T, error) {
	var none T
	if !k.known {
		k.known = true
		if any(none) != nil {
			kind, generated := none.ProtoReflect().Type().(*protoimpl.MessageInfo)
			if is := reflect.TypeOf(none); generated && is.Kind() == reflect.Pointer {
				k.name, k.element = kind.Descriptor().FullName(), is.Elem()
			}
		}
	}
	k.wanted--
	if k.element == nil || v.kind != C.DIVIDERE_MESSAGE_TYPED || v.typeName() != string(k.name) {
		return parseAs[T](v)
	}
	if k.left == 0 {
		k.left = min(madeAtOnce, k.wanted+1)
		k.next = reflect.MakeSlice(reflect.SliceOf(k.element), k.left, k.left).UnsafePointer()
	}
	// T is a pointer to such an element.
	m := *(*T)(unsafe.Pointer(&k.next))
	if k.left--; k.left > 0 {
		k.next = unsafe.Add(k.next, k.element.Size())
	}
	// Merged: it is empty.
	if err := merging.Unmarshal(v.content(), m); err != nil {
		return none, v.unparsable(err)
	}
	return m, nil
}

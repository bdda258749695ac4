package dividere

// Many messages in one call into C.

// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"google.golang.org/protobuf/proto"
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
	c := C.go_batch_new(batchMessages, batchBytes)
	if c == nil {
		return nil, errorf(StatusOutOfMemory, "no memory for a batch of messages")
	}
	b := &batch{c}
	runtime.SetFinalizer(b, func(b *batch) { C.go_batch_free(b.c) })
	return b, nil
}

// giveBack ends the use of a batch. Messages that somebody waits for, or that are large, are let go of.
func (b *batch) giveBack() {
	C.go_batch_tidy(b.c, mostKept)
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
	buffer := unsafe.Slice((*byte)(unsafe.Pointer(b.c.buffer)), batchBytes)
	lengths := unsafe.Slice(b.c.lengths, batchMessages)
	names := unsafe.Slice(b.c.names, batchMessages)
	sent := 0
	for sent < len(messages) {
		if ctx.Err() != nil {
			return sent, contextError(ctx)
		}
		filled, used := 0, 0
		var wrong error
		for filled < batchMessages && sent+filled < len(messages) {
			m := proto.Message(messages[sent+filled])
			if m == nil {
				wrong = errNil
				break
			}
			size := proto.Size(m)
			if size > batchBytes-used {
				break
			}
			name, owned := nameOf(m.ProtoReflect().Descriptor().FullName())
			if owned {
				// One of very many types: by itself.
				C.free(unsafe.Pointer(name))
				break
			}
			if wrong = serialise(m, buffer[used:used+size]); wrong != nil {
				break
			}
			names[filled], lengths[filled] = name, C.size_t(size)
			filled++
			used += size
		}
		if filled == 0 && wrong == nil {
			// Too large for a batch.
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

// sendBatch sends the first messages that were serialised into a batch.
func (h *handle) sendBatch(ctx context.Context, b *batch, count int) (int, error) {
	if count == 0 {
		return 0, nil
	}
	if err := taken(C.go_batch_fill(b.c, C.size_t(count))); err != nil {
		return 0, err
	}
	first := 0
	for first < count {
		var done C.size_t
		err := h.attempt(ctx, func(ms C.int64_t) C.go_result {
			return C.go_batch_send(h.socket(), b.c, C.size_t(first), C.size_t(count-first), ms, &done)
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
	if most < 1 {
		return nil, errorf(StatusInvalidArgument, "RecvMany receives one message at least")
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
	defer b.giveBack()
	result := C.go_batch_recv(h.socket(), b.c, C.size_t(min(most, batchMessages)), 0)
	if result.status == C.DIVIDERE_WOULD_BLOCK {
		soon := func(ms C.int64_t) bool {
			result = C.go_batch_recv(h.socket(), b.c, C.size_t(min(most, batchMessages)), ms)
			return result.status != C.DIVIDERE_WOULD_BLOCK
		}
		err := h.await(ctx, &h.ready, time.Time{}, func() bool { return soon(0) }, soon)
		if err != nil {
			return nil, err
		}
	}
	if err := taken(result); err != nil {
		return nil, err
	}
	messages := make([]T, 0, b.c.received)
	var wrong []error
	views := unsafe.Slice(b.c.views, b.c.received)
	for i := range views {
		m, err := parseAs[T]((*view)(&views[i]))
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		messages = append(messages, m)
	}
	return messages, errors.Join(wrong...)
}

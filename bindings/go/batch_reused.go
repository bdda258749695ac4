package dividere

// Batches of received messages whose memory is used again.

// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"reflect"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/runtime/protoimpl"
)

// A Batch receives messages of the type T, as *pb.Reading, into the same memory again and again: where many messages, or
// large ones, are looked at and forgotten, that leaves the garbage collector much less to do than RecvMany does. Its zero
// value is ready. One goroutine uses it at a time, and none copies it. It holds the messages of its last Recv, and 16 MiB at
// most for large fields of later ones.
type Batch[T proto.Message] struct {
	messages []T
	received []T
	// How many of the messages may have something in them.
	filled int
	// Of each message, the memory of its large fields.
	memory []fieldMemory
	parser largeParser
}

// Recv is the function RecvMany, into the messages of the batch. What it gives, and what the fields of that refer to, is
// good until the next Recv: who keeps a message clones it (proto.Clone). Where T is proto.Message, messages are new each
// time.
func (b *Batch[T]) Recv(ctx context.Context, from Receiver, most int) ([]T, error) {
	var none T
	if any(none) == nil {
		return RecvMany[T](ctx, from, most)
	}
	in, err := recvBatch[T](ctx, from, most)
	if err != nil {
		return nil, err
	}
	defer in.giveBack()
	views := unsafe.Slice(in.c.views, in.c.received)
	b.grow(len(views))
	b.received = b.received[:0]
	var wrong []error
	for i := range views {
		// Where one is not good, the next one is parsed into its message.
		at := len(b.received)
		if err := b.parser.parse((*view)(&views[i]), b.messages[at], &b.memory[at]); err != nil {
			wrong = append(wrong, err)
			continue
		}
		b.received = append(b.received, b.messages[at])
	}
	b.letGo(len(views))
	return b.received, errors.Join(wrong...)
}

// letGo empties the messages that are not among those received, of which so many were parsed into.
func (b *Batch[T]) letGo(parsed int) {
	for at := len(b.received); at < max(b.filled, parsed); at++ {
		proto.Reset(b.messages[at])
	}
	b.filled = len(b.received)
}

// grow makes messages until there are so many.
func (b *Batch[T]) grow(count int) {
	more := count - len(b.messages)
	if more <= 0 {
		return
	}
	var none T
	kind := none.ProtoReflect().Type()
	if b.messages == nil {
		b.parser.learn(kind.Descriptor())
	}
	is := reflect.TypeOf(none)
	if _, generated := kind.(*protoimpl.MessageInfo); generated && is.Kind() == reflect.Pointer {
		made := reflect.MakeSlice(reflect.SliceOf(is.Elem()), more, more)
		for i := range more {
			b.messages = append(b.messages, made.Index(i).Addr().Interface().(T))
		}
	} else {
		for range more {
			b.messages = append(b.messages, kind.New().Interface().(T))
		}
	}
	b.memory = append(b.memory, make([]fieldMemory, more)...)
	b.received = make([]T, 0, len(b.messages))
}

// What is known of the memory for large fields: from which size on one has some, and how much of it is kept for all.
const (
	largeField = 1 << 10
	mostHeld   = 16 << 20
)

// fieldMemory is what a message has for its large fields, which are few.
type fieldMemory []struct {
	number protowire.Number
	bytes  []byte
}

// largeParser parses messages of one type. Fields of many bytes are copied into memory that is used again, for which
// protobuf would make new memory each time.
type largeParser struct {
	name protoreflect.FullName
	// Those fields.
	fields map[protowire.Number]protoreflect.FieldDescriptor
	held   int
}

func (p *largeParser) learn(of protoreflect.MessageDescriptor) {
	p.name = of.FullName()
	fields := of.Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		// Of a oneof, what came last counts: parsed in their order, by protobuf.
		oneof := field.ContainingOneof()
		if field.Kind() == protoreflect.BytesKind && !field.IsList() && (oneof == nil || oneof.IsSynthetic()) {
			if p.fields == nil {
				p.fields = make(map[protowire.Number]protoreflect.FieldDescriptor)
			}
			p.fields[field.Number()] = field
		}
	}
}

// parse is parseInto, with memory for large fields.
func (p *largeParser) parse(v *view, m proto.Message, memory *fieldMemory) error {
	if v.kind != C.DIVIDERE_MESSAGE_TYPED || v.typeName() != string(p.name) {
		return v.expect(m)
	}
	if p.fields == nil || v.payload_len <= largeField {
		return v.parse(m)
	}
	if err := p.parseContent(v.content(), m, memory); err != nil {
		return v.unparsable(err)
	}
	return nil
}

func (p *largeParser) parseContent(content []byte, m proto.Message, memory *fieldMemory) error {
	reflected := m.ProtoReflect()
	proto.Reset(m)
	part := proto.UnmarshalOptions{Merge: true, AllowPartial: true}
	parsed := 0
	for at := 0; at < len(content); {
		number, kind, tag := protowire.ConsumeTag(content[at:])
		if tag < 0 {
			// As protobuf says it.
			return proto.Unmarshal(content, m)
		}
		value := protowire.ConsumeFieldValue(number, kind, content[at+tag:])
		if value < 0 {
			return proto.Unmarshal(content, m)
		}
		end := at + tag + value
		if kind == protowire.BytesType && value > largeField {
			if field := p.fields[number]; field != nil {
				if err := part.Unmarshal(content[parsed:at], m); err != nil {
					return err
				}
				data, _ := protowire.ConsumeBytes(content[at+tag:])
				reflected.Set(field, protoreflect.ValueOfBytes(p.keep(memory, number, data)))
				parsed = end
			}
		}
		at = end
	}
	if err := part.Unmarshal(content[parsed:], m); err != nil {
		return err
	}
	return proto.CheckInitialized(m)
}

// keep copies the bytes of a field into the memory that a message has for it.
func (p *largeParser) keep(memory *fieldMemory, number protowire.Number, data []byte) []byte {
	var kept *[]byte
	for i := range *memory {
		if (*memory)[i].number == number {
			kept = &(*memory)[i].bytes
		}
	}
	if kept != nil && cap(*kept) >= len(data) {
		copy((*kept)[:len(data)], data)
		return (*kept)[:len(data):len(data)]
	}
	made := append([]byte(nil), data...)
	before := 0
	if kept != nil {
		before = cap(*kept)
	}
	if p.held-before+cap(made) > mostHeld {
		return made
	}
	p.held += cap(made) - before
	if kept == nil {
		*memory = append(*memory, struct {
			number protowire.Number
			bytes  []byte
		}{number, nil})
		kept = &(*memory)[len(*memory)-1].bytes
	}
	*kept = made
	return made[:len(made):len(made)]
}

package dividere

// Message objects of the library, used again and again, and the names of types as C has them.

// #include "shim.h"
import "C"

import (
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/runtime/protoiface"
)

// slot is a message object with what is in it. One goroutine has it at a time.
type slot struct {
	c *C.go_slot
}

var slots sync.Pool

// What a slot may keep in its message while nobody uses it.
const mostKept = 64 << 10

func takeSlot() (*slot, error) {
	if s, ok := slots.Get().(*slot); ok {
		return s, nil
	}
	c := C.go_slot_new()
	if c == nil {
		return nil, errorf(StatusOutOfMemory, "no memory for a message")
	}
	s := &slot{c}
	// The pool lets go of what is not used for a while.
	runtime.SetFinalizer(s, (*slot).free)
	return s, nil
}

// giveBack ends the use of a slot: views into it are over. A message that somebody waits for, or that is large, is let go
// of.
func (s *slot) giveBack() {
	if s.c.view.can_reply != 0 || s.c.view.bytes_len > mostKept || s.c.view.route_count > 0 {
		s.clear()
	}
	slots.Put(s)
}

func (s *slot) clear() {
	// It fails for NULL alone.
	C.dividere_message_clear(s.c.message)
	s.c.view = C.dividere_view_t{}
}

func (s *slot) free() {
	runtime.SetFinalizer(s, nil)
	C.go_slot_free(s.c)
	s.c = nil
}

func (s *slot) view() *view { return (*view)(&s.c.view) }

// Names of types as C has them. They stay for good: a program has no end of messages, but not of types. Should it make
// types as it goes, those beyond the limit are made into C strings for each call.
const mostNames = 4096

var (
	names     sync.Map
	nameCount atomic.Int64
)

// nameOf gives the full name of a message's type as C has it, and whether it is to be freed.
func nameOf(name protoreflect.FullName) (*C.char, bool) {
	if known, ok := names.Load(name); ok {
		return known.(*C.char), false
	}
	c := C.CString(string(name))
	if nameCount.Add(1) > mostNames {
		nameCount.Add(-1)
		return c, true
	}
	if known, loaded := names.LoadOrStore(name, c); loaded {
		nameCount.Add(-1)
		C.free(unsafe.Pointer(c))
		return known.(*C.char), false
	}
	return c, false
}

// withName lends the name of a type.
func withName(name protoreflect.FullName, use func(*C.char) error) error {
	c, owned := nameOf(name)
	if owned {
		defer C.free(unsafe.Pointer(c))
	}
	return use(c)
}

// Up to this size a payload is copied into its frame, which is quicker than asking for the frame first.
const mostCopied = 4 << 10

// Where those are serialised into. A pointer, so that giving it back allocates nothing.
var scratches = sync.Pool{New: func() any {
	scratch := make([]byte, 0, mostCopied)
	return &scratch
}}

// prepare makes the slot's message one of m, serialised straight into its frame.
func (s *slot) prepare(m proto.Message, size int) error {
	return withName(m.ProtoReflect().Descriptor().FullName(), func(name *C.char) error {
		if err := taken(C.go_prepare(s.c, name, C.size_t(size))); err != nil {
			return err
		}
		if err := serialise(m, unsafe.Slice((*byte)(s.c.place), size)); err != nil {
			s.clear()
			return err
		}
		return nil
	})
}

// prepareBytes makes the slot's message one of bytes.
func (s *slot) prepareBytes(data []byte) error {
	if err := taken(C.go_prepare(s.c, nil, C.size_t(len(data)))); err != nil {
		return err
	}
	copy(unsafe.Slice((*byte)(s.c.place), len(data)), data)
	return nil
}

// serialise writes m into place, which is as long as proto.Size has just said.
func serialise(m proto.Message, place []byte) error {
	return serialiseReflected(m.ProtoReflect(), place)
}

// sizeReflected is proto.Size for whoever has looked at the message already.
func sizeReflected(m protoreflect.Message) int {
	if methods := m.ProtoMethods(); methods != nil && methods.Size != nil {
		return methods.Size(protoiface.SizeInput{Message: m}).Size
	}
	return proto.Size(m.Interface())
}

// serialiseReflected is serialise for whoever has looked at the message already.
func serialiseReflected(m protoreflect.Message, place []byte) error {
	in := protoiface.MarshalInput{Message: m, Buf: place[:0:len(place)]}
	var out protoiface.MarshalOutput
	var err error
	if methods := m.ProtoMethods(); methods != nil && methods.Size != nil && methods.Marshal != nil && methods.CheckInitialized != nil {
		// As proto.MarshalOptions does it, without asking for the size once more.
		in.Flags |= protoiface.MarshalUseCachedSize
		if out, err = methods.Marshal(in); err == nil {
			_, err = methods.CheckInitialized(protoiface.CheckInitializedInput{Message: m})
		}
	} else {
		out, err = proto.MarshalOptions{UseCachedSize: true}.MarshalState(in)
	}
	if err != nil {
		return errorf(StatusInvalidArgument, "the message cannot be serialised: "+err.Error())
	}
	if len(out.Buf) != len(place) || unsafe.SliceData(out.Buf) != unsafe.SliceData(place) {
		return errorf(StatusInvalidArgument, "the message was changed while it was serialised")
	}
	return nil
}

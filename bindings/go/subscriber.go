package dividere

// Receives what publishers publish.

// #include "shim.h"
import "C"

import (
	"unsafe"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// A Subscriber receives what publishers publish: everything, some types of messages, or what begins with some bytes.
type Subscriber struct {
	Socket
	receiving
}

// NewSubscriber makes a subscriber to all messages, or with WithTypes to those of some types, which connects to each of
// the comma-separated endpoints ("@" in front binds). What was published before the subscription arrived is not received.
// Fails as NewPublisher.
func NewSubscriber(endpoints string, options ...Option) (*Subscriber, error) {
	h, err := open(endpoints, options, FullQueueDrop,
		func(endpoints *C.char, s *settings, made *C.dividere_subscriber_t) C.dividere_status_t {
			if !s.onlyTypes {
				return C.dividere_subscriber_new(endpoints, s.options, made)
			}
			list := namesForC(s.types)
			defer list.free()
			return C.dividere_subscriber_new_for_types(endpoints, list.first(), C.size_t(len(s.types)), s.options, made)
		},
		func(made C.dividere_subscriber_t) C.dividere_status_t { return C.dividere_subscriber_close(made) })
	if err != nil {
		return nil, err
	}
	return &Subscriber{Socket{h}, receiving{h}}, nil
}

// Subscribe receives messages of the type with this full name, too (see NameOf). Counted: as many calls of Unsubscribe
// end it.
func (s *Subscriber) Subscribe(typeName protoreflect.FullName) error {
	if typeName == "" {
		return errorf(StatusInvalidArgument, "no name of a type; SubscribePrefix(nil) is for everything")
	}
	return withFilter(typeName, func(name *C.char) error {
		return s.h.call(func(socket C.dividere_socket_t) C.dividere_status_t {
			return C.dividere_subscriber_subscribe(C.dividere_subscriber_t(socket), name)
		})
	})
}

// Unsubscribe ends a subscription to a type. ErrNotFound where there is none. What is on its way still arrives.
func (s *Subscriber) Unsubscribe(typeName protoreflect.FullName) error {
	if typeName == "" {
		return errorf(StatusInvalidArgument, "no name of a type; SubscribePrefix(nil) is for everything")
	}
	return withFilter(typeName, func(name *C.char) error {
		return s.h.call(func(socket C.dividere_socket_t) C.dividere_status_t {
			return C.dividere_subscriber_unsubscribe(C.dividere_subscriber_t(socket), name)
		})
	})
}

// SubscribePrefix receives whatever begins with these bytes, too; with none, everything. For messages without an
// envelope. Counted, as types are.
func (s *Subscriber) SubscribePrefix(prefix []byte) error {
	return s.h.call(func(socket C.dividere_socket_t) C.dividere_status_t {
		return C.dividere_subscriber_subscribe_prefix(C.dividere_subscriber_t(socket),
			unsafe.Pointer(unsafe.SliceData(prefix)), C.size_t(len(prefix)))
	})
}

// UnsubscribePrefix ends a subscription to a prefix. ErrNotFound where there is none.
func (s *Subscriber) UnsubscribePrefix(prefix []byte) error {
	return s.h.call(func(socket C.dividere_socket_t) C.dividere_status_t {
		return C.dividere_subscriber_unsubscribe_prefix(C.dividere_subscriber_t(socket),
			unsafe.Pointer(unsafe.SliceData(prefix)), C.size_t(len(prefix)))
	})
}

// cNames is a list of names in memory of C.
type cNames []*C.char

func namesForC(names []protoreflect.FullName) cNames {
	if len(names) == 0 {
		return nil
	}
	block := C.calloc(C.size_t(len(names)), C.size_t(unsafe.Sizeof((*C.char)(nil))))
	list := unsafe.Slice((**C.char)(block), len(names))
	for i, name := range names {
		list[i] = C.CString(string(name))
	}
	return list
}

func (l cNames) first() **C.char { return unsafe.SliceData(l) }

func (l cNames) free() {
	for _, name := range l {
		C.free(unsafe.Pointer(name))
	}
	C.free(unsafe.Pointer(l.first()))
}

package dividere

// Publishes messages to whoever subscribes to them.

// #include "shim.h"
import "C"

import (
	"context"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A Publisher publishes messages to whoever subscribes to them. What is sent while nobody subscribes is gone.
type Publisher struct {
	Socket
}

// NewPublisher makes a publisher that binds to each of the comma-separated endpoints (">" in front connects);
// tcp://127.0.0.1:* takes a free port, which LastEndpoint tells. Messages for a subscriber whose queue is full are
// dropped and counted, unless WithFullQueue says otherwise. ErrInvalidArgument where options contradict each other;
// ErrEndpoint, ErrAddressInUse, ErrUnreachable, ErrPermission; ErrLimit where descriptors ran out.
func NewPublisher(endpoints string, options ...Option) (*Publisher, error) {
	h, err := open(endpoints, options, FullQueueDrop,
		func(endpoints *C.char, s *settings, made *C.dividere_publisher_t) C.dividere_status_t {
			return C.dividere_publisher_new(endpoints, s.options, made)
		},
		func(made C.dividere_publisher_t) C.dividere_status_t { return C.dividere_publisher_close(made) })
	if err != nil {
		return nil, err
	}
	h.room.coarse = coarseLook
	return &Publisher{Socket{h}}, nil
}

func (p *Publisher) sender() *handle { return p.h }

// Send publishes a message. It waits only where WithFullQueue says that a full queue blocks. ErrTooLarge beyond the
// maximum message size; ErrWouldBlock or ErrTimeout where a full queue is told to fail or to block.
func (p *Publisher) Send(ctx context.Context, m proto.Message) error { return p.h.send(ctx, m) }

// SendBytes publishes bytes as they are, without an envelope.
func (p *Publisher) SendBytes(ctx context.Context, data []byte) error {
	return p.h.sendBytes(ctx, data)
}

// Subscribers counts the subscribers that get messages of the type with this full name; with "", those that subscribe
// to anything.
func (p *Publisher) Subscribers(typeName protoreflect.FullName) (int, error) {
	var count C.size_t
	err := withFilter(typeName, func(name *C.char) error {
		return p.h.call(func(socket C.dividere_socket_t) C.dividere_status_t {
			return C.dividere_publisher_subscribers(C.dividere_publisher_t(socket), name, &count)
		})
	})
	return int(count), err
}

// WaitForSubscribers waits until so many subscribers get messages of the type with this full name (see NameOf), or, with
// "", of any. A subscriber counted here gets everything that is published from now on.
func (p *Publisher) WaitForSubscribers(ctx context.Context, count int, typeName protoreflect.FullName) error {
	if count < 0 {
		return errorf(StatusInvalidArgument, "a negative number of subscribers")
	}
	return withFilter(typeName, func(name *C.char) error {
		return p.h.until(ctx, func(socket C.dividere_socket_t) C.dividere_status_t {
			return C.dividere_publisher_wait_for_subscribers(C.dividere_publisher_t(socket), name, C.size_t(count), 0)
		})
	})
}

// withFilter lends the name of a type, NULL for any.
func withFilter(name protoreflect.FullName, use func(*C.char) error) error {
	if name == "" {
		return use(nil)
	}
	if err := withoutNul(string(name)); err != nil {
		return err
	}
	return withName(name, use)
}

// NameOf gives the full name of a message type: NameOf[*pb.Reading]().
func NameOf[T proto.Message]() protoreflect.FullName {
	var none T
	if any(none) == nil {
		return ""
	}
	return none.ProtoReflect().Descriptor().FullName()
}

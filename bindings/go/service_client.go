package dividere

// The client of a service.

// #include "serving.h"
import "C"

import (
	"context"
	"runtime"

	"google.golang.org/protobuf/proto"
)

// A ServiceClient calls a service by its name. A thread of its own follows what is registered and connects to every
// instance; calls take turns at those that are connected. Where the registry is of dividere 2.2.0, which tells of no
// changes, it is asked whenever no instance is connected.
type ServiceClient struct {
	h *handle
}

// NewServiceClient makes a client of the service name, which is found through registry; several clients and services may
// share it. The options are those of the connections to the instances. It waits for nothing.
func NewServiceClient(name string, registry *RegistryClient, options ...Option) (*ServiceClient, error) {
	h, err := open(name, options, FullQueueDrop,
		func(name *C.char, s *settings, made *C.dividere_service_client_t) C.dividere_status_t {
			return C.dividere_service_client_new(name, registry.native(), s.options, made)
		},
		func(made C.dividere_service_client_t) C.dividere_status_t {
			return C.dividere_service_client_close(made)
		})
	if err != nil {
		return nil, err
	}
	h.needs = registry.h
	return &ServiceClient{h}, nil
}

// Close ends it: calls under way return ErrClosed. Closing again does nothing.
func (c *ServiceClient) Close() error { return c.h.close() }

// WaitForService waits until an instance is connected: for those who are there before the service is.
func (c *ServiceClient) WaitForService(ctx context.Context) error {
	return c.h.until(ctx, func(socket C.dividere_socket_t) C.dividere_status_t {
		return C.dividere_service_client_wait(C.dividere_service_client_t(socket), 0)
	})
}

// Instances gives those that are known now, connected or not.
func (c *ServiceClient) Instances() ([]Instance, error) {
	defer runtime.KeepAlive(c.h)
	return instancesFrom(func(into **C.dividere_instances_t) C.dividere_status_t {
		return C.dividere_service_client_instances(C.dividere_service_client_t(c.h.socket()), into)
	})
}

// Call asks, and gives the reply, of any type that the program has. See the function Call.
func (c *ServiceClient) Call(ctx context.Context, request proto.Message, options ...CallOption) (proto.Message, error) {
	return Call[proto.Message](ctx, c, request, options...)
}

func (c *ServiceClient) call(ctx context.Context, options []CallOption, fill, use func(*slot) error) error {
	how := calling{}
	for _, option := range options {
		option(&how)
	}
	if how.retries != 0 || how.each != 0 {
		return errorf(StatusInvalidArgument, "a service client takes MayRepeat, and no WithRetries")
	}
	out, err := takeSlot()
	if err != nil {
		return err
	}
	// By this goroutine: afterwards the message is its caller's again.
	if err := fill(out); err != nil {
		out.giveBack()
		return err
	}
	reply, err := blocking(ctx, true, func(ms C.int64_t) (*slot, error) {
		defer runtime.KeepAlive(c.h)
		defer out.giveBack()
		defer out.clear()
		in, err := takeSlot()
		if err != nil {
			return nil, err
		}
		native := C.dividere_service_client_t(c.h.socket())
		if err := taken(C.go_service_call(native, out.c, in.c, ms, how.may())); err != nil {
			in.giveBack()
			return nil, err
		}
		return in, nil
	}, (*slot).giveBack)
	if err != nil {
		return err
	}
	defer reply.giveBack()
	return use(reply)
}

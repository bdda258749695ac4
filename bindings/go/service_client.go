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
	h     *handle
	calls *startedCalls
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
	return &ServiceClient{h, callsOf(h)}, nil
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
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	how := calling{}
	for _, option := range options {
		option(&how)
	}
	if how.retries != 0 || how.each != 0 {
		return errorf(StatusInvalidArgument, "a service client takes MayRepeat, and no WithRetries")
	}
	if c.calls == nil {
		return errorf(StatusClosed, "the handle is closed")
	}
	s, err := takeSlot()
	if err != nil {
		return err
	}
	defer s.giveBack()
	if err := fill(s); err != nil {
		return err
	}
	if err := c.calls.make(ctx, s, how.may()); err != nil {
		s.clear()
		return err
	}
	return use(s)
}

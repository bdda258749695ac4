package main

// What is found by a name, and brokers: kept while a scenario goes on.

import (
	"context"
	"errors"

	"example.com/dividere"
	"google.golang.org/protobuf/proto"
)

type named struct {
	// In the order in which they were made: what is made last is closed first.
	closers []interface{ Close() error }
	callers map[string]*dividere.ServiceClient
}

func newNamed() *named { return &named{callers: map[string]*dividere.ServiceClient{}} }

// keep closes it at the end of the scenario.
func keep[T interface{ Close() error }](n *named, made T, err error) (T, error) {
	if err == nil {
		n.closers = append(n.closers, made)
	}
	return made, err
}

// make makes what `new KIND NAME ...` says; "" where it is of another kind.
func (n *named) make(ctx context.Context, kind, name string, words []string) (string, error) {
	wanted := map[string]int{"registry": 1, "service": 2, "caller": 2, "broker": 2}[kind]
	if wanted == 0 {
		return "", nil
	}
	if len(words) != wanted {
		return "", invalid("cannot make a %s of %v", kind, words)
	}
	switch kind {
	case "registry":
		registry, err := dividere.NewRegistryServer(words[0])
		if _, err = keep(n, registry, err); err != nil {
			return "", err
		}
		at, err := registry.LastEndpoint()
		return "ok " + at, err
	case "broker":
		broker, err := dividere.NewBroker(words[0], words[1])
		if _, err = keep(n, broker, err); err != nil {
			return "", err
		}
		front, err := broker.FrontEndpoint()
		if err != nil {
			return "", err
		}
		back, err := broker.BackEndpoint()
		return "ok " + front + " " + back, err
	}
	registry, err := dividere.NewRegistryClient(words[0])
	if _, err = keep(n, registry, err); err != nil {
		return "", err
	}
	if kind == "caller" {
		caller, err := dividere.NewServiceClient(words[1], registry)
		if _, err = keep(n, caller, err); err == nil {
			n.callers[name] = caller
		}
		return "ok", err
	}
	service, err := dividere.NewService(words[1], registry, dividere.WithServiceEndpoint("tcp://127.0.0.1:*"))
	if _, err = keep(n, service, err); err != nil {
		return "", err
	}
	echo := func(_ context.Context, request proto.Message) (proto.Message, error) { return request, nil }
	if err := dividere.Handle(service, echo); err != nil {
		return "", err
	}
	return "ok", service.Start(ctx)
}

func (n *named) close() error {
	var errs []error
	for i := len(n.closers) - 1; i >= 0; i-- {
		errs = append(errs, n.closers[i].Close())
	}
	return errors.Join(errs...)
}

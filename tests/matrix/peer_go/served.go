package main

// A reactor and what it was told to do: each message is recorded, then handled as its type's action says.

import (
	"context"
	"errors"
	"strings"

	"example.com/dividere"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

type served struct {
	reactor *dividere.Reactor
	// More than what any scenario leaves there.
	records chan string
}

func newServed() (*served, error) {
	reactor, err := dividere.NewReactor()
	if err != nil {
		return nil, err
	}
	s := &served{reactor, make(chan string, 1000)}
	reactor.OnError(func(_ dividere.Source, err error) {
		var ours *dividere.Error
		if !errors.As(err, &ours) {
			// What a handler returned.
			ours = &dividere.Error{Status: dividere.StatusRemote}
		}
		s.records <- "error " + ours.Status.String()
	})
	return s, nil
}

// on sets what is done with messages of a type, or with "*" of all others.
func (s *served) on(typeName string, action []string) error {
	if len(action) == 0 {
		return invalid("no action")
	}
	handle := func(from dividere.Source) error {
		m, err := messageIn(from)
		if err != nil {
			return err
		}
		record, err := told(m)
		if err != nil {
			return err
		}
		s.records <- record
		switch action[0] {
		case "record":
			return nil
		case "echo":
			return echo(from, m)
		}
		return errors.New(strings.Join(action[1:], " "))
	}
	if typeName == "*" {
		return s.reactor.OnDefault(handle)
	}
	return s.reactor.OnType(protoreflect.FullName(typeName), handle)
}

func messageIn(from dividere.Source) (proto.Message, error) {
	mt, err := protoregistry.GlobalTypes.FindMessageByName(from.TypeName())
	if err != nil {
		return nil, err
	}
	m := mt.New().Interface()
	return m, from.UnmarshalInto(m)
}

func echo(from dividere.Source, m proto.Message) error {
	err := from.Reply(m)
	if !errors.Is(err, dividere.ErrState) {
		return err
	}
	// It has no way back of its own.
	to, ok := from.Handle().(sender)
	if !ok {
		return err
	}
	return to.Send(context.Background(), m)
}

// taken waits for the oldest record that was not taken yet.
func (s *served) taken(ctx context.Context) (string, error) {
	select {
	case record := <-s.records:
		return record, nil
	case <-ctx.Done():
		return "", dividere.NewError(dividere.StatusTimeout, "the reactor was given nothing")
	}
}

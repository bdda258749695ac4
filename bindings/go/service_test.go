package dividere_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/dividere"
	"example.com/dividere/internal/testpb"
	"google.golang.org/protobuf/proto"
)

// registry is a server and a client of it.
func registry(t testing.TB, options ...dividere.Option) (*dividere.RegistryClient, string) {
	t.Helper()
	server, err := dividere.NewRegistryServer("tcp://127.0.0.1:*")
	must(t, err)
	closing(t, server)
	at, err := server.LastEndpoint()
	must(t, err)
	return registryClient(t, at, options...), at
}

func registryClient(t testing.TB, at string, options ...dividere.Option) *dividere.RegistryClient {
	t.Helper()
	client, err := dividere.NewRegistryClient(at, options...)
	must(t, err)
	closing(t, client)
	return client
}

// service is one that doubles numbers, but for those that are trouble.
func service(t testing.TB, client *dividere.RegistryClient, options ...dividere.Option) *dividere.Service {
	t.Helper()
	options = append([]dividere.Option{dividere.WithServiceEndpoint("tcp://127.0.0.1:*"), dividere.WithWorkers(4)}, options...)
	s, err := dividere.NewService("double", client, options...)
	must(t, err)
	closing(t, s)
	must(t, dividere.Handle(s, func(_ context.Context, q *testpb.Question) (*testpb.Answer, error) {
		switch q.GetNumber() {
		case -1:
			return nil, errors.New("no negative numbers")
		case -2:
			return nil, dividere.NewError(dividere.StatusNotFound, "no such number")
		case -3:
			panic("out of numbers")
		case -4:
			return nil, fmt.Errorf("counting: %w", dividere.ErrPermission)
		}
		return answer(2 * q.GetNumber()), nil
	}))
	must(t, s.Start(soon(t)))
	return s
}

func caller(t testing.TB, client *dividere.RegistryClient) *dividere.ServiceClient {
	t.Helper()
	c, err := dividere.NewServiceClient("double", client)
	must(t, err)
	closing(t, c)
	return c
}

func TestAServiceIsCalledByItsName(t *testing.T) {
	client, _ := registry(t)
	service(t, client)
	c := caller(t, client)
	must(t, c.WaitForService(soon(t)))
	for i := range int32(100) {
		got, err := dividere.Call[*testpb.Answer](soon(t), c, question(i))
		must(t, err)
		if got.GetNumber() != 2*i {
			t.Fatalf("got %v for %d", got, i)
		}
	}
	// Any type will do.
	got, err := dividere.Call[proto.Message](soon(t), c, question(21))
	must(t, err)
	if !proto.Equal(got, answer(42)) {
		t.Fatalf("got %v", got)
	}
	_, err = dividere.Call[*testpb.Question](soon(t), c, question(21))
	wants(t, err, dividere.ErrType)
	instances, err := c.Instances()
	must(t, err)
	if len(instances) != 1 || instances[0].Name != "double" {
		t.Fatalf("got %v", instances)
	}
}

func TestWhatAHandlerReturnsTheAskerGets(t *testing.T) {
	client, _ := registry(t)
	s := service(t, client)
	c := caller(t, client)
	for number, want := range map[int32]struct {
		err  error
		text string
	}{
		-1: {dividere.ErrRemote, "no negative numbers"},
		-2: {dividere.ErrNotFound, "no such number"},
		-3: {dividere.ErrRemote, "panic: out of numbers"},
		-4: {dividere.ErrPermission, "counting: "},
	} {
		_, err := dividere.Call[*testpb.Answer](soon(t), c, question(number))
		wants(t, err, want.err)
		if !strings.Contains(err.Error(), want.text) {
			t.Fatalf("%v does not say %q", err, want.text)
		}
	}
	_, err := dividere.Call[*testpb.Answer](soon(t), c, reading(1))
	wants(t, err, dividere.ErrUnsupported)
	must(t, dividere.Handle(s, func(_ context.Context, m proto.Message) (proto.Message, error) {
		if _, ok := m.(*testpb.Alarm); ok {
			return nil, nil
		}
		return m, nil
	}))
	echoed, err := dividere.Call[*testpb.Reading](soon(t), c, reading(7))
	must(t, err)
	if echoed.GetValue() != 7 {
		t.Fatalf("got %v", echoed)
	}
	_, err = dividere.Call[*testpb.Answer](soon(t), c, &testpb.Alarm{})
	wants(t, err, dividere.ErrRemote)
}

func TestNobodyHasTheName(t *testing.T) {
	client, _ := registry(t)
	c := caller(t, client)
	_, err := dividere.Call[*testpb.Answer](soon(t), c, question(1))
	wants(t, err, dividere.ErrNotFound)
}

func TestACallEndsWithItsContext(t *testing.T) {
	client, _ := registry(t)
	s := service(t, client)
	// What each request waits for.
	held := make(chan chan struct{}, 2)
	must(t, dividere.Handle(s, func(serving context.Context, _ *testpb.Alarm) (*testpb.Alarm, error) {
		let := make(chan struct{})
		held <- let
		select {
		case <-let:
		case <-serving.Done():
		}
		return &testpb.Alarm{}, nil
	}))
	c := caller(t, client)
	ctx, cancel := context.WithCancelCause(soon(t))
	first := make(chan chan struct{}, 1)
	go func() {
		first <- <-held
		cancel(errors.New("enough"))
	}()
	_, err := dividere.Call[*testpb.Alarm](ctx, c, &testpb.Alarm{})
	wants(t, err, context.Canceled)
	close(<-first)
	short, end := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer end()
	_, err = dividere.Call[*testpb.Alarm](short, c, &testpb.Alarm{})
	wants(t, err, context.DeadlineExceeded)
	// Ends the handler that holds it.
	must(t, s.Close())
}

func TestStoppingWaitsForWhatIsUnderWay(t *testing.T) {
	client, _ := registry(t)
	s := service(t, client)
	held, let := make(chan struct{}), make(chan struct{})
	must(t, dividere.Handle(s, func(ctx context.Context, _ *testpb.Alarm) (*testpb.Alarm, error) {
		held <- struct{}{}
		select {
		case <-let:
			return &testpb.Alarm{Text: proto.String("done")}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}))
	c := caller(t, client)
	called := make(chan error, 1)
	go func() {
		got, err := dividere.Call[*testpb.Alarm](soon(t), c, &testpb.Alarm{})
		if err == nil && got.GetText() != "done" {
			err = fmt.Errorf("got %v", got)
		}
		called <- err
	}()
	<-held
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(soon(t)) }()
	until(t, "it is registered no more", func() bool {
		all, err := client.LookupAll(soon(t), "double")
		must(t, err)
		return len(all) == 0
	})
	select {
	case err := <-stopped:
		t.Fatalf("stopped before the request was answered: %v", err)
	default:
	}
	close(let)
	must(t, <-called)
	must(t, <-stopped)
	wants(t, s.Start(soon(t)), dividere.ErrClosed)
}

func TestStoppingEndsWithItsContext(t *testing.T) {
	client, _ := registry(t)
	s := service(t, client)
	held, over := make(chan struct{}), make(chan struct{})
	must(t, dividere.Handle(s, func(ctx context.Context, _ *testpb.Alarm) (*testpb.Alarm, error) {
		close(held)
		<-ctx.Done()
		close(over)
		return nil, ctx.Err()
	}))
	c := caller(t, client)
	called := make(chan error, 1)
	go func() {
		_, err := dividere.Call[*testpb.Alarm](soon(t), c, &testpb.Alarm{})
		called <- err
	}()
	<-held
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(ctx) }()
	until(t, "it is registered no more", func() bool {
		all, err := client.LookupAll(soon(t), "double")
		must(t, err)
		return len(all) == 0
	})
	cancel()
	wants(t, <-stopped, context.Canceled)
	<-over
	wants(t, <-called, dividere.ErrRemote)
}

func TestOptionsOfAServiceAreItsAlone(t *testing.T) {
	_, err := dividere.NewPublisher("tcp://127.0.0.1:*", dividere.WithWorkers(2))
	wants(t, err, dividere.ErrInvalidArgument)
	client, _ := registry(t)
	for _, workers := range []int{0, -1, 1025} {
		_, err = dividere.NewService("double", client, dividere.WithWorkers(workers))
		wants(t, err, dividere.ErrInvalidArgument)
	}
}

func TestTheZeroValueOfAServiceAndItsLikeIsAClosedHandle(t *testing.T) {
	ctx := soon(t)
	var (
		service  dividere.Service
		client   dividere.ServiceClient
		registry dividere.RegistryClient
		watch    dividere.Watch
		worker   dividere.Worker
		broker   dividere.Broker
	)
	handler := func(context.Context, *testpb.Question) (*testpb.Answer, error) { return nil, nil }
	_, fromCall := client.Call(ctx, question(1))
	_, fromInstances := client.Instances()
	_, fromLookup := registry.Lookup(ctx, "double")
	_, fromRegister := registry.Register(ctx, "double", 1, nil)
	_, fromWatch := watch.Recv(ctx)
	_, fromWorker := worker.RecvMessage(ctx)
	_, fromBroker := broker.Statistics()
	_, fromPort := service.Port()
	_, fromMaking := dividere.NewService("double", &registry)
	_, fromNone := dividere.NewServiceClient("double", nil)
	areClosed(t,
		fromCall, fromInstances, fromLookup, fromRegister, fromWatch, fromWorker, fromBroker, fromPort, fromMaking, fromNone,
		service.Start(ctx), service.Stop(ctx), dividere.Handle(&service, handler), client.WaitForService(ctx),
		dividere.Serve(&worker, handler), worker.Stop(ctx), broker.WaitForWorkers(ctx, 1),
	)
	must(t, errors.Join(service.Close(), client.Close(), registry.Close(), watch.Close(), worker.Close(), broker.Close()))
}

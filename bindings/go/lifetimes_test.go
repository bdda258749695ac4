package dividere_test

// What is let go of, and what is not before its time.

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"

	"example.com/dividere"
	"example.com/dividere/internal/testpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// collecting collects garbage all the time, until the test is over.
func collecting(t *testing.T) {
	var done sync.WaitGroup
	over := make(chan struct{})
	done.Add(1)
	go func() {
		defer done.Done()
		for {
			select {
			case <-over:
				return
			default:
				runtime.GC()
			}
		}
	}()
	t.Cleanup(func() { close(over); done.Wait() })
}

// many is a message of so many parts that it takes a while to be parsed.
func many(parts int) *structpb.ListValue {
	m := &structpb.ListValue{}
	for i := range parts {
		m.Values = append(m.Values, structpb.NewNumberValue(float64(i)))
	}
	return m
}

func TestAMessageIsThereWhileItIsParsed(t *testing.T) {
	p, s := pair(t)
	collecting(t)
	sent := many(20_000)
	for range 20 {
		must(t, p.Send(soon(t), sent))
		m, err := s.RecvMessage(soon(t))
		must(t, err)
		// The last use of it.
		got, err := m.Unmarshal()
		must(t, err)
		if !proto.Equal(got, sent) {
			t.Fatal("another message came than was sent")
		}
	}
}

func TestAReactorThatWasStartedIsNotCollected(t *testing.T) {
	defer dividere.CloseWorking()
	response, err := dividere.NewResponse("tcp://127.0.0.1:*")
	must(t, err)
	closing(t, response)
	at, err := response.LastEndpoint()
	must(t, err)
	func() {
		r, err := dividere.NewReactor()
		must(t, err)
		must(t, dividere.On(r, func(from dividere.Source, q *testpb.Question) error {
			return from.Reply(answer(2 * q.GetNumber()))
		}))
		must(t, r.Add(response))
		must(t, r.Start())
	}()
	for range 10 {
		garbage()
	}
	q := request(t, at)
	got, err := dividere.Call[*testpb.Answer](soon(t), q, question(4))
	must(t, err)
	if got.GetNumber() != 8 {
		t.Fatalf("got %v", got)
	}
}

func TestAReactorThatWasStoppedAndForgottenIsCollected(t *testing.T) {
	before := dividere.OpenHandles()
	func() {
		r, err := dividere.NewReactor()
		must(t, err)
		must(t, r.Start())
		must(t, r.Stop(soon(t)))
	}()
	until(t, "the reactor is collected", func() bool {
		garbage()
		return dividere.OpenHandles() == before
	})
}

func TestAProxyIsNotCollected(t *testing.T) {
	defer dividere.CloseWorking()
	front, back := func() (string, string) {
		proxy, err := dividere.NewProxy(dividere.ProxyPublishSubscribe, "tcp://127.0.0.1:*", "tcp://127.0.0.1:*", "")
		must(t, err)
		front, err := proxy.LastEndpoint(dividere.ProxyFront)
		must(t, err)
		back, err := proxy.LastEndpoint(dividere.ProxyBack)
		must(t, err)
		return front, back
	}()
	for range 10 {
		garbage()
	}
	p, err := dividere.NewPublisher(">" + front)
	must(t, err)
	closing(t, p)
	s := subscriber(t, back)
	must(t, p.WaitForSubscribers(soon(t), 1, ""))
	must(t, p.Send(soon(t), reading(3)))
	got, err := dividere.Recv[*testpb.Reading](soon(t), s)
	must(t, err)
	if got.GetValue() != 3 {
		t.Fatalf("got %v", got)
	}
}

func TestAReactorForgetsSourcesThatWereClosed(t *testing.T) {
	r := reactor(t)
	const count = 300
	for range count {
		s, err := dividere.NewSubscriber("inproc://" + t.Name())
		must(t, err)
		must(t, r.Add(s))
		must(t, s.Close())
	}
	if kept := r.Sources(); kept > count/2 {
		t.Fatalf("%d sources are kept, all of which are closed", kept)
	}
}

// descriptors counts those of this process.
func descriptors(t testing.TB) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(open)
}

// useAll makes one of each, uses it, waits with it and closes it.
func useAll(t *testing.T) {
	ctx := soon(t)
	p, err := dividere.NewPublisher("tcp://127.0.0.1:*")
	must(t, err)
	at, err := p.LastEndpoint()
	must(t, err)
	s, err := dividere.NewSubscriber(at)
	must(t, err)
	answers, err := dividere.NewResponse("tcp://127.0.0.1:*")
	must(t, err)
	at, err = answers.LastEndpoint()
	must(t, err)
	asks, err := dividere.NewRequest(at)
	must(t, err)
	r, err := dividere.NewReactor()
	must(t, err)
	must(t, dividere.On(r, func(from dividere.Source, q *testpb.Question) error { return from.Reply(answer(q.GetNumber())) }))
	must(t, r.Add(answers))
	var running sync.WaitGroup
	run := func(what func() error, ends error) {
		running.Add(1)
		go func() {
			defer running.Done()
			if err := what(); ends == nil {
				must(t, err)
			} else {
				wants(t, err, ends)
			}
		}()
	}
	run(func() error { return r.Run(context.Background()) }, nil)
	before := dividere.Sleeping()
	run(func() error { _, err := s.Recv(context.Background()); return err }, dividere.ErrClosed)
	run(func() error {
		for _, err := range s.All(context.Background()) {
			return err
		}
		return nil
	}, nil)
	run(func() error {
		for _, err := range p.Events(context.Background()) {
			if err != nil {
				return err
			}
		}
		return nil
	}, nil)
	_, err = dividere.Call[*testpb.Answer](ctx, asks, question(1))
	must(t, err)
	until(t, "they wait", func() bool { return dividere.Sleeping() >= before+2 })
	for _, one := range []interface{ Close() error }{s, asks, answers, p, r} {
		must(t, one.Close())
	}
	running.Wait()
}

func TestClosingLeavesNoGoroutineAndNoDescriptor(t *testing.T) {
	// By closing alone: the collector would close what it finds.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	// What stays for good is made by the first ones.
	useAll(t)
	goroutines, fds := runtime.NumGoroutine(), descriptors(t)
	for range 10 {
		useAll(t)
	}
	until(t, "as many goroutines and descriptors are there as before", func() bool {
		return runtime.NumGoroutine() <= goroutines && descriptors(t) <= fds
	})
}

func TestShutdownWakesWhoWaitsForEvents(t *testing.T) {
	p, _ := publisher(t, "inproc://"+t.Name())
	waiting, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		close(waiting)
		for _, err := range p.Events(context.Background()) {
			if err != nil {
				ended <- err
			}
		}
		ended <- nil
	}()
	<-waiting
	until(t, "it waits", func() bool { return p.WaitsForEvents() })
	must(t, dividere.Shutdown(soon(t)))
	must(t, <-ended)
}

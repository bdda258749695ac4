package dividere_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"example.com/dividere"
	"example.com/dividere/internal/testpb"
	"google.golang.org/protobuf/proto"
)

func reactor(t testing.TB) *dividere.Reactor {
	t.Helper()
	r, err := dividere.NewReactor()
	must(t, err)
	closing(t, r)
	return r
}

func TestAReactorCallsTheHandlerOfEachType(t *testing.T) {
	p, s := pair(t)
	served, at := response(t, "tcp://127.0.0.1:*")
	asks := request(t, at)
	r := reactor(t)
	readings, others, wrong := make(chan float64, 10), make(chan string, 10), make(chan error, 10)
	must(t, dividere.On(r, func(from dividere.Source, m *testpb.Reading) error {
		if from.Handle() != dividere.Receiver(s) {
			t.Error("another source")
		}
		readings <- m.GetValue()
		return nil
	}))
	must(t, dividere.On(r, func(from dividere.Source, m *testpb.Question) error {
		switch m.GetNumber() {
		case 1:
			return from.Reply(answer(10))
		case 2:
			return errors.New("no answer to 2")
		case 3:
			panic("three")
		case 4:
			return dividere.ErrBusy
		}
		return nil
	}))
	must(t, r.OnDefault(func(from dividere.Source) error {
		m, err := from.Unmarshal()
		if err == nil && m.ProtoReflect().Descriptor().FullName() == from.TypeName() {
			others <- string(from.TypeName())
		}
		return err
	}))
	r.OnError(func(from dividere.Source, err error) { wrong <- err })
	must(t, r.Add(s))
	must(t, r.Add(served))
	wants(t, r.Add(s), dividere.ErrState)
	wants(t, r.Add(asks), dividere.ErrUnsupported)
	_, err := s.Recv(soon(t))
	wants(t, err, dividere.ErrState)

	ran := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { ran <- r.Run(ctx) }()
	must(t, p.Send(soon(t), reading(0.25)))
	if got := <-readings; got != 0.25 {
		t.Fatal(got)
	}
	must(t, p.Send(soon(t), &testpb.Alarm{Text: proto.String("hot")}))
	if got := <-others; got != "acme.v1.Alarm" {
		t.Fatal(got)
	}
	must(t, p.SendBytes(soon(t), []byte("no envelope")))
	wants(t, <-wrong, dividere.ErrDecode)

	got, err := dividere.Call[*testpb.Answer](soon(t), asks, question(1))
	must(t, err)
	if got.GetNumber() != 10 {
		t.Fatal(got)
	}
	_, err = asks.Call(soon(t), question(2))
	wants(t, err, dividere.ErrRemote)
	if err := <-wrong; err.Error() != "no answer to 2" {
		t.Fatal(err)
	}
	_, err = asks.Call(soon(t), question(3))
	wants(t, err, dividere.ErrRemote)
	failed := <-wrong
	wants(t, failed, dividere.ErrRemote)
	var panicked *dividere.PanicError
	if !errors.As(failed, &panicked) || panicked.Value != "three" || !bytes.Contains(panicked.Stack, []byte("reactor_test.go")) {
		t.Fatalf("%v does not tell where it came from", failed)
	}
	_, err = asks.Call(soon(t), question(4))
	wants(t, err, dividere.ErrRemote)
	wants(t, <-wrong, dividere.ErrBusy)

	cancel()
	wants(t, <-ran, context.Canceled)
	must(t, r.Remove(s))
	wants(t, r.Remove(s), dividere.ErrNotFound)
	must(t, p.Send(soon(t), reading(0.5)))
	_, err = s.Recv(soon(t))
	must(t, err)
}

func TestAReactorAnswersLater(t *testing.T) {
	served, at := response(t, "tcp://127.0.0.1:*")
	asks := request(t, at)
	r := reactor(t)
	var lent dividere.Source
	kept := make(chan *dividere.Message, 1)
	must(t, dividere.On(r, func(from dividere.Source, m *testpb.Question) error {
		message, err := from.Keep()
		lent = from
		kept <- message
		return err
	}))
	must(t, r.Add(served))
	must(t, r.Start())
	wants(t, r.Start(), dividere.ErrState)
	go func() {
		message := <-kept
		defer message.Close()
		if err := message.Reply(context.Background(), answer(9)); err != nil {
			t.Error(err)
		}
	}()
	got, err := dividere.Call[*testpb.Answer](soon(t), asks, question(1))
	must(t, err)
	if got.GetNumber() != 9 {
		t.Fatal(got)
	}
	must(t, r.Stop(soon(t)))
	wants(t, lent.Reply(answer(1)), dividere.ErrState)
	if lent.TypeName() != "" || lent.Payload() != nil {
		t.Fatal("a Source that was kept has its message still")
	}
}

func TestTimersIdleAndPostedFunctionsRun(t *testing.T) {
	r := reactor(t)
	told := make(chan string, 100)
	tell := func(what string) func() { return func() { told <- what } }
	must(t, r.Post(tell("posted")))
	_, err := r.After(time.Millisecond, tell("after"))
	must(t, err)
	_, err = r.Every(0, tell("never"))
	wants(t, err, dividere.ErrInvalidArgument)
	every, err := r.Every(time.Millisecond, tell("every"))
	must(t, err)
	must(t, r.OnIdle(time.Millisecond, tell("idle")))
	cancelled, err := r.After(time.Hour, tell("cancelled"))
	must(t, err)
	must(t, r.CancelTimer(cancelled))
	wants(t, r.CancelTimer(cancelled), dividere.ErrNotFound)
	wrong := make(chan error, 1)
	r.OnError(func(_ dividere.Source, err error) { wrong <- err })
	must(t, r.Post(func() { panic("posted") }))
	must(t, r.Start())
	wants(t, <-wrong, dividere.ErrRemote)
	count := map[string]int{}
	for count["posted"] < 1 || count["after"] < 1 || count["every"] < 3 || count["idle"] < 1 {
		count[<-told]++
	}
	must(t, r.CancelTimer(every))
	// Stopping and closing inside a task.
	stopped := make(chan error, 1)
	must(t, r.Post(func() { stopped <- r.Stop(context.Background()) }))
	must(t, <-stopped)
	until(t, "it can run again", func() bool { return r.Start() == nil })
	must(t, r.Post(func() { stopped <- r.Close() }))
	must(t, <-stopped)
	wants(t, r.Start(), dividere.ErrClosed)
}

func TestAContextThatEndsBeforeTheLoopBegins(t *testing.T) {
	for range 200 {
		r := reactor(t)
		ctx, cancel := context.WithCancel(context.Background())
		go cancel()
		wants(t, r.Run(ctx), context.Canceled)
	}
}

func TestCallbacksAreLetGoOf(t *testing.T) {
	before := dividere.OpenHandles()
	r, err := dividere.NewReactor()
	must(t, err)
	collected := make(chan struct{})
	func() {
		held := &[64]byte{}
		onCollected(held, collected)
		must(t, r.Post(func() { _ = held[0] }))
		must(t, r.OnDefault(func(dividere.Source) error { _ = held[0]; return nil }))
		_, err = r.Every(time.Hour, func() { _ = held[0] })
		must(t, err)
	}()
	must(t, r.Close())
	until(t, "what the callbacks held is collected", func() bool {
		select {
		case <-collected:
			return true
		default:
			garbage()
			return false
		}
	})
	if dividere.OpenHandles() != before {
		t.Fatal(dividere.OpenHandles())
	}
}

package dividere_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"testing"

	"example.com/dividere"
	"example.com/dividere/internal/testpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func TestTypedMessagesArriveOverEachTransport(t *testing.T) {
	for name, at := range map[string]string{
		"tcp": "tcp://127.0.0.1:*", "ipc": "ipc://" + t.TempDir() + "/socket", "inproc": "inproc://" + t.Name(),
	} {
		t.Run(name, func(t *testing.T) {
			p, at := publisher(t, at)
			s := subscriber(t, at, dividere.WithTypes(&testpb.Reading{}))
			must(t, p.WaitForSubscribers(soon(t), 1, dividere.NameOf[*testpb.Reading]()))
			must(t, p.Send(soon(t), &testpb.Alarm{Text: proto.String("not subscribed to")}))
			want := reading(0.7)
			must(t, p.Send(soon(t), want))
			got, err := dividere.Recv[*testpb.Reading](soon(t), s)
			must(t, err)
			if !proto.Equal(got, want) {
				t.Fatalf("got %v", got)
			}
		})
	}
}

func TestLargeAndEmptyMessagesArrive(t *testing.T) {
	p, s := pair(t)
	for _, size := range []int{-1, 0, 1, 4000, 4096, 5000, 1 << 20} {
		want := &testpb.Reading{}
		if size >= 0 {
			want.Blob = bytes.Repeat([]byte{'x'}, size)
		}
		must(t, p.Send(soon(t), want))
		got := reading(1)
		must(t, s.RecvInto(soon(t), got))
		if !proto.Equal(got, want) {
			t.Fatalf("of %d bytes came %d", size, len(got.Blob))
		}
	}
}

func TestAnyTypeThatTheProgramHasIsReceived(t *testing.T) {
	p, s := pair(t)
	sent := []proto.Message{
		reading(1), &testpb.Alarm{Text: proto.String("hot")}, &testpb.Reading_Unit{Name: proto.String("K")},
		&testpb.Position{Text: "here"}, &testpb.Ack{Ok: true},
	}
	for _, m := range sent {
		must(t, p.Send(soon(t), m))
	}
	for _, want := range sent {
		got, err := s.Recv(soon(t))
		must(t, err)
		if !proto.Equal(got, want) {
			t.Fatalf("got %v, not %v", got, want)
		}
	}
}

func TestBytesArriveAsTheyAre(t *testing.T) {
	p, s := pair(t)
	for _, want := range [][]byte{nil, []byte("a"), bytes.Repeat([]byte("ab"), 100_000)} {
		must(t, p.SendBytes(soon(t), want))
		got, err := s.RecvBytes(soon(t))
		must(t, err)
		if !bytes.Equal(got, want) {
			t.Fatalf("got %d bytes, not %d", len(got), len(want))
		}
	}
}

func TestWhatCannotBeDecodedComesBackWithItsBytes(t *testing.T) {
	p, s := pair(t)
	ctx := soon(t)
	must(t, p.SendBytes(ctx, []byte("no envelope")))
	must(t, p.Send(ctx, reading(2)))
	must(t, p.SendBytes(ctx, envelope("acme.v1.Unknown", []byte("\x0a\x01x"))))
	must(t, p.SendBytes(ctx, envelope("acme.v1.Reading", []byte{0xff})))
	for _, want := range []struct {
		err           error
		name, payload string
	}{
		{dividere.ErrDecode, "", "no envelope"},
		{dividere.ErrType, "acme.v1.Reading", "\x0a\x03cpu\x11\x00\x00\x00\x00\x00\x00\x00\x40"},
		{dividere.ErrNotFound, "acme.v1.Unknown", "\x0a\x01x"},
		{dividere.ErrDecode, "acme.v1.Reading", "\xff"},
	} {
		var err error
		if want.err == dividere.ErrType {
			_, err = dividere.Recv[*testpb.Alarm](ctx, s)
		} else {
			_, err = s.Recv(ctx)
		}
		wants(t, err, want.err)
		var undecodable *dividere.DecodeError
		if !errors.As(err, &undecodable) {
			t.Fatalf("%T is no DecodeError", err)
		}
		if string(undecodable.TypeName) != want.name || string(undecodable.Payload) != want.payload {
			t.Fatalf("got %q %q", undecodable.TypeName, undecodable.Payload)
		}
	}
	counted, err := s.Statistics()
	must(t, err)
	if counted.DecodeErrors != 1 || counted.MessagesIn != 4 {
		t.Fatalf("%+v", counted)
	}
}

func TestALoopReceivesUntilTheHandleIsClosed(t *testing.T) {
	p, s := pair(t)
	const count = 1000
	go func() {
		for i := range count {
			if err := p.Send(context.Background(), reading(float64(i))); err != nil {
				t.Error(err)
			}
		}
	}()
	next := 0.0
	for m, err := range dividere.All[*testpb.Reading](soon(t), s) {
		must(t, err)
		if m.GetValue() != next {
			t.Fatalf("got %v, not %v", m.GetValue(), next)
		}
		if next++; next == count {
			must(t, s.Close())
		}
	}
	if next != count {
		t.Fatalf("only %v came", next)
	}
}

func TestSubscriptionsComeAndGo(t *testing.T) {
	p, at := publisher(t, "tcp://127.0.0.1:*")
	s := subscriber(t, at, dividere.WithTypes())
	name := dividere.NameOf[*testpb.Reading]()
	wants(t, s.Unsubscribe(name), dividere.ErrNotFound)
	must(t, s.Subscribe(name))
	must(t, p.WaitForSubscribers(soon(t), 1, name))
	must(t, s.Unsubscribe(name))
	until(t, "the subscription has gone", func() bool {
		ofType, err := p.Subscribers(name)
		must(t, err)
		// It is more than one topic, which go one after the other.
		count, err := p.Subscribers("")
		must(t, err)
		return ofType == 0 && count == 0
	})
	must(t, s.SubscribePrefix([]byte("ab")))
	must(t, p.WaitForSubscribers(soon(t), 1, ""))
	must(t, p.SendBytes(soon(t), []byte("xy")))
	must(t, p.SendBytes(soon(t), []byte("abc")))
	got, err := s.RecvBytes(soon(t))
	must(t, err)
	if string(got) != "abc" {
		t.Fatalf("got %q", got)
	}
	must(t, s.UnsubscribePrefix([]byte("ab")))
	wants(t, s.Subscribe("no name!"), dividere.ErrInvalidArgument)
}

func TestAFullQueueDropsBlocksOrFails(t *testing.T) {
	// To a subscriber that does not receive: what lies between is its socket buffers and both queues.
	stuffed := func(t *testing.T, full dividere.FullQueue, more ...dividere.Option) (*dividere.Publisher, *dividere.Subscriber, error) {
		options := append([]dividere.Option{
			dividere.WithSendHighWaterMark(2), dividere.WithReceiveHighWaterMark(2), dividere.WithFullQueue(full),
		}, more...)
		p, s := pair(t, options...)
		block := bytes.Repeat([]byte{1}, 1<<20)
		for range 200 {
			if err := p.SendBytes(soon(t), block); err != nil {
				return p, s, err
			}
		}
		return p, s, nil
	}
	t.Run("drop", func(t *testing.T) {
		p, _, err := stuffed(t, dividere.FullQueueUsual)
		must(t, err)
		counted, err := p.Statistics()
		must(t, err)
		if counted.DroppedQueueFull == 0 {
			t.Fatalf("%+v", counted)
		}
	})
	t.Run("fail", func(t *testing.T) {
		_, _, err := stuffed(t, dividere.FullQueueFail)
		wants(t, err, dividere.ErrWouldBlock)
	})
	t.Run("block until the send timeout", func(t *testing.T) {
		_, _, err := stuffed(t, dividere.FullQueueBlock, dividere.WithSendTimeout(50*1e6))
		wants(t, err, dividere.ErrTimeout)
	})
	t.Run("block until the context is cancelled", func(t *testing.T) {
		p, _, err := stuffed(t, dividere.FullQueueBlock, dividere.WithSendTimeout(50*1e6))
		wants(t, err, dividere.ErrTimeout)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		wants(t, p.SendBytes(ctx, []byte("x")), context.Canceled)
	})
	t.Run("block until there is room", func(t *testing.T) {
		p, s, err := stuffed(t, dividere.FullQueueBlock, dividere.WithSendTimeout(50*1e6))
		wants(t, err, dividere.ErrTimeout)
		sent := make(chan error, 1)
		go func() {
			var err error
			for err = dividere.ErrTimeout; errors.Is(err, dividere.ErrTimeout); {
				err = p.SendBytes(context.Background(), []byte("last"))
			}
			sent <- err
		}()
		for {
			got, err := s.RecvBytes(soon(t))
			must(t, err)
			if string(got) == "last" {
				break
			}
		}
		must(t, <-sent)
	})
}

func TestWhatIsTooLargeIsRefused(t *testing.T) {
	p, s := pair(t, dividere.WithMaxMessageSize(5000))
	wants(t, p.SendBytes(soon(t), make([]byte, 5001)), dividere.ErrTooLarge)
	wants(t, p.Send(soon(t), &testpb.Reading{Blob: make([]byte, 5001)}), dividere.ErrTooLarge)
	must(t, p.Send(soon(t), reading(1)))
	_, err := s.Recv(soon(t))
	must(t, err)
}

func TestWhatCannotBeSerialisedIsNotSent(t *testing.T) {
	p, s := pair(t)
	wants(t, p.Send(soon(t), &testpb.Strict{}), dividere.ErrInvalidArgument)
	wants(t, p.Send(soon(t), nil), dividere.ErrInvalidArgument)
	must(t, p.Send(soon(t), &testpb.Strict{Must: proto.Int32(4)}))
	got, err := dividere.Recv[*testpb.Strict](soon(t), s)
	must(t, err)
	if got.GetMust() != 4 {
		t.Fatal(got)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, option := range []dividere.Option{
		dividere.WithSendHighWaterMark(-1), dividere.WithIdentity([]byte{0}), dividere.WithCurveServer("short"),
		dividere.WithFullQueue(77), dividere.WithLinger(-1e9),
	} {
		_, err := dividere.NewPublisher("tcp://127.0.0.1:*", option)
		wants(t, err, dividere.ErrInvalidArgument)
		var e *dividere.Error
		if !errors.As(err, &e) || e.Text == "" {
			t.Fatalf("no text: %v", err)
		}
	}
	_, err := dividere.NewPublisher("tcp:/nonsense")
	wants(t, err, dividere.ErrEndpoint)
	_, at := publisher(t, "tcp://127.0.0.1:*")
	_, err = dividere.NewPublisher(at)
	wants(t, err, dividere.ErrAddressInUse)
}

func TestBatchesArriveInOrder(t *testing.T) {
	p, s := pair(t, dividere.WithReceiveHighWaterMark(0), dividere.WithSendHighWaterMark(0))
	const count = 5000
	all := make([]*testpb.Reading, count)
	for i := range all {
		all[i] = reading(float64(i))
		if i%1000 == 7 {
			all[i].Blob = make([]byte, 300<<10)
		}
	}
	go func() {
		if sent, err := dividere.SendMany(soon(t), p, all); sent != count || err != nil {
			t.Errorf("%d sent: %v", sent, err)
		}
	}()
	var got []*testpb.Reading
	for len(got) < count {
		some, err := dividere.RecvMany[*testpb.Reading](soon(t), s, count)
		must(t, err)
		got = append(got, some...)
	}
	for i := range all {
		if !proto.Equal(got[i], all[i]) {
			t.Fatalf("at %d: %v", i, got[i].GetValue())
		}
	}
}

func TestABatchTellsWhatWasWrong(t *testing.T) {
	p, s := pair(t)
	ctx := soon(t)
	sent, err := dividere.SendMany(ctx, p, []proto.Message{reading(1), &testpb.Alarm{}, &testpb.Strict{}, reading(2)})
	wants(t, err, dividere.ErrInvalidArgument)
	if sent != 2 {
		t.Fatal(sent)
	}
	must(t, p.SendBytes(ctx, []byte("no envelope")))
	must(t, p.Send(ctx, reading(3)))
	var good []*testpb.Reading
	var wrong []error
	for len(good) < 2 || len(wrong) < 2 {
		some, err := dividere.RecvMany[*testpb.Reading](ctx, s, 10)
		good = append(good, some...)
		if err == nil {
			continue
		}
		var undecodable *dividere.DecodeError
		if !errors.As(err, &undecodable) {
			t.Fatal(err)
		}
		wrong = append(wrong, err.(interface{ Unwrap() []error }).Unwrap()...)
	}
	wants(t, wrong[0], dividere.ErrType)
	wants(t, wrong[1], dividere.ErrDecode)
	if good[0].GetValue() != 1 || good[1].GetValue() != 3 {
		t.Fatal(good)
	}
	_, err = dividere.RecvMany[*testpb.Reading](ctx, s, 0)
	wants(t, err, dividere.ErrInvalidArgument)
}

// Where it need not wait, and protobuf has nothing to allocate either.
func TestSendAndRecvIntoAllocateNothing(t *testing.T) {
	// inproc: what was sent is there.
	p, at := publisher(t, "inproc://"+t.Name(), dividere.WithSendHighWaterMark(0))
	s := subscriber(t, at, dividere.WithReceiveHighWaterMark(0))
	must(t, p.WaitForSubscribers(soon(t), 1, ""))
	ctx := context.Background()
	sent, got := wrapperspb.Int64(7), &wrapperspb.Int64Value{}
	const count = 1000
	send := func() error { return p.Send(ctx, sent) }
	receive := func() error { return s.RecvInto(ctx, got) }
	each := func(what func() error) float64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range count {
			if err := what(); err != nil {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		return float64(after.Mallocs-before.Mallocs) / count
	}
	// The collector empties the pools.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	// What is made once for all is made by the first ones. The race detector loses some of what is in a pool.
	each(send)
	each(receive)
	if sends, receives := each(send), each(receive); sends >= 1 || receives >= 1 {
		t.Fatalf("%g allocations for each that was sent, %g for each that was received", sends, receives)
	}
}

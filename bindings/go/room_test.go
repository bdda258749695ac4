package dividere_test

// Sends that wait for room.

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"example.com/dividere"
	"example.com/dividere/internal/testpb"
)

// full is a dealer whose queue is full, and its peer, with how many messages lie between them.
func full(t testing.TB) (from, to *dividere.Dealer, sent int) {
	t.Helper()
	options := dividere.WithOptions(dividere.WithSendHighWaterMark(1), dividere.WithReceiveHighWaterMark(1),
		dividere.WithSendTimeout(-1))
	to, err := dividere.NewDealer("@inproc://"+t.Name()+strconv.FormatInt(dividere.OpenHandles(), 10), options)
	must(t, err)
	closing(t, to)
	at, err := to.LastEndpoint()
	must(t, err)
	from, err = dividere.NewDealer(">"+at, options)
	must(t, err)
	closing(t, from)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
		err := from.Send(ctx, reading(float64(sent)))
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return from, to, sent
		}
		must(t, err)
		sent++
	}
}

// drained receives messages in order, so many.
func drained(t testing.TB, from *dividere.Dealer, first, count int) {
	t.Helper()
	for i := range count {
		m, err := dividere.Recv[*testpb.Reading](soon(t), from)
		must(t, err)
		if m.GetValue() != float64(first+i) {
			t.Fatalf("got %v, not %d", m.GetValue(), first+i)
		}
	}
}

func TestWaitingForRoomCostsFewThreads(t *testing.T) {
	if !alone(t) {
		return
	}
	const count = 60
	sent := make(chan error, count)
	peers := make([]*dividere.Dealer, count)
	between := 0
	for i := range count {
		var from *dividere.Dealer
		from, peers[i], between = full(t)
		go func() { sent <- from.Send(soon(t), reading(float64(between))) }()
	}
	until(t, "all of them wait for room", func() bool { return dividere.Sleeping() >= count })
	if n := threads(t); n >= 50 {
		t.Errorf("%d threads", n)
	}
	select {
	case err := <-sent:
		t.Fatalf("one did not wait: %v", err)
	default:
	}
	for _, peer := range peers {
		drained(t, peer, 0, between+1)
		must(t, <-sent)
	}
}

func TestASendThatIsCancelledOrClosedWhileItWaitsForRoomSendsNothing(t *testing.T) {
	from, to, between := full(t)
	waits := func(ctx context.Context, send func(ctx context.Context) error) <-chan error {
		before := dividere.Sleeping()
		ended := make(chan error, 1)
		go func() { ended <- send(ctx) }()
		until(t, "it waits for room", func() bool { return dividere.Sleeping() > before })
		return ended
	}
	for _, send := range []func(ctx context.Context) error{
		func(ctx context.Context) error { return from.Send(ctx, reading(-1)) },
		func(ctx context.Context) error { return from.SendBytes(ctx, []byte("x")) },
		func(ctx context.Context) error { return from.SendWithEmptyFrame(ctx, reading(-1)) },
		func(ctx context.Context) error {
			sent, err := dividere.SendMany(ctx, from, []*testpb.Reading{reading(-1), reading(-2)})
			if sent != 0 {
				t.Errorf("%d were sent", sent)
			}
			return err
		},
	} {
		ctx, cancel := context.WithCancel(context.Background())
		ended := waits(ctx, send)
		before := time.Now()
		cancel()
		if err := <-ended; err != context.Canceled {
			t.Fatal(err)
		}
		if took := time.Since(before); took > time.Second {
			t.Errorf("it took %v to hear of it", took)
		}
	}
	drained(t, to, 0, between)
	must(t, from.Send(soon(t), reading(float64(between))))
	drained(t, to, between, 1)

	from, _, _ = full(t)
	ended := waits(context.Background(), func(ctx context.Context) error { return from.Send(ctx, reading(-1)) })
	must(t, from.Close())
	wants(t, <-ended, dividere.ErrClosed)
}

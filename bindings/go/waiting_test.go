package dividere_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/dividere"
	"example.com/dividere/internal/testpb"
)

func TestAThousandWaitingGoroutinesCostFewThreads(t *testing.T) {
	// Go keeps the threads that earlier tests needed.
	if !alone(t) {
		return
	}
	const count = 1000
	// inproc: as TCP connections, these would take more descriptors than some machines grant.
	p, at := publisher(t, "inproc://"+t.Name())
	var waiting, received sync.WaitGroup
	ctx := soon(t)
	errs := make(chan error, count)
	for range count {
		s := subscriber(t, at)
		waiting.Add(1)
		received.Add(1)
		go func() {
			defer received.Done()
			waiting.Done()
			m, err := dividere.Recv[*testpb.Reading](ctx, s)
			if err == nil && m.GetValue() != 0.5 {
				err = fmt.Errorf("got %v", m)
			}
			errs <- err
		}()
	}
	waiting.Wait()
	must(t, p.WaitForSubscribers(ctx, count, ""))
	until(t, "all of them sleep", func() bool { return dividere.Sleeping() >= count })
	if n := threads(t); n >= 50 {
		t.Errorf("%d threads", n)
	}
	must(t, p.Send(ctx, reading(0.5)))
	received.Wait()
	for range count {
		must(t, <-errs)
	}
	if n := threads(t); n >= 50 {
		t.Errorf("%d threads afterwards", n)
	}
}

func TestACancelledContextReturnsAtOnceAndLosesNoMessage(t *testing.T) {
	p, s := pair(t, dividere.WithReceiveHighWaterMark(0), dividere.WithSendHighWaterMark(0))
	const count = 2000
	go func() {
		for i := range count {
			if err := p.Send(context.Background(), reading(float64(i))); err != nil {
				t.Error(err)
			}
			if i%20 == 0 {
				time.Sleep(200 * time.Microsecond)
			}
		}
	}()
	cancelled := 0
	for next := 0.0; next < count; {
		ctx, cancel := context.WithCancel(soon(t))
		timer := time.AfterFunc(50*time.Microsecond, cancel)
		m, err := dividere.Recv[*testpb.Reading](ctx, s)
		timer.Stop()
		cancel()
		if err != nil {
			if err != context.Canceled {
				t.Fatalf("%v is not ctx.Err()", err)
			}
			cancelled++
			continue
		}
		if m.GetValue() != next {
			t.Fatalf("got %v, not %v", m.GetValue(), next)
		}
		next++
	}
	if cancelled == 0 {
		t.Fatal("nothing was cancelled: this shows nothing")
	}
}

func TestAContextThatIsOverIsToldWithItsCause(t *testing.T) {
	_, s := pair(t)
	over, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Recv(over); err != context.Canceled {
		t.Fatal(err)
	}
	deadline, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := s.Recv(deadline); err != context.DeadlineExceeded {
		t.Fatal(err)
	}
	reason := errors.New("the user left")
	caused, because := context.WithCancelCause(context.Background())
	time.AfterFunc(time.Millisecond, func() { because(reason) })
	_, err := s.Recv(caused)
	wants(t, err, context.Canceled)
	wants(t, err, reason)
	wants(t, s.Wait(caused), reason)
	wants(t, s.WaitConnected(caused, 2), reason)
}

func TestClosingWakesAllWhoWait(t *testing.T) {
	_, s := pair(t)
	const count = 20
	errs := make(chan error, count)
	before := dividere.Sleeping()
	for range count {
		go func() {
			_, err := s.Recv(context.Background())
			errs <- err
		}()
	}
	until(t, "all of them wait", func() bool { return dividere.Sleeping() >= before+count })
	must(t, s.Close())
	for range count {
		wants(t, <-errs, dividere.ErrClosed)
	}
	must(t, s.Close())
	_, err := s.Recv(context.Background())
	wants(t, err, dividere.ErrClosed)
	_, err = s.Statistics()
	wants(t, err, dividere.ErrClosed)
}

func TestManyGoroutinesReceiveFromOneHandle(t *testing.T) {
	p, s := pair(t, dividere.WithReceiveHighWaterMark(0), dividere.WithSendHighWaterMark(0))
	const count, receivers = 5000, 16
	ctx, cancel := context.WithCancel(soon(t))
	defer cancel()
	var got atomic.Int64
	var all sync.WaitGroup
	for range receivers {
		all.Add(1)
		go func() {
			defer all.Done()
			for {
				if _, err := s.Recv(ctx); err != nil {
					if got.Load() != count {
						t.Error(err)
					}
					return
				}
				if got.Add(1) == count {
					cancel()
				}
			}
		}()
	}
	for i := range count {
		must(t, p.Send(ctx, reading(float64(i))))
	}
	all.Wait()
	if got.Load() != count {
		t.Fatalf("%d of %d came", got.Load(), count)
	}
}

func TestWaitTellsThatThereIsSomething(t *testing.T) {
	p, s := pair(t)
	done := make(chan error, 1)
	go func() { done <- s.Wait(context.Background()) }()
	must(t, p.Send(soon(t), reading(1)))
	must(t, <-done)
	must(t, s.Wait(soon(t)))
	_, err := s.Recv(soon(t))
	must(t, err)
	must(t, s.WaitConnected(soon(t), 0))
	must(t, p.Flush(soon(t)))
}

func TestAReceiverIsWokenWhileOthersUseItsHandle(t *testing.T) {
	p, s := pair(t, dividere.WithReceiveHighWaterMark(0), dividere.WithSendHighWaterMark(0))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var user sync.WaitGroup
	user.Add(1)
	go func() {
		defer user.Done()
		// It takes in what the connections have told the handle, and with that the news of a message.
		for ctx.Err() == nil {
			if err := errors.Join(s.SubscribePrefix([]byte("other")), s.UnsubscribePrefix([]byte("other"))); err != nil {
				t.Error(err)
				return
			}
			// Leaves the scheduler and the lock of the handle to the other.
			time.Sleep(50 * time.Microsecond)
		}
	}()
	const rounds = 2000
	arrived := make(chan error)
	go func() {
		for range rounds {
			_, err := s.Recv(soon(t))
			arrived <- err
		}
	}()
	for i := range rounds {
		must(t, p.Send(soon(t), reading(1)))
		// Nothing but the news of this one wakes the receiver.
		if err := <-arrived; err != nil {
			t.Fatalf("in round %d: %v", i, err)
		}
	}
	cancel()
	user.Wait()
}

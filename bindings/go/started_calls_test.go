package dividere_test

// Many calls to a service at once.

import (
	"context"
	"fmt"
	"testing"

	"example.com/dividere"
	"example.com/dividere/internal/testpb"
)

// held is a service that answers nothing until it is let, and a client of it.
func held(t *testing.T) (c *dividere.ServiceClient, let func()) {
	client, _ := registry(t)
	s := service(t, client, dividere.WithMostWaiting(10_000))
	gate := make(chan struct{})
	must(t, dividere.Handle(s, func(ctx context.Context, q *testpb.Question) (*testpb.Answer, error) {
		select {
		case <-gate:
		case <-ctx.Done():
		}
		return answer(2 * q.GetNumber()), nil
	}))
	c = caller(t, client)
	must(t, c.WaitForService(soon(t)))
	return c, func() { close(gate) }
}

func TestManyCallsToAServiceWaitWithFewThreads(t *testing.T) {
	if !alone(t) {
		return
	}
	const count, cancelled = 1000, 200
	c, let := held(t)
	given, cancel := context.WithCancel(soon(t))
	errs := make(chan error, count)
	for i := range int32(count) {
		ctx := soon(t)
		if i%(count/cancelled) == 0 {
			ctx = given
		}
		go func() {
			got, err := dividere.Call[*testpb.Answer](ctx, c, question(i))
			if err == nil && got.GetNumber() != 2*i {
				err = fmt.Errorf("got %v for %d", got, i)
			}
			errs <- err
		}()
	}
	until(t, "all of them wait", func() bool { return dividere.Sleeping() >= count })
	if n := threads(t); n >= 50 {
		t.Errorf("%d threads", n)
	}
	cancel()
	for range cancelled {
		wants(t, <-errs, context.Canceled)
	}
	let()
	for range count - cancelled {
		must(t, <-errs)
	}
	if n := threads(t); n >= 50 {
		t.Errorf("%d threads afterwards", n)
	}
}

func TestClosingAServiceClientEndsItsCalls(t *testing.T) {
	c, _ := held(t)
	const count = 20
	errs := make(chan error, count)
	before := dividere.Sleeping()
	for range count {
		go func() {
			_, err := dividere.Call[*testpb.Answer](context.Background(), c, question(1))
			errs <- err
		}()
	}
	until(t, "all of them wait", func() bool { return dividere.Sleeping() >= before+count })
	must(t, c.Close())
	for range count {
		wants(t, <-errs, dividere.ErrClosed)
	}
	_, err := dividere.Call[*testpb.Answer](context.Background(), c, question(1))
	wants(t, err, dividere.ErrClosed)
}

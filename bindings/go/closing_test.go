package dividere_test

// Closing, replacing and forgetting what is in use.

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/dividere"
	"example.com/dividere/internal/testpb"
)

// uses are made of handles by many goroutines while these are closed. Each goes on until it fails.
type uses struct {
	t       *testing.T
	running sync.WaitGroup
	ready   sync.WaitGroup
}

// of repeats a use until it says that the handle is closed; any of these other errors may come before.
func (u *uses) of(name string, use func(ctx context.Context) error, may ...error) {
	u.running.Add(1)
	u.ready.Add(1)
	go func() {
		defer u.running.Done()
		ctx := soon(u.t)
		for first := true; ; first = false {
			if first {
				u.ready.Done()
			}
			err := use(ctx)
			if errors.Is(err, dividere.ErrClosed) {
				return
			}
			if err != nil && !isOneOf(err, may) {
				u.t.Errorf("%s: %v", name, err)
				return
			}
		}
	}()
}

func isOneOf(err error, those []error) bool {
	for _, one := range those {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

func TestHandlesAreClosedWhileTheyAreUsed(t *testing.T) {
	for range 20 {
		p, s := pair(t)
		answers, at := response(t, "tcp://127.0.0.1:*")
		asks := request(t, at)
		u := &uses{t: t}
		for range 3 {
			u.of("Send", func(ctx context.Context) error { return p.Send(ctx, reading(1)) })
			u.of("Recv", func(ctx context.Context) error { _, err := s.Recv(ctx); return err })
			u.of("RecvMany", func(ctx context.Context) error {
				_, err := dividere.RecvMany[*testpb.Reading](ctx, s, 10)
				return err
			})
			u.of("Call", func(ctx context.Context) error {
				_, err := asks.Call(ctx, question(1), dividere.WithRetries(1, 10*time.Millisecond))
				return err
			}, dividere.ErrTimeout, dividere.ErrUnreachable, dividere.ErrRemote)
		}
		u.of("RecvMessage and Reply", func(ctx context.Context) error {
			m, err := answers.RecvMessage(ctx)
			if err != nil {
				return err
			}
			defer m.Close()
			return m.Reply(ctx, answer(1))
		}, dividere.ErrUnreachable)
		u.of("Wait", func(ctx context.Context) error { return s.Wait(ctx) })
		u.of("Poll", func(ctx context.Context) error { _, err := dividere.Poll(ctx, s, answers); return err })
		u.of("RecvEvent", func(ctx context.Context) error { _, err := p.RecvEvent(ctx); return err })
		u.of("Statistics", func(context.Context) error { _, err := asks.Statistics(); return err })
		u.of("Flush", func(ctx context.Context) error { return p.Flush(ctx) })
		u.of("Subscribe", func(context.Context) error { return s.Subscribe("acme.v1.Alarm") })
		u.of("Attach", func(context.Context) error { return s.Attach(at) })
		u.ready.Wait()
		var closing sync.WaitGroup
		for _, handle := range []interface{ Close() error }{p, s, asks, answers, p, s, asks, answers} {
			closing.Add(1)
			go func() {
				defer closing.Done()
				must(t, handle.Close())
			}()
		}
		closing.Wait()
		u.running.Wait()
	}
}

func TestHandlersAreReplacedWhileTheyAreCalled(t *testing.T) {
	client, _ := registry(t)
	s := service(t, client)
	c := caller(t, client)
	served, at := response(t, "tcp://127.0.0.1:*")
	asks := request(t, at)
	r := reactor(t)
	replace := func(by int32) {
		must(t, dividere.Handle(s, func(_ context.Context, q *testpb.Question) (*testpb.Answer, error) {
			return answer(q.GetNumber() + by), nil
		}))
		must(t, dividere.On(r, func(from dividere.Source, q *testpb.Question) error {
			return from.Reply(answer(q.GetNumber() + by))
		}))
		must(t, dividere.SetLogger(slog.New(slog.NewTextHandler(io.Discard, nil)), dividere.LevelTrace))
		if by%10 == 0 {
			must(t, r.OnIdle(time.Millisecond, func() {}))
			timer, err := r.Every(time.Millisecond, func() {})
			must(t, err)
			must(t, r.CancelTimer(timer))
		}
	}
	defer func() { must(t, dividere.SetLogger(nil, 0)) }()
	replace(0)
	must(t, r.Add(served))
	must(t, r.Start())
	var over atomic.Bool
	var asking sync.WaitGroup
	for _, with := range []dividere.Caller{c, c, asks, asks} {
		asking.Add(1)
		go func() {
			defer asking.Done()
			for !over.Load() {
				got, err := dividere.Call[*testpb.Answer](soon(t), with, question(1000))
				if err != nil || got.GetNumber() < 1000 {
					t.Errorf("%v, %v", got, err)
					return
				}
			}
		}()
	}
	for by := range int32(2000) {
		replace(by)
	}
	over.Store(true)
	asking.Wait()
}

func TestWhoWaitsKeepsTheHandle(t *testing.T) {
	client, _ := registry(t)
	collecting(t)
	making := map[string]func() func(ctx context.Context) error{
		"Recv": func() func(context.Context) error {
			s, err := dividere.NewSubscriber("inproc://" + t.Name())
			must(t, err)
			return func(ctx context.Context) error { _, err := s.Recv(ctx); return err }
		},
		"All": func() func(context.Context) error {
			s, err := dividere.NewSubscriber("inproc://" + t.Name())
			must(t, err)
			return func(ctx context.Context) (last error) {
				for _, err := range s.All(ctx) {
					last = err
				}
				return last
			}
		},
		"Poll": func() func(context.Context) error {
			s, err := dividere.NewSubscriber("inproc://" + t.Name())
			must(t, err)
			return func(ctx context.Context) error { _, err := dividere.Poll(ctx, s); return err }
		},
		"RecvEvent": func() func(context.Context) error {
			s, err := dividere.NewSubscriber("inproc://" + t.Name())
			must(t, err)
			return func(ctx context.Context) error { _, err := s.RecvEvent(ctx); return err }
		},
		"WaitConnected": func() func(context.Context) error {
			s, err := dividere.NewSubscriber("inproc://" + t.Name())
			must(t, err)
			return func(ctx context.Context) error { return s.WaitConnected(ctx, 2) }
		},
		"WaitForSubscribers": func() func(context.Context) error {
			p, err := dividere.NewPublisher("tcp://127.0.0.1:*")
			must(t, err)
			return func(ctx context.Context) error { return p.WaitForSubscribers(ctx, 2, "") }
		},
		"Call": func() func(context.Context) error {
			q, err := dividere.NewRequest("inproc://" + t.Name())
			must(t, err)
			return func(ctx context.Context) error { _, err := q.Call(ctx, question(1)); return err }
		},
		"Run": func() func(context.Context) error {
			r, err := dividere.NewReactor()
			must(t, err)
			return func(ctx context.Context) error { return r.Run(ctx) }
		},
		"WaitForService": func() func(context.Context) error {
			c, err := dividere.NewServiceClient("nobody", client)
			must(t, err)
			return func(ctx context.Context) error { return c.WaitForService(ctx) }
		},
		"Watch": func() func(context.Context) error {
			w, err := client.Watch(soon(t), "nobody")
			must(t, err)
			_, err = w.Recv(soon(t))
			must(t, err)
			return func(ctx context.Context) error { _, err := w.Recv(ctx); return err }
		},
	}
	for name, make := range making {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			use := make()
			ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			defer cancel()
			wants(t, use(ctx), context.DeadlineExceeded)
		})
	}
}

func TestTheEndOfWhatWorksByItselfIsWaitedFor(t *testing.T) {
	type ending interface {
		WaitEnded(ctx context.Context) error
		Close() error
	}
	proxy, err := dividere.NewProxy(dividere.ProxyPublishSubscribe, "tcp://127.0.0.1:*", "tcp://127.0.0.1:*", "")
	must(t, err)
	closing(t, proxy)
	names, err := dividere.NewRegistryServer("tcp://127.0.0.1:*")
	must(t, err)
	closing(t, names)
	client, _ := registry(t)
	b, _, back := broker(t)
	for name, one := range map[string]ending{
		"proxy": proxy, "registry": names, "broker": b, "worker": worker(t, back), "service": service(t, client),
	} {
		short, end := context.WithTimeout(context.Background(), 20*time.Millisecond)
		if err := one.WaitEnded(short); err != context.DeadlineExceeded {
			t.Fatalf("%s: %v", name, err)
		}
		end()
		ended := make(chan error, 1)
		go func() { ended <- one.WaitEnded(soon(t)) }()
		must(t, one.Close())
		must(t, <-ended)
		must(t, one.WaitEnded(soon(t)))
	}
	var none dividere.Broker
	wants(t, none.WaitEnded(soon(t)), dividere.ErrClosed)
}

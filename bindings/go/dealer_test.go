package dividere_test

import (
	"context"
	"testing"
	"time"

	"example.com/dividere"
	"example.com/dividere/internal/testpb"
)

func dealer(t testing.TB, at string, options ...dividere.Option) *dividere.Dealer {
	t.Helper()
	d, err := dividere.NewDealer(at, options...)
	must(t, err)
	closing(t, d)
	return d
}

func TestDealersSendBothWays(t *testing.T) {
	a := dealer(t, "tcp://127.0.0.1:*")
	at, err := a.LastEndpoint()
	must(t, err)
	b := dealer(t, at)
	must(t, b.Send(soon(t), question(1)))
	must(t, b.SendBytes(soon(t), []byte("two")))
	got, err := dividere.Recv[*testpb.Question](soon(t), a)
	must(t, err)
	must(t, a.Send(soon(t), answer(got.GetNumber())))
	raw, err := a.RecvBytes(soon(t))
	must(t, err)
	if string(raw) != "two" {
		t.Fatalf("%q", raw)
	}
	_, err = dividere.Recv[*testpb.Answer](soon(t), b)
	must(t, err)
}

func TestADealerAnswersWhatCameThroughAProxy(t *testing.T) {
	proxy, err := dividere.NewProxy(dividere.ProxyRequestResponse, "tcp://127.0.0.1:*", "tcp://127.0.0.1:*", "tcp://127.0.0.1:*")
	must(t, err)
	closing(t, proxy)
	front, err := proxy.LastEndpoint(dividere.ProxyFront)
	must(t, err)
	back, err := proxy.LastEndpoint(dividere.ProxyBack)
	must(t, err)
	worker := dealer(t, back)
	r := request(t, front)
	for _, reply := range []func(*dividere.Message) error{
		func(m *dividere.Message) error { return m.Reply(soon(t), answer(5)) },
		func(m *dividere.Message) error {
			route, err := m.Route()
			must(t, err)
			return worker.SendRouted(soon(t), route, answer(5))
		},
	} {
		answered := make(chan error, 1)
		go func() {
			m, err := dividere.Call[*testpb.Answer](soon(t), r, question(1))
			if err == nil && m.GetNumber() != 5 {
				err = dividere.ErrInternal
			}
			answered <- err
		}()
		m, err := worker.RecvMessage(soon(t))
		must(t, err)
		must(t, reply(m))
		must(t, m.Close())
		must(t, <-answered)
	}
	counted, err := proxy.Statistics(dividere.ProxyFront)
	must(t, err)
	if counted.MessagesIn != 2 {
		t.Fatalf("%+v", counted)
	}
	event, err := proxy.RecvEvent(soon(t), dividere.ProxyFront)
	must(t, err)
	if event.Kind != dividere.EventListening {
		t.Fatalf("%+v", event)
	}
	must(t, proxy.Close())
	_, err = proxy.Statistics(dividere.ProxyFront)
	wants(t, err, dividere.ErrClosed)
}

func TestADealerAsksAResponse(t *testing.T) {
	served, at := response(t, "tcp://127.0.0.1:*")
	serve(t, served)
	d := dealer(t, at)
	must(t, d.SendWithEmptyFrame(soon(t), question(21)))
	got, err := dividere.Recv[*testpb.Answer](soon(t), d)
	must(t, err)
	if got.GetNumber() != 42 {
		t.Fatal(got)
	}
}

func TestADealerSendsBytesInEveryForm(t *testing.T) {
	served, at := response(t, "tcp://127.0.0.1:*")
	d := dealer(t, at)
	must(t, d.SendBytesWithEmptyFrame(soon(t), []byte("what?")))
	asked, err := served.RecvBytes(soon(t))
	must(t, err)
	must(t, served.SendBytes(soon(t), []byte("that")))
	told, err := d.RecvBytes(soon(t))
	must(t, err)
	if string(asked) != "what?" || string(told) != "that" {
		t.Fatalf("%q, %q", asked, told)
	}

	proxy, err := dividere.NewProxy(dividere.ProxyRequestResponse, "tcp://127.0.0.1:*", "tcp://127.0.0.1:*", "")
	must(t, err)
	closing(t, proxy)
	front, err := proxy.LastEndpoint(dividere.ProxyFront)
	must(t, err)
	back, err := proxy.LastEndpoint(dividere.ProxyBack)
	must(t, err)
	behind := dealer(t, back)
	r := request(t, front)
	must(t, r.SendBytes(soon(t), []byte("and now?")))
	m, err := behind.RecvRaw(soon(t))
	must(t, err)
	route, err := m.Route()
	must(t, err)
	if len(route) == 0 || string(m.Payload()) != "and now?" {
		t.Fatalf("%q behind %d frames", m.Payload(), len(route))
	}
	must(t, behind.SendBytesRouted(soon(t), route, []byte("nothing")))
	told, err = r.RecvBytes(soon(t))
	must(t, err)
	if string(told) != "nothing" {
		t.Fatalf("%q", told)
	}
	must(t, m.Close())
}

func TestPollTellsWhichHandlesHaveSomething(t *testing.T) {
	a, b := dealer(t, "tcp://127.0.0.1:*"), dealer(t, "tcp://127.0.0.1:*")
	atB, err := b.LastEndpoint()
	must(t, err)
	sender := dealer(t, atB)
	ready := make(chan []int, 1)
	go func() {
		which, err := dividere.Poll(soon(t), a, b)
		if err != nil {
			t.Error(err)
		}
		ready <- which
	}()
	until(t, "it waits", func() bool { return dividere.Sleeping() >= 2 })
	must(t, sender.SendBytes(soon(t), []byte("x")))
	if which := <-ready; len(which) != 1 || which[0] != 1 {
		t.Fatal(which)
	}
	short, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err = dividere.Poll(short, a)
	wants(t, err, context.DeadlineExceeded)
	closed := make(chan error, 1)
	go func() {
		_, err := dividere.Poll(context.Background(), a)
		closed <- err
	}()
	must(t, a.Close())
	wants(t, <-closed, dividere.ErrClosed)
}

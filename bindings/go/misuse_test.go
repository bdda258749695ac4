package dividere_test

// What is used as it is not meant to be: an error that says so, and never a fault.

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"example.com/dividere"
	"example.com/dividere/internal/testpb"
	"google.golang.org/protobuf/proto"
)

func TestAMessageThatIsNilIsRefused(t *testing.T) {
	ctx := soon(t)
	p, s := pair(t)
	var none *testpb.Reading
	d, err := dividere.NewDealer("@inproc://" + t.Name())
	must(t, err)
	closing(t, d)
	for _, m := range []proto.Message{nil, none} {
		_, fromMany := dividere.SendMany(ctx, p, []proto.Message{m})
		_, fromCall := dividere.Call[*testpb.Answer](ctx, request(t, "inproc://"+t.Name()), m)
		_, fromEnvelope := dividere.EncodeEnvelope(m)
		for i, err := range []error{
			p.Send(ctx, m), d.SendWithEmptyFrame(ctx, m), d.SendRouted(ctx, nil, m), s.RecvInto(ctx, m),
			fromMany, fromCall, fromEnvelope,
		} {
			if err == nil || !strings.Contains(err.Error(), "the message is nil") {
				t.Errorf("%d: %v", i, err)
			}
		}
	}
	_, err = dividere.NewSubscriber("inproc://"+t.Name(), dividere.WithTypes(nil))
	wants(t, err, dividere.ErrInvalidArgument)
	// RecvInto took nothing.
	must(t, p.Send(ctx, reading(2)))
	wants(t, s.RecvInto(ctx, nil), dividere.ErrInvalidArgument)
	m, err := s.RecvMessage(ctx)
	must(t, err)
	wants(t, m.UnmarshalInto(none), dividere.ErrInvalidArgument)
	must(t, m.UnmarshalInto(&testpb.Reading{}))
	must(t, m.Close())
}

func TestAHandlerWithoutAReplyHasFailed(t *testing.T) {
	client, _ := registry(t)
	s := service(t, client)
	must(t, dividere.Handle(s, func(context.Context, *testpb.Alarm) (*testpb.Answer, error) { return nil, nil }))
	_, err := dividere.Call[*testpb.Answer](soon(t), caller(t, client), &testpb.Alarm{})
	wants(t, err, dividere.ErrRemote)
	if !strings.Contains(err.Error(), "the handler gave no reply") {
		t.Fatal(err)
	}
}

func TestAHandlerThatIsNilIsNone(t *testing.T) {
	client, _ := registry(t)
	s := service(t, client)
	c := caller(t, client)
	must(t, dividere.Handle(s, func(context.Context, *testpb.Alarm) (*testpb.Answer, error) { return answer(1), nil }))
	_, err := c.Call(soon(t), &testpb.Alarm{})
	must(t, err)
	must(t, dividere.Handle[*testpb.Alarm, *testpb.Answer](s, nil))
	_, err = c.Call(soon(t), &testpb.Alarm{})
	wants(t, err, dividere.ErrUnsupported)

	p, source := pair(t)
	r := reactor(t)
	wrong := make(chan error, 1)
	r.OnError(func(_ dividere.Source, err error) { wrong <- err })
	must(t, dividere.On(r, func(dividere.Source, *testpb.Alarm) error { return nil }))
	must(t, dividere.On[*testpb.Alarm](r, nil))
	must(t, r.Add(source))
	must(t, r.Start())
	must(t, p.Send(soon(t), &testpb.Alarm{}))
	wants(t, <-wrong, dividere.ErrNotFound)
	wants(t, r.Post(nil), dividere.ErrInvalidArgument)

	_, _, back := broker(t)
	wants(t, dividere.Serve[*testpb.Alarm, *testpb.Answer](worker(t, back), nil), dividere.ErrInvalidArgument)
}

func TestAPanicOfAHandlerIsLoggedWithItsPlace(t *testing.T) {
	var told bytes.Buffer
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.NewTextHandler(&told, nil)))
	client, _ := registry(t)
	s := service(t, client)
	must(t, dividere.Handle(s, func(context.Context, *testpb.Alarm) (*testpb.Answer, error) { panic(errors.New("no more")) }))
	_, err := dividere.Call[*testpb.Answer](soon(t), caller(t, client), &testpb.Alarm{})
	wants(t, err, dividere.ErrRemote)
	if !strings.Contains(err.Error(), "panic: no more") || strings.Contains(err.Error(), "misuse_test.go") {
		t.Fatalf("%v is not what the asker is to be told", err)
	}
	must(t, s.Close())
	if !strings.Contains(told.String(), "no more") || !strings.Contains(told.String(), "misuse_test.go") {
		t.Fatalf("%q does not tell where it came from", told.String())
	}
}

func TestATextWithANULIsRefused(t *testing.T) {
	ctx := soon(t)
	const text = "inproc://none\x00 here"
	s := subscriber(t, "inproc://"+t.Name())
	client, _ := registry(t)
	_, fromRole := dividere.NewPublisher(text)
	_, fromProxy := dividere.NewProxy(dividere.ProxyPublishSubscribe, "inproc://front"+t.Name(), "inproc://back"+t.Name(), text)
	_, fromBroker := dividere.NewBroker("inproc://front"+t.Name(), text)
	_, fromOption := dividere.NewPublisher("inproc://other"+t.Name(), dividere.WithThreadNamePrefix(text))
	_, fromTypes := dividere.NewSubscriber("inproc://"+t.Name(), dividere.WithTypeNames(text))
	_, fromEndpoint := dividere.NewService("double", client, dividere.WithServiceEndpoint(text))
	_, fromName := dividere.NewService("double\x00", client)
	_, fromRegister := client.Register(ctx, text, 1, nil)
	_, fromLookup := client.Lookup(ctx, text)
	_, fromKey := dividere.PublicKey(text)
	for i, err := range []error{
		fromRole, fromProxy, fromBroker, fromOption, fromTypes, fromEndpoint, fromName, fromRegister, fromLookup, fromKey,
		s.Attach(text), s.Detach(text), s.Subscribe(text), s.Unsubscribe(text),
	} {
		if !errors.Is(err, dividere.ErrInvalidArgument) || !strings.Contains(err.Error(), "NUL") {
			t.Errorf("%d: %v", i, err)
		}
	}
	wants(t, s.Subscribe(""), dividere.ErrInvalidArgument)
}

func TestTimesThatAreNoneAreRefused(t *testing.T) {
	for _, option := range []dividere.Option{
		dividere.WithLinger(-1), dividere.WithLinger(math.MaxInt64), dividere.WithConnectTimeout(-time.Microsecond),
		dividere.WithTCPKeepalive(-1, 0, 0), dividere.WithTCPKeepalive(math.MaxInt64, 0, 0),
	} {
		p, err := dividere.NewPublisher("inproc://"+t.Name(), option)
		if err == nil {
			must(t, p.Close())
		}
		wants(t, err, dividere.ErrInvalidArgument)
	}
	// What is above 0 stays above it.
	p, err := dividere.NewPublisher("inproc://"+t.Name(), nil, dividere.WithOptions(nil, dividere.WithConnectTimeout(1)))
	must(t, err)
	must(t, p.Close())
}

func TestADeadlineInTheFarFutureIsFarAway(t *testing.T) {
	ctx, cancel := context.WithDeadline(context.Background(), time.Unix(1<<40, 0))
	defer cancel()
	p, s := pair(t)
	must(t, p.Send(ctx, reading(1)))
	_, err := s.Recv(ctx)
	must(t, err)
	r, err := dividere.NewResponse("tcp://127.0.0.1:*")
	must(t, err)
	closing(t, r)
	serve(t, r)
	at, err := r.LastEndpoint()
	must(t, err)
	_, err = request(t, at).Call(ctx, question(1))
	must(t, err)
	client, _ := registry(t)
	_ = service(t, client)
	_, err = caller(t, client).Call(ctx, question(1))
	must(t, err)
	must(t, dividere.Shutdown(ctx))
}

func TestTheZeroValueOfARegistrationSaysSo(t *testing.T) {
	var none dividere.Registration
	wants(t, none.Unregister(soon(t)), dividere.ErrClosed)
}

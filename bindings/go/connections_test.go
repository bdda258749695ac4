package dividere_test

import (
	"context"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"

	"example.com/dividere"
	"example.com/dividere/internal/testpb"
	"google.golang.org/protobuf/proto"
)

func garbage() { runtime.GC() }

func onCollected(held *[64]byte, collected chan struct{}) {
	runtime.SetFinalizer(held, func(*[64]byte) { close(collected) })
}

func TestEventsTellOfConnections(t *testing.T) {
	p, at := publisher(t, "tcp://127.0.0.1:*")
	seen := make(chan dividere.EventKind, 100)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for event, err := range p.Events(context.Background()) {
			if err != nil {
				t.Error(err)
			}
			if !strings.HasPrefix(event.Endpoint, "tcp://127.0.0.1:") {
				t.Errorf("%+v", event)
			}
			seen <- event.Kind
		}
	}()
	wait := func(kind dividere.EventKind) {
		t.Helper()
		for got := range seen {
			if got == kind {
				return
			}
		}
	}
	wait(dividere.EventListening)
	s := subscriber(t, at)
	wait(dividere.EventConnected)
	must(t, s.Close())
	wait(dividere.EventDisconnected)
	must(t, p.Close())
	<-ended
	_, err := p.RecvEvent(soon(t))
	wants(t, err, dividere.ErrClosed)
}

func TestASubscriberComesBackToItsPublisher(t *testing.T) {
	p, at := publisher(t, "tcp://127.0.0.1:*")
	s := subscriber(t, at)
	must(t, p.WaitForSubscribers(soon(t), 1, ""))
	must(t, p.Close())
	again, _ := publisher(t, at)
	must(t, again.WaitForSubscribers(soon(t), 1, ""))
	must(t, again.Send(soon(t), reading(3)))
	_, err := s.Recv(soon(t))
	must(t, err)
	counted, err := s.Statistics()
	must(t, err)
	if counted.Reconnects != 1 {
		t.Fatalf("%+v", counted)
	}
}

func TestKeysLetInAndKeepOut(t *testing.T) {
	server, err := dividere.NewKeyPair()
	must(t, err)
	friend, err := dividere.NewKeyPair()
	must(t, err)
	stranger, err := dividere.NewKeyPair()
	must(t, err)
	if public, err := dividere.PublicKey(friend.Secret); err != nil || public != friend.Public {
		t.Fatal(public, err)
	}
	_, err = dividere.PublicKey("short")
	wants(t, err, dividere.ErrInvalidArgument)
	p, at := publisher(t, "tcp://127.0.0.1:*", dividere.WithCurveServer(server.Secret), dividere.WithCurveAllow(friend.Public))
	in := subscriber(t, at, dividere.WithCurveClient(server.Public, friend.Secret))
	must(t, p.WaitForSubscribers(soon(t), 1, ""))
	must(t, p.Send(soon(t), reading(1)))
	_, err = in.Recv(soon(t))
	must(t, err)
	out := subscriber(t, at, dividere.WithCurveClient(server.Public, stranger.Secret))
	wants(t, out.WaitConnected(soon(t), 0), dividere.ErrPermission)
}

func TestEndpointsComeAndGo(t *testing.T) {
	p, at := publisher(t, "tcp://127.0.0.1:*")
	_, other := publisher(t, "tcp://127.0.0.1:*")
	s := subscriber(t, at)
	must(t, s.Attach(other))
	must(t, s.WaitConnected(soon(t), 2))
	all, err := s.Endpoints()
	must(t, err)
	if len(all) != 2 {
		t.Fatal(all)
	}
	must(t, s.Detach(other))
	wants(t, s.Detach(other), dividere.ErrNotFound)
	must(t, p.WaitForSubscribers(soon(t), 1, ""))
	must(t, p.Close())
	// Its address is free at once.
	_, _ = publisher(t, at)
}

func TestTheLogGoesToSlog(t *testing.T) {
	var mu sync.Mutex
	var lines strings.Builder
	logger := slog.New(slog.NewTextHandler(writer(func(line []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return lines.Write(line)
	}), &slog.HandlerOptions{Level: dividere.LevelTrace}))
	must(t, dividere.SetLogger(logger, dividere.LevelTrace))
	_, at := publisher(t, "tcp://127.0.0.1:*")
	subscriber(t, at)
	until(t, "something is logged", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(lines.String(), "level=INFO") && strings.Contains(lines.String(), "target=")
	})
	must(t, dividere.SetLogger(nil, 0))
}

type writer func([]byte) (int, error)

func (w writer) Write(line []byte) (int, error) { return w(line) }

func TestEnvelopesByThemselves(t *testing.T) {
	for _, m := range []proto.Message{reading(0.5), &testpb.Ack{}, &testpb.Reading_Unit{Name: proto.String("K")}} {
		encoded, err := dividere.EncodeEnvelope(m)
		must(t, err)
		name, payload, err := dividere.DecodeEnvelope(encoded)
		must(t, err)
		again := m.ProtoReflect().New().Interface()
		must(t, proto.Unmarshal(payload, again))
		if name != m.ProtoReflect().Descriptor().FullName() || !proto.Equal(m, again) {
			t.Fatal(name, again)
		}
	}
	_, _, err := dividere.DecodeEnvelope([]byte("nonsense"))
	wants(t, err, dividere.ErrDecode)
}

func TestALoggerIsHandedWhatIsAsImportantAsItsLevel(t *testing.T) {
	for level, want := range map[slog.Level]slog.Level{
		slog.LevelError: slog.LevelError, slog.LevelWarn + 1: slog.LevelError,
		slog.LevelWarn: slog.LevelWarn, slog.LevelInfo + 1: slog.LevelWarn,
		slog.LevelInfo: slog.LevelInfo, slog.LevelDebug + 1: slog.LevelInfo,
		slog.LevelDebug: slog.LevelDebug, dividere.LevelTrace + 1: slog.LevelDebug,
		dividere.LevelTrace: dividere.LevelTrace, dividere.LevelTrace - 10: dividere.LevelTrace,
	} {
		if got, err := dividere.LeastLine(level); err != nil || got != want {
			t.Errorf("%v: got %v and %v, not %v", level, got, err, want)
		}
	}
}

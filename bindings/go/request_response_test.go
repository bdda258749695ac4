package dividere_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/dividere"
	"example.com/dividere/internal/testpb"
	"google.golang.org/protobuf/proto"
)

func response(t testing.TB, at string, options ...dividere.Option) (*dividere.Response, string) {
	t.Helper()
	r, err := dividere.NewResponse(at, options...)
	must(t, err)
	closing(t, r)
	endpoint, err := r.LastEndpoint()
	must(t, err)
	return r, endpoint
}

func request(t testing.TB, at string, options ...dividere.Option) *dividere.Request {
	t.Helper()
	r, err := dividere.NewRequest(at, options...)
	must(t, err)
	closing(t, r)
	return r
}

func question(number int32) *testpb.Question { return &testpb.Question{Number: proto.Int32(number)} }
func answer(number int32) *testpb.Answer     { return &testpb.Answer{Number: proto.Int32(number)} }

// serve answers with the double of each number, in a goroutine, until the response is closed.
func serve(t testing.TB, r *dividere.Response) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			asked, err := dividere.Recv[*testpb.Question](context.Background(), r)
			if errors.Is(err, dividere.ErrClosed) {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			if err := r.Send(context.Background(), answer(2*asked.GetNumber())); err != nil && !errors.Is(err, dividere.ErrUnreachable) {
				t.Error(err)
				return
			}
		}
	}()
	t.Cleanup(func() {
		r.Close()
		<-ended
	})
}

func TestQuestionsHaveTheirAnswersFromManyGoroutines(t *testing.T) {
	served, at := response(t, "tcp://127.0.0.1:*")
	serve(t, served)
	r := request(t, at)
	var all sync.WaitGroup
	for i := range int32(50) {
		all.Add(1)
		go func() {
			defer all.Done()
			for j := range int32(20) {
				got, err := dividere.Call[*testpb.Answer](soon(t), r, question(100*i+j))
				if err != nil {
					t.Error(err)
				} else if got.GetNumber() != 2*(100*i+j) {
					t.Errorf("got %v", got)
				}
			}
		}()
	}
	all.Wait()
	m, err := r.Call(soon(t), question(4))
	must(t, err)
	if m.(*testpb.Answer).GetNumber() != 8 {
		t.Fatal(m)
	}
}

func TestSendAndReceiveInTurn(t *testing.T) {
	served, at := response(t, "tcp://127.0.0.1:*")
	r := request(t, at)
	_, err := r.Recv(soon(t))
	wants(t, err, dividere.ErrState)
	wants(t, served.Send(soon(t), answer(1)), dividere.ErrState)
	must(t, r.Send(soon(t), question(1)))
	wants(t, r.Send(soon(t), question(2)), dividere.ErrState)
	short, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err = r.Recv(short)
	wants(t, err, context.DeadlineExceeded)
	_, err = dividere.Recv[*testpb.Question](soon(t), served)
	must(t, err)
	_, err = served.Recv(soon(t))
	wants(t, err, dividere.ErrState)
	must(t, served.Send(soon(t), answer(2)))
	// The wait that was cancelled did not give the request up.
	got, err := dividere.Recv[*testpb.Answer](soon(t), r)
	must(t, err)
	if got.GetNumber() != 2 {
		t.Fatal(got)
	}
	must(t, r.SendBytes(soon(t), []byte("bytes")))
	raw, err := served.RecvBytes(soon(t))
	must(t, err)
	must(t, served.SendBytes(soon(t), append(raw, '!')))
	raw, err = r.RecvBytes(soon(t))
	must(t, err)
	if string(raw) != "bytes!" {
		t.Fatalf("%q", raw)
	}
}

func TestErrorsTravel(t *testing.T) {
	served, at := response(t, "tcp://127.0.0.1:*")
	r := request(t, at)
	go func() {
		_, err := served.Recv(context.Background())
		if err == nil {
			err = served.SendError(context.Background(), dividere.StatusBusy, "come back later")
		}
		if err != nil {
			t.Error(err)
		}
		// Not answered at all, and let go of.
		m := took(t, served)
		if m == nil {
			return
		}
		if m.TypeName() != "acme.v1.Question" || !m.CanReply() {
			t.Errorf("%v", m.TypeName())
		}
		if err := m.ReplyError(context.Background(), dividere.StatusRemote, "it broke"); err != nil {
			t.Error(err)
		}
		wants(t, m.Reply(context.Background(), answer(1)), dividere.ErrState)
		m.Close()
	}()
	_, err := r.Call(soon(t), question(1))
	wants(t, err, dividere.ErrBusy)
	var e *dividere.Error
	if !errors.As(err, &e) || !strings.HasSuffix(e.Text, "come back later") {
		t.Fatal(err)
	}
	_, err = r.Call(soon(t), question(1))
	wants(t, err, dividere.ErrRemote)
}

func TestARequestThatIsLetGoOfIsAnsweredWithAnError(t *testing.T) {
	served, at := response(t, "tcp://127.0.0.1:*")
	r := request(t, at)
	go func() {
		m := took(t, served)
		if m == nil {
			return
		}
		m.Close()
		served.Close()
	}()
	_, err := r.Call(soon(t), question(1))
	var e *dividere.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
}

func TestALaterReplyFromAnotherGoroutine(t *testing.T) {
	served, at := response(t, "tcp://127.0.0.1:*")
	r := request(t, at)
	go func() {
		m := took(t, served)
		if m == nil {
			return
		}
		other, err := m.Clone()
		if err != nil {
			t.Error(err)
			return
		}
		m.Close()
		go func() {
			defer other.Close()
			asked := &testpb.Question{}
			if err := other.UnmarshalInto(asked); err != nil {
				t.Error(err)
			}
			if err := other.Reply(context.Background(), answer(asked.GetNumber()+1)); err != nil {
				t.Error(err)
			}
		}()
	}()
	got, err := dividere.Call[*testpb.Answer](soon(t), r, question(6))
	must(t, err)
	if got.GetNumber() != 7 {
		t.Fatal(got)
	}
}

func TestACallThatIsCancelledIsGivenUp(t *testing.T) {
	served, at := response(t, "tcp://127.0.0.1:*")
	r := request(t, at)
	must(t, r.WaitConnected(soon(t), 0))
	ctx, cancel := context.WithCancel(context.Background())
	failed := make(chan error)
	go func() {
		_, err := r.Call(ctx, question(1))
		failed <- err
	}()
	m, err := served.RecvMessage(soon(t))
	must(t, err)
	cancel()
	wants(t, <-failed, context.Canceled)
	must(t, m.Reply(soon(t), answer(1)))
	serve(t, served)
	got, err := dividere.Call[*testpb.Answer](soon(t), r, question(2))
	must(t, err)
	if got.GetNumber() != 4 {
		t.Fatal(got)
	}
	counted, err := r.Statistics()
	must(t, err)
	if counted.DroppedStale != 1 {
		t.Fatalf("%+v", counted)
	}
}

func TestACallIsRepeatedAtTheNextEndpoint(t *testing.T) {
	silent, at1 := response(t, "tcp://127.0.0.1:*")
	served, at2 := response(t, "tcp://127.0.0.1:*")
	serve(t, served)
	r := request(t, at1+","+at2)
	must(t, r.WaitConnected(soon(t), 2))
	for range 2 {
		got, err := dividere.Call[*testpb.Answer](soon(t), r, question(3), dividere.WithRetries(20, 200*time.Millisecond))
		must(t, err)
		if got.GetNumber() != 6 {
			t.Fatal(got)
		}
	}
	alone := request(t, at1)
	_, err := alone.Call(soon(t), question(3), dividere.WithRetries(1, 20*time.Millisecond))
	wants(t, err, dividere.ErrTimeout)
	if errors.Is(err, context.DeadlineExceeded) {
		t.Fatal("the context is not over")
	}
	must(t, silent.Close())
}

func TestACallWaitsForAConnectionAsLongAsItsContext(t *testing.T) {
	r := request(t, "tcp://127.0.0.1:1")
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := r.Call(ctx, question(1))
	wants(t, err, context.DeadlineExceeded)
	hasty := request(t, "tcp://127.0.0.1:1", dividere.WithSendTimeout(20*time.Millisecond))
	wants(t, hasty.Send(soon(t), question(1)), dividere.ErrTimeout)
}

func TestClosingWakesCalls(t *testing.T) {
	served, at := response(t, "tcp://127.0.0.1:*")
	r := request(t, at)
	failed := make(chan error)
	go func() {
		_, err := r.Call(context.Background(), question(1))
		failed <- err
	}()
	_, err := served.Recv(soon(t))
	must(t, err)
	must(t, r.Close())
	wants(t, <-failed, dividere.ErrClosed)
}

func TestACallComesBackAfterItsServerDid(t *testing.T) {
	served, at := response(t, "tcp://127.0.0.1:*")
	serve(t, served)
	r := request(t, at)
	_, err := r.Call(soon(t), question(1))
	must(t, err)
	must(t, served.Close())
	again, _ := response(t, "@"+at)
	serve(t, again)
	got, err := dividere.Call[*testpb.Answer](soon(t), r, question(2), dividere.WithRetries(50, 500*time.Millisecond))
	must(t, err)
	if got.GetNumber() != 4 {
		t.Fatal(got)
	}
}

func TestCallsBesideAReceiveInTurn(t *testing.T) {
	// A dealer answers in any order.
	served := dealer(t, "tcp://127.0.0.1:*")
	at, err := served.LastEndpoint()
	must(t, err)
	r := request(t, at)
	// Its reply comes last, and its receiver is the one who sleeps at the descriptor.
	must(t, r.Send(soon(t), question(1)))
	first, err := served.RecvMessage(soon(t))
	must(t, err)
	before := dividere.Sleeping()
	received := make(chan error, 1)
	go func() {
		_, err := dividere.Recv[*testpb.Answer](soon(t), r)
		received <- err
	}()
	until(t, "it sleeps", func() bool { return dividere.Sleeping() > before })
	go func() {
		m, err := served.RecvMessage(soon(t))
		if err == nil {
			err = m.Reply(soon(t), answer(2))
		}
		if err != nil {
			t.Error(err)
		}
	}()
	_, err = r.Call(soon(t), question(2))
	must(t, err)
	must(t, first.Reply(soon(t), answer(1)))
	must(t, <-received)
}

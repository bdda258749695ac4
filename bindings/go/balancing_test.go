package dividere_test

import (
	"context"
	"errors"
	"testing"

	"example.com/dividere"
	"example.com/dividere/internal/testpb"
	"google.golang.org/protobuf/proto"
)

// broker is one, with its endpoints.
func broker(t testing.TB, options ...dividere.Option) (b *dividere.Broker, front, back string) {
	t.Helper()
	b, err := dividere.NewBroker("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", options...)
	must(t, err)
	closing(t, b)
	front, err = b.FrontEndpoint()
	must(t, err)
	back, err = b.BackEndpoint()
	must(t, err)
	return b, front, back
}

func worker(t testing.TB, back string, options ...dividere.Option) *dividere.Worker {
	t.Helper()
	w, err := dividere.NewWorker(back, options...)
	must(t, err)
	closing(t, w)
	return w
}

func TestABrokerHandsRequestsToWorkers(t *testing.T) {
	b, front, back := broker(t)
	q := request(t, front)
	first, second := worker(t, back), worker(t, back)
	serve := func(w *dividere.Worker) {
		must(t, dividere.Serve(w, func(_ context.Context, q *testpb.Question) (*testpb.Answer, error) {
			if q.GetNumber() < 0 {
				return nil, errors.New("no negative numbers")
			}
			return answer(2 * q.GetNumber()), nil
		}))
	}
	serve(first)
	serve(second)
	must(t, b.WaitForWorkers(soon(t), 2))
	for _, recv := range []func(context.Context) (dividere.Event, error){b.RecvFrontEvent, b.RecvBackEvent} {
		event, err := recv(soon(t))
		must(t, err)
		if event.Kind != dividere.EventListening {
			t.Fatalf("got %+v", event)
		}
	}
	for i := range int32(50) {
		got, err := q.Call(soon(t), question(i))
		must(t, err)
		if !proto.Equal(got, answer(2*i)) {
			t.Fatalf("got %v for %d", got, i)
		}
	}
	_, err := q.Call(soon(t), question(-1))
	wants(t, err, dividere.ErrRemote)
	_, err = q.Call(soon(t), reading(1))
	wants(t, err, dividere.ErrType)
	counts, err := b.Statistics()
	must(t, err)
	if counts.Workers != 2 || counts.Served != 52 {
		t.Fatalf("got %+v", counts)
	}
	wants(t, dividere.Serve(first, func(_ context.Context, q *testpb.Question) (*testpb.Answer, error) { return nil, nil }),
		dividere.ErrState)
	must(t, first.Stop(soon(t)))
	until(t, "one has left", func() bool {
		counts, err := b.Statistics()
		must(t, err)
		return counts.Workers == 1
	})
	_, err = q.Call(soon(t), question(1))
	must(t, err)
}

func TestAWorkerReceivesJobsOfBytes(t *testing.T) {
	_, front, back := broker(t)
	w := worker(t, back)
	q := request(t, front)
	answered := make(chan string, 1)
	go func() {
		reply, err := q.CallBytes(soon(t), []byte("no envelope"))
		if err != nil {
			t.Error(err)
		}
		answered <- string(reply)
	}()
	job, err := w.RecvRaw(soon(t))
	must(t, err)
	must(t, job.ReplyBytes(soon(t), append([]byte("this is "), job.Payload()...)))
	must(t, job.Close())
	if reply := <-answered; reply != "this is no envelope" {
		t.Fatalf("%q", reply)
	}
}

func TestAWorkerReceivesJobsAndAnswersThemLater(t *testing.T) {
	_, front, back := broker(t)
	w := worker(t, back, dividere.WithCapacity(2))
	q := request(t, front)
	asked := make(chan error, 2)
	for i := range int32(2) {
		go func() {
			got, err := q.Call(soon(t), question(i))
			if i == 0 && (err != nil || !proto.Equal(got, answer(10))) {
				t.Errorf("got %v and %v", got, err)
			}
			asked <- err
		}()
	}
	var jobs []*dividere.Message
	for range 2 {
		job, err := w.RecvMessage(soon(t))
		must(t, err)
		jobs = append(jobs, job)
	}
	for _, job := range jobs {
		var asked testpb.Question
		must(t, job.UnmarshalInto(&asked))
		if asked.GetNumber() == 0 {
			must(t, job.Reply(soon(t), answer(10)))
		} else {
			must(t, job.ReplyError(soon(t), dividere.StatusPermission, "not for you"))
		}
		wants(t, job.Reply(soon(t), answer(10)), dividere.ErrState)
	}
	outcomes := errors.Join(<-asked, <-asked)
	wants(t, outcomes, dividere.ErrPermission)
	ctx, cancel := context.WithCancel(soon(t))
	go cancel()
	_, err := w.RecvMessage(ctx)
	wants(t, err, context.Canceled)
}

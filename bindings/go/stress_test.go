package dividere_test

// Nobody sleeps while there is something for them: many short runs with tiny queues, pauses, cancellations and several
// receivers, one at a time and in batches.

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/dividere"
	"example.com/dividere/internal/testpb"
)

// stress is one run.
type stress struct {
	seed               int64
	endpoint           string
	dealers            bool
	sendMark, recvMark int
	processors         int
	senders, receivers int
	count              int
	cancels            bool
}

func stressOf(t *testing.T, seed int64) stress {
	random := rand.New(rand.NewSource(seed))
	marks := []int{1, 2, 3, 10, 100, 1000}
	endpoints := []string{
		"tcp://127.0.0.1:*", "tcp://127.0.0.1:*",
		fmt.Sprintf("ipc://%s/%d", t.TempDir(), seed), fmt.Sprintf("inproc://%s-%d", t.Name(), seed),
	}
	run := stress{
		seed: seed, endpoint: endpoints[random.Intn(len(endpoints))], dealers: random.Intn(2) == 0,
		sendMark: marks[random.Intn(len(marks))], recvMark: marks[random.Intn(len(marks))],
		processors: 1 + random.Intn(2), senders: 1 + random.Intn(2), receivers: 1 + random.Intn(3),
		cancels: random.Intn(2) == 0,
	}
	// So that runs with queues of one message take no longer than others.
	run.count = 20 + random.Intn(min(3000, 100*min(run.sendMark, run.recvMark)))
	return run
}

// pauses now and then, for a time that meets the others in all of what they do.
func pauses(random *rand.Rand) {
	switch random.Intn(200) {
	case 0:
		time.Sleep(time.Duration(random.Intn(2000)) * time.Microsecond)
	case 1, 2, 3:
		for range random.Intn(20) {
			runtime.Gosched()
		}
	}
}

// sends makes one sender's share: values that begin with from.
func (run stress) sends(ctx context.Context, to dividere.Sender, random *rand.Rand, from int) error {
	for sent := 0; sent < run.count; {
		pauses(random)
		some := make([]*testpb.Reading, min(1+random.Intn(60), run.count-sent))
		for i := range some {
			some[i] = reading(float64(from + sent + i))
		}
		many, err := dividere.SendMany(ctx, to, some)
		if err != nil {
			return fmt.Errorf("sending message %d: %w", sent+many, err)
		}
		sent += many
	}
	return nil
}

// receives takes messages until all have come; all but the first receiver only some, so that what they leave behind is
// for those who sleep.
func (run stress) receives(ctx context.Context, number int, from dividere.Receiver, random *rand.Rand,
	got func(*testpb.Reading),
) error {
	share := run.senders * run.count
	if number > 0 {
		share = 1 + random.Intn(share)
	}
	for taken := 0; ctx.Err() == nil && taken < share; {
		pauses(random)
		waits, cancel := ctx, context.CancelFunc(func() {})
		if run.cancels && random.Intn(3) == 0 {
			waits, cancel = context.WithTimeout(ctx, time.Duration(random.Intn(1500))*time.Microsecond)
		}
		var some []*testpb.Reading
		var err error
		if random.Intn(2) == 0 {
			some, err = dividere.RecvMany[*testpb.Reading](waits, from, 1+random.Intn(60))
		} else {
			var one *testpb.Reading
			if one, err = dividere.Recv[*testpb.Reading](waits, from); err == nil {
				some = append(some, one)
			}
		}
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("receiving: %w", err)
		}
		for _, one := range some {
			got(one)
		}
		taken += len(some)
	}
	return nil
}

func (run stress) run(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(run.processors))
	options := dividere.WithOptions(dividere.WithFullQueue(dividere.FullQueueBlock), dividere.WithSendTimeout(-1),
		dividere.WithSendHighWaterMark(run.sendMark), dividere.WithReceiveHighWaterMark(run.recvMark),
		// They would wake who was forgotten.
		dividere.WithHeartbeatInterval(0))
	type counted interface {
		Statistics() (dividere.Statistics, error)
		Close() error
	}
	var to interface {
		dividere.Sender
		counted
	}
	var from interface {
		dividere.Receiver
		counted
	}
	if run.dealers {
		bound, err := dividere.NewDealer("@"+run.endpoint, options)
		must(t, err)
		at, err := bound.LastEndpoint()
		must(t, err)
		from = bound
		to, err = dividere.NewDealer(">"+at, options)
		must(t, err)
	} else {
		p, err := dividere.NewPublisher(run.endpoint, options)
		must(t, err)
		at, err := p.LastEndpoint()
		must(t, err)
		to = p
		from, err = dividere.NewSubscriber(at, options)
		must(t, err)
		must(t, p.WaitForSubscribers(soon(t), 1, ""))
	}
	limited, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	over, all := context.WithCancel(limited)
	defer all()
	total := run.senders * run.count
	seen := make([]atomic.Int32, total)
	var arrived atomic.Int64
	errs := make(chan error, run.senders+run.receivers)
	var users sync.WaitGroup
	start := func(number int, use func(random *rand.Rand) error) {
		users.Add(1)
		random := rand.New(rand.NewSource(run.seed*100 + int64(number)))
		go func() {
			defer users.Done()
			errs <- use(random)
		}()
	}
	for i := range run.receivers {
		start(i, func(random *rand.Rand) error {
			return run.receives(over, i, from, random, func(m *testpb.Reading) {
				seen[int(m.GetValue())].Add(1)
				if arrived.Add(1) == int64(total) {
					all()
				}
			})
		})
	}
	for i := range run.senders {
		start(50+i, func(random *rand.Rand) error { return run.sends(limited, to, random, i*run.count) })
	}
	users.Wait()
	for range run.senders + run.receivers {
		if err := <-errs; err != nil {
			t.Errorf("%+v: %v", run, err)
		}
	}
	for i := range seen {
		if n := seen[i].Load(); n != 1 {
			t.Errorf("message %d of %d came %d times", i, total, n)
			break
		}
	}
	if t.Failed() {
		sent, _ := to.Statistics()
		received, _ := from.Statistics()
		stacks := make([]byte, 64<<10)
		t.Fatalf("%+v\n%d came\nsender:   %+v\nreceiver: %+v\n%s", run, arrived.Load(), sent, received,
			stacks[:runtime.Stack(stacks, true)])
	}
	must(t, to.Close())
	must(t, from.Close())
}

// DIVIDERE_STRESS is for how long, a second unless set, and DIVIDERE_STRESS_SEED repeats one run.
func TestNobodySleepsWhileThereIsSomethingForThem(t *testing.T) {
	length := time.Second
	if text := os.Getenv("DIVIDERE_STRESS"); text != "" {
		var err error
		length, err = time.ParseDuration(text)
		must(t, err)
	}
	first := time.Now().UnixNano() % 1_000_000_000
	if text := os.Getenv("DIVIDERE_STRESS_SEED"); text != "" {
		_, err := fmt.Sscan(text, &first)
		must(t, err)
	}
	runs, longest := 0, time.Duration(0)
	for end := time.Now().Add(length); time.Now().Before(end) && !t.Failed(); runs++ {
		run, begun := stressOf(t, first+int64(runs)), time.Now()
		run.run(t)
		if took := time.Since(begun); took > longest {
			longest = took
			t.Logf("%v: %+v", took, run)
		}
	}
	t.Logf("%d runs", runs)
}

// Load balancing: a broker hands jobs to workers, which come and go; one dies on the way, and the client never notices.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"example.com/dividere"
	"example.com/dividere-examples/examplepb"
)

// startWorker makes one that squares numbers.
func startWorker(at, name string) (*dividere.Worker, error) {
	worker, err := dividere.NewWorker(at)
	if err != nil {
		return nil, err
	}
	return worker, dividere.Serve(worker, func(_ context.Context, job *examplepb.Job) (*examplepb.JobDone, error) {
		n := job.GetNumber()
		return &examplepb.JobDone{Number: n, Square: n * n, Worker: name}, nil
	})
}

// ask asks until so many different workers have answered.
func ask(ctx context.Context, request *dividere.Request, workers int) error {
	answered := map[string]bool{}
	for number := uint64(1); len(answered) < workers; number++ {
		// With retries a job may be done twice: it goes to another worker where the first one dies.
		retries := dividere.WithRetries(2, 10*time.Second)
		done, err := dividere.Call[*examplepb.JobDone](ctx, request, &examplepb.Job{Number: number}, retries)
		if err != nil {
			return err
		}
		fmt.Printf("%d squared is %d, says %s\n", done.GetNumber(), done.GetSquare(), done.GetWorker())
		if done.GetSquare() != number*number {
			return errors.New("that is wrong")
		}
		answered[done.GetWorker()] = true
	}
	return nil
}

func run(ctx context.Context) error {
	broker, err := dividere.NewBroker("tcp://127.0.0.1:*", "tcp://127.0.0.1:*")
	if err != nil {
		return err
	}
	defer broker.Close()
	front, err := broker.FrontEndpoint()
	if err != nil {
		return err
	}
	back, err := broker.BackEndpoint()
	if err != nil {
		return err
	}
	ada, err := startWorker(back, "ada")
	if err != nil {
		return err
	}
	grace, err := startWorker(back, "grace")
	if err != nil {
		return err
	}
	if err := broker.WaitForWorkers(ctx, 2); err != nil {
		return err
	}
	request, err := dividere.NewRequest(front)
	if err != nil {
		return err
	}
	defer request.Close()
	if err := ask(ctx, request, 2); err != nil {
		return err
	}
	// Gone without a word, as one that crashes.
	if err := ada.Close(); err != nil {
		return err
	}
	if err := ask(ctx, request, 1); err != nil {
		return err
	}
	counts, err := broker.Statistics()
	if err != nil {
		return err
	}
	fmt.Printf("%d served, %d handed to another worker\n", counts.Served, counts.Retried)
	if counts.Failed != 0 || counts.Refused != 0 {
		return errors.New("a job was lost")
	}
	// This one finishes what it has.
	return grace.Stop(ctx)
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
	// Sends what was accepted, before main returns.
	if err := dividere.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
}

// Dealers: many jobs under way at once, handed to the workers in turn; results come back in any order.
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

const jobs = 12

// work ends when the dealer is closed.
func work(ctx context.Context, dealer *dividere.Dealer, name string) error {
	for job, err := range dividere.All[*examplepb.Job](ctx, dealer) {
		if err != nil {
			return err
		}
		n := job.GetNumber()
		if err := dealer.Send(ctx, &examplepb.JobDone{Number: n, Square: n * n, Worker: name}); err != nil {
			return err
		}
	}
	return nil
}

func handOut(ctx context.Context, dealer *dividere.Dealer) error {
	if err := dealer.WaitConnected(ctx, 2); err != nil {
		return err
	}
	for number := range uint64(jobs) {
		// It does not wait for any answer.
		if err := dealer.Send(ctx, &examplepb.Job{Number: number}); err != nil {
			return err
		}
	}
	numbers, workers := map[uint64]bool{}, map[string]bool{}
	for len(numbers) < jobs {
		done, err := dividere.Recv[*examplepb.JobDone](ctx, dealer)
		if err != nil {
			return err
		}
		n := done.GetNumber()
		fmt.Printf("%d squared is %d, says %s\n", n, done.GetSquare(), done.GetWorker())
		if done.GetSquare() != n*n || numbers[n] {
			return errors.New("that is wrong, or came twice")
		}
		numbers[n], workers[done.GetWorker()] = true, true
	}
	if len(workers) != 2 {
		return errors.New("one worker did everything")
	}
	return nil
}

func run(ctx context.Context) error {
	dealer, err := dividere.NewDealer("tcp://127.0.0.1:*")
	if err != nil {
		return err
	}
	defer dealer.Close()
	at, err := dealer.LastEndpoint()
	if err != nil {
		return err
	}
	worked := make(chan error, 2)
	var workers []*dividere.Dealer
	for _, name := range []string{"ada", "grace"} {
		worker, err := dividere.NewDealer(at)
		if err != nil {
			return err
		}
		workers = append(workers, worker)
		go func() { worked <- work(ctx, worker, name) }()
	}
	outcome := handOut(ctx, dealer)
	for _, worker := range workers {
		outcome = errors.Join(outcome, worker.Close(), <-worked)
	}
	return outcome
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

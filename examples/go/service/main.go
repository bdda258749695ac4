// A service: two instances under one name; a client that knows nothing but the name asks them in turn, and one of them
// stops without the client noticing.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math"
	"time"

	"example.com/dividere"
	"example.com/dividere-examples/examplepb"
)

const name = "example.square"

// start starts an instance that squares numbers.
func start(ctx context.Context, names *dividere.RegistryClient, who string) (*dividere.Service, error) {
	service, err := dividere.NewService(name, names, dividere.WithServiceEndpoint("tcp://127.0.0.1:*"), dividere.WithWorkers(2))
	if err != nil {
		return nil, err
	}
	err = dividere.Handle(service, func(_ context.Context, job *examplepb.Job) (*examplepb.JobDone, error) {
		n := job.GetNumber()
		if n > math.MaxUint32 {
			// The asker is told.
			return nil, dividere.NewError(dividere.StatusInvalidArgument, "that is too large")
		}
		return &examplepb.JobDone{Number: n, Square: n * n, Worker: who}, nil
	})
	if err != nil {
		return nil, err
	}
	return service, service.Start(ctx)
}

// ask asks until so many different instances have answered.
func ask(ctx context.Context, client *dividere.ServiceClient, instances int) error {
	answered := map[string]bool{}
	for number := uint64(1); len(answered) < instances; number++ {
		// What may be done twice is asked of another instance where the first one dies.
		done, err := dividere.Call[*examplepb.JobDone](ctx, client, &examplepb.Job{Number: number}, dividere.MayRepeat())
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
	registry, err := dividere.NewRegistryServer("tcp://127.0.0.1:*")
	if err != nil {
		return err
	}
	defer registry.Close()
	at, err := registry.LastEndpoint()
	if err != nil {
		return err
	}
	names, err := dividere.NewRegistryClient(at)
	if err != nil {
		return err
	}
	defer names.Close()
	ada, err := start(ctx, names, "ada")
	if err != nil {
		return err
	}
	grace, err := start(ctx, names, "grace")
	if err != nil {
		return err
	}
	client, err := dividere.NewServiceClient(name, names)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := ask(ctx, client, 2); err != nil {
		return err
	}
	// It finishes what it has; the client goes to the other one.
	if err := ada.Stop(ctx); err != nil {
		return err
	}
	if err := ask(ctx, client, 1); err != nil {
		return err
	}
	_, err = dividere.Call[*examplepb.JobDone](ctx, client, &examplepb.Job{Number: math.MaxUint64})
	if !errors.Is(err, dividere.ErrInvalidArgument) {
		return fmt.Errorf("that was answered: %w", err)
	}
	fmt.Println(err)
	if err := grace.Stop(ctx); err != nil {
		return err
	}
	// At once, also where the client has not heard yet that the last one is gone.
	_, err = dividere.Call[*examplepb.JobDone](ctx, client, &examplepb.Job{Number: 1})
	if !errors.Is(err, dividere.ErrNotFound) && !errors.Is(err, dividere.ErrUnreachable) {
		return fmt.Errorf("nobody is there, and that was answered: %w", err)
	}
	fmt.Println(err)
	return nil
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

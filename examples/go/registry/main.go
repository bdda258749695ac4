// Names: a service registers, a client that knows nothing but its name finds it, and hears when it goes.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/url"
	"strconv"
	"time"

	"example.com/dividere"
	"example.com/dividere-examples/examplepb"
)

const service = "example.division"

// serve ends when the response is closed.
func serve(ctx context.Context, response *dividere.Response) error {
	for division, err := range dividere.All[*examplepb.Division](ctx, response) {
		if err != nil {
			return err
		}
		if division.GetDivisor() == 0 {
			err = response.SendError(ctx, dividere.StatusInvalidArgument, "nothing can be divided by zero")
		} else {
			err = response.Send(ctx, &examplepb.Quotient{
				Quotient:  division.GetDividend() / division.GetDivisor(),
				Remainder: division.GetDividend() % division.GetDivisor(),
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func findAndAsk(ctx context.Context, names *dividere.RegistryClient) error {
	place, err := names.Lookup(ctx, service)
	if err != nil {
		return err
	}
	fmt.Printf("%s is at %s (%s)\n", service, place.Endpoint, place.Metadata)
	request, err := dividere.NewRequest(place.Endpoint)
	if err != nil {
		return err
	}
	defer request.Close()
	answer, err := dividere.Call[*examplepb.Quotient](ctx, request, &examplepb.Division{Dividend: 17, Divisor: 5})
	if err != nil {
		return err
	}
	fmt.Printf("17 / 5 = %d, remainder %d\n", answer.GetQuotient(), answer.GetRemainder())
	if answer.GetQuotient() != 3 || answer.GetRemainder() != 2 {
		return errors.New("that is wrong")
	}
	return nil
}

func portOf(endpoint string, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	at, err := url.Parse(endpoint)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(at.Port())
}

func find(ctx context.Context, response *dividere.Response) error {
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
	port, err := portOf(response.LastEndpoint())
	if err != nil {
		return err
	}
	// It renews what it registers as long as the process lives.
	registration, err := names.Register(ctx, service, port, []byte("version 1"))
	if err != nil {
		return err
	}
	watch, err := names.Watch(ctx, service)
	if err != nil {
		return err
	}
	defer watch.Close()
	if err := findAndAsk(ctx, names); err != nil {
		return err
	}
	if err := registration.Unregister(ctx); err != nil {
		return err
	}
	for event, err := range watch.All(ctx) {
		if err != nil {
			return err
		}
		if event.Kind == dividere.WatchDelete {
			fmt.Println(event.Instance.Name, "is gone")
			break
		}
	}
	if _, err := names.Lookup(ctx, service); !errors.Is(err, dividere.ErrNotFound) {
		return fmt.Errorf("it is still registered: %w", err)
	}
	return nil
}

func run(ctx context.Context) error {
	// At every address: what is registered is one that others reach.
	response, err := dividere.NewResponse("tcp://*:*")
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- serve(ctx, response) }()
	found := find(ctx, response)
	// Closing wakes the server.
	return errors.Join(found, response.Close(), <-served)
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

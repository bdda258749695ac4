// Request and response: a question gets its answer, or an error, in time.
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

func ask(ctx context.Context, at string) error {
	request, err := dividere.NewRequest(at)
	if err != nil {
		return err
	}
	defer request.Close()
	division := &examplepb.Division{Dividend: 17, Divisor: 5}
	// Waits two seconds for the answer, and asks up to four times more where none comes.
	retries := dividere.WithRetries(4, 2*time.Second)
	quotient, err := dividere.Call[*examplepb.Quotient](ctx, request, division, retries)
	if err != nil {
		return err
	}
	fmt.Printf("17 / 5 = %d, remainder %d\n", quotient.GetQuotient(), quotient.GetRemainder())
	if quotient.GetQuotient() != 3 || quotient.GetRemainder() != 2 {
		return errors.New("that is wrong")
	}

	// The server's error is ours.
	division.Divisor = 0
	_, err = dividere.Call[*examplepb.Quotient](ctx, request, division, retries)
	if !errors.Is(err, dividere.ErrInvalidArgument) {
		return fmt.Errorf("17 / 0 was not refused: %w", err)
	}
	fmt.Println("17 / 0:", err)
	return nil
}

func run(ctx context.Context) error {
	response, err := dividere.NewResponse("tcp://127.0.0.1:*")
	if err != nil {
		return err
	}
	at, err := response.LastEndpoint()
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- serve(ctx, response) }()
	asked := ask(ctx, at)
	// Closing wakes the server.
	return errors.Join(asked, response.Close(), <-served)
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

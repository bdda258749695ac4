// A proxy: clients and servers know one address each, and none of the other side; servers come and go behind it.
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
func serve(ctx context.Context, response *dividere.Response, name string) error {
	for job, err := range dividere.All[*examplepb.Job](ctx, response) {
		if err != nil {
			return err
		}
		n := job.GetNumber()
		if err := response.Send(ctx, &examplepb.JobDone{Number: n, Square: n * n, Worker: name}); err != nil {
			return err
		}
	}
	return nil
}

// ask asks until both servers have answered.
func ask(ctx context.Context, at string) error {
	request, err := dividere.NewRequest(at)
	if err != nil {
		return err
	}
	defer request.Close()
	servers := map[string]bool{}
	for number := uint64(1); len(servers) < 2; number++ {
		done, err := dividere.Call[*examplepb.JobDone](ctx, request, &examplepb.Job{Number: number})
		if err != nil {
			return err
		}
		fmt.Printf("%d squared is %d, says %s\n", done.GetNumber(), done.GetSquare(), done.GetWorker())
		if done.GetSquare() != number*number {
			return errors.New("that is wrong")
		}
		servers[done.GetWorker()] = true
	}
	return nil
}

func run(ctx context.Context) error {
	proxy, err := dividere.NewProxy(dividere.ProxyRequestResponse, "tcp://127.0.0.1:*", "tcp://127.0.0.1:*", "")
	if err != nil {
		return err
	}
	defer proxy.Close()
	front, err := proxy.LastEndpoint(dividere.ProxyFront)
	if err != nil {
		return err
	}
	back, err := proxy.LastEndpoint(dividere.ProxyBack)
	if err != nil {
		return err
	}
	served := make(chan error, 2)
	var servers []*dividere.Response
	for _, name := range []string{"ada", "grace"} {
		// A response binds where its endpoint has a *, and connects where it has none.
		server, err := dividere.NewResponse(back)
		if err != nil {
			return err
		}
		servers = append(servers, server)
		go func() { served <- serve(ctx, server, name) }()
	}
	outcome := ask(ctx, front)
	for _, server := range servers {
		outcome = errors.Join(outcome, server.Close(), <-served)
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

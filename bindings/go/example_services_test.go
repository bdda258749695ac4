package dividere_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"example.com/dividere"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func ExampleHandle() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	names := exampleRegistry()
	defer names.Close()
	service, err := dividere.NewService("square", names, dividere.WithServiceEndpoint("tcp://127.0.0.1:*"), dividere.WithWorkers(4))
	if err != nil {
		log.Fatal(err)
	}
	err = dividere.Handle(service, func(_ context.Context, number *wrapperspb.Int64Value) (*wrapperspb.Int64Value, error) {
		if number.GetValue() > 1_000_000 {
			return nil, dividere.NewError(dividere.StatusInvalidArgument, "that is too large")
		}
		return wrapperspb.Int64(number.GetValue() * number.GetValue()), nil
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := service.Start(ctx); err != nil {
		log.Fatal(err)
	}

	client, err := dividere.NewServiceClient("square", names)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	answer, err := dividere.Call[*wrapperspb.Int64Value](ctx, client, wrapperspb.Int64(12), dividere.MayRepeat())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.GetValue())
	_, err = client.Call(ctx, wrapperspb.Int64(1_000_001))
	fmt.Println(errors.Is(err, dividere.ErrInvalidArgument))
	// Finishes what it has.
	if err := service.Stop(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 144
	// true
}

func ExampleWatch_All() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	names := exampleRegistry()
	defer names.Close()
	watch, err := names.Watch(ctx, "clock")
	if err != nil {
		log.Fatal(err)
	}
	registration, err := names.Register(ctx, "clock", 5101, []byte("utc"))
	if err != nil {
		log.Fatal(err)
	}
	for event, err := range watch.All(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%v: %q\n", event.Kind, event.Instance.Metadata)
		switch event.Kind {
		case dividere.WatchPut:
			if err := registration.Unregister(ctx); err != nil {
				log.Fatal(err)
			}
		case dividere.WatchDelete:
			// Ends the loop.
			watch.Close()
		}
	}
	// Output:
	// complete: ""
	// put: "utc"
	// delete: "utc"
}

func ExampleServe() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	broker, err := dividere.NewBroker("tcp://127.0.0.1:*", "tcp://127.0.0.1:*")
	if err != nil {
		log.Fatal(err)
	}
	defer broker.Close()
	front, err := broker.FrontEndpoint()
	if err != nil {
		log.Fatal(err)
	}
	back, err := broker.BackEndpoint()
	if err != nil {
		log.Fatal(err)
	}
	worker, err := dividere.NewWorker(back, dividere.WithCapacity(2))
	if err != nil {
		log.Fatal(err)
	}
	defer worker.Close()
	err = dividere.Serve(worker, func(_ context.Context, name *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
		return wrapperspb.String("hello, " + name.GetValue()), nil
	})
	if err != nil {
		log.Fatal(err)
	}
	request, err := dividere.NewRequest(front)
	if err != nil {
		log.Fatal(err)
	}
	defer request.Close()
	answer, err := dividere.Call[*wrapperspb.StringValue](ctx, request, wrapperspb.String("Ada"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.GetValue())
	// Output: hello, Ada
}

// exampleRegistry makes a registry, which works until the program ends, and a client of it.
func exampleRegistry() *dividere.RegistryClient {
	server, err := dividere.NewRegistryServer("tcp://127.0.0.1:*")
	if err != nil {
		log.Fatal(err)
	}
	at, err := server.LastEndpoint()
	if err != nil {
		log.Fatal(err)
	}
	names, err := dividere.NewRegistryClient(at)
	if err != nil {
		log.Fatal(err)
	}
	return names
}

// Publish and subscribe: every subscriber to a type gets every message of that type.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"example.com/dividere"
	"example.com/dividere-examples/examplepb"
)

const readings = 5

func publish(ctx context.Context, publisher *dividere.Publisher) error {
	// What is sent before a subscription has arrived is gone: wait for it.
	if err := publisher.WaitForSubscribers(ctx, 1, dividere.NameOf[*examplepb.Reading]()); err != nil {
		return err
	}
	for number := range readings {
		reading := &examplepb.Reading{Sensor: "kitchen", Celsius: 20 + float64(number)}
		if err := publisher.Send(ctx, reading); err != nil {
			return err
		}
		alarm := &examplepb.Alarm{Text: "Nobody subscribes to this, so it does not leave the publisher."}
		if err := publisher.Send(ctx, alarm); err != nil {
			return err
		}
	}
	return nil
}

func run(ctx context.Context) error {
	publisher, err := dividere.NewPublisher("tcp://127.0.0.1:*") // * takes a free port
	if err != nil {
		return err
	}
	at, err := publisher.LastEndpoint()
	if err != nil {
		return err
	}
	subscriber, err := dividere.NewSubscriber(at, dividere.WithTypes(&examplepb.Reading{}))
	if err != nil {
		return err
	}
	published := make(chan error, 1)
	go func() { published <- publish(ctx, publisher) }()

	received := 0
	// Ends when the subscriber is closed, and with an error when ctx is over.
	for reading, err := range dividere.All[*examplepb.Reading](ctx, subscriber) {
		if err != nil {
			return err
		}
		fmt.Printf("%s: %g °C\n", reading.GetSensor(), reading.GetCelsius())
		if reading.GetCelsius() != 20+float64(received) {
			return fmt.Errorf("this is not the next reading")
		}
		if received++; received == readings {
			if err := subscriber.Close(); err != nil {
				return err
			}
		}
	}
	if received != readings {
		return fmt.Errorf("%d readings came", received)
	}
	return <-published
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

// Publishes readings of this machine until it is told to stop.
//
//	telemetry_agent ENDPOINT INTERVAL_MS SUBSCRIBERS
//
// Begins when so many subscribers are there, so that none of them misses anything.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"example.com/dividere"
	"example.com/telemetry-agent/telemetrypb"
	"google.golang.org/protobuf/proto"
)

// So long it waits for its subscribers.
const patience = time.Minute

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 3 {
		return errors.New("usage: telemetry_agent ENDPOINT INTERVAL_MS SUBSCRIBERS")
	}
	interval, err := strconv.Atoi(arguments[1])
	if err != nil {
		return err
	}
	subscribers, err := strconv.Atoi(arguments[2])
	if err != nil {
		return err
	}
	// Over when it is told to stop.
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	publisher, err := dividere.NewPublisher(arguments[0])
	if err != nil {
		return err
	}
	waiting, cancelWaiting := context.WithTimeout(stop, patience)
	defer cancelWaiting()
	if err := publisher.WaitForSubscribers(waiting, subscribers, ""); err != nil {
		return fmt.Errorf("waiting for %d subscribers: %w", subscribers, err)
	}
	sent, err := publish(stop, publisher, time.Duration(interval)*time.Millisecond)
	if err != nil {
		return err
	}
	end, cancelEnd := context.WithTimeout(context.Background(), patience)
	defer cancelEnd()
	if err := publisher.Send(end, &telemetrypb.End{Readings: sent}); err != nil {
		return err
	}
	// What was sent still arrives: main returns after it did.
	if err := dividere.Shutdown(end); err != nil {
		return err
	}
	fmt.Printf("publisher:  sent %d readings\n", sent)
	return nil
}

// publish sends readings every interval until stop is over, and tells how many those were.
func publish(stop context.Context, publisher *dividere.Publisher, interval time.Duration) (uint64, error) {
	var proc procReader
	var sent uint64
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		readings, err := proc.read()
		if err != nil {
			return sent, err
		}
		count, err := dividere.SendMany[proto.Message](context.Background(), publisher, readings)
		sent += uint64(count)
		if err != nil {
			return sent, err
		}
		select {
		case <-tick.C:
		case <-stop.Done():
			return sent, nil
		}
	}
}

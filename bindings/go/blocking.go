package dividere

// What the library does only by waiting: made on few threads, and left to itself where its caller waits no more.

// #include "shim.h"
import "C"

import (
	"context"
	"sync/atomic"
	"time"
)

// So many threads wait in the library at once for all goroutines; more calls wait for their turn, which is over after
// oneTurn where a call can be made again.
var blocked = make(chan struct{}, 8)

// How long a call that may be made again waits at most in the library, which is how long one that was given up holds its
// thread.
const oneTurn = 2 * time.Second

// What a call without a deadline waits for at most, where it cannot be made again.
const longestCall = time.Minute

// blocking makes a call that waits in the library for so many milliseconds, again and again until it says something else
// than TIMEOUT; with once, only once. When ctx is over first it returns at once, and late gets what the call gave in spite
// of that; nil where that is nothing to be undone. An error at the end of the time is both ctx.Err() and ErrTimeout, with
// its text.
func blocking[T any](ctx context.Context, once bool, call func(ms C.int64_t) (T, error), late func(T)) (T, error) {
	var none T
	if ctx.Err() != nil {
		return none, contextError(ctx)
	}
	select {
	case blocked <- struct{}{}:
	case <-ctx.Done():
		return none, contextError(ctx)
	}
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	var taken atomic.Bool
	go func() {
		defer func() { <-blocked }()
		value, err := repeatedly(ctx, once, call)
		if taken.CompareAndSwap(false, true) {
			done <- outcome{value, err}
		} else if err == nil && late != nil {
			late(value)
		}
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
		if taken.CompareAndSwap(false, true) {
			return none, contextError(ctx)
		}
		o := <-done
		return o.value, o.err
	}
}

// blockingOnly is blocking for what gives nothing.
func blockingOnly(ctx context.Context, once bool, call func(ms C.int64_t) error) error {
	_, err := blocking(ctx, once, func(ms C.int64_t) (struct{}, error) { return struct{}{}, call(ms) }, nil)
	return err
}

func repeatedly[T any](ctx context.Context, once bool, call func(ms C.int64_t) (T, error)) (T, error) {
	for {
		wait, last := oneTurn, once
		if once {
			wait = longestCall
		}
		if end, ok := ctx.Deadline(); ok {
			if left := time.Until(end); once || left <= wait {
				wait, last = left, true
			}
		}
		// Rounded down: so the library, which has the words for it, is the first to notice.
		value, err := call(C.int64_t(max(1, int64(wait/time.Millisecond))))
		switch {
		case err == nil || statusOf(err) != StatusTimeout:
			return value, err
		case ctx.Err() != nil:
			return value, &cancelledError{ctx.Err(), err}
		case last:
			if _, ok := ctx.Deadline(); ok {
				return value, &cancelledError{context.DeadlineExceeded, err}
			}
			return value, err
		}
		<-blocked
		blocked <- struct{}{}
		if ctx.Err() != nil {
			return value, contextError(ctx)
		}
	}
}

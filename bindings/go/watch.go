package dividere

// The watch of what is registered.

// #include "shim.h"
import "C"

import (
	"context"
	"iter"
	"runtime"
)

// A WatchKind says what happened to an instance.
type WatchKind int32

// What happened to an instance.
const (
	// WatchPut: it is there: it was when the watch began, or it came, or it is another than before.
	WatchPut WatchKind = C.DIVIDERE_WATCH_PUT
	// WatchDelete: it is gone.
	WatchDelete WatchKind = C.DIVIDERE_WATCH_DELETE
	// WatchComplete: what was there when the watch began was told. Comes once, also where nothing was there.
	WatchComplete WatchKind = C.DIVIDERE_WATCH_COMPLETE
)

// String gives "put", "delete" or "complete".
func (k WatchKind) String() string {
	switch k {
	case WatchPut:
		return "put"
	case WatchDelete:
		return "delete"
	case WatchComplete:
		return "complete"
	}
	return "unknown"
}

// A WatchEvent is what a watch tells.
type WatchEvent struct {
	// Kind is what happened.
	Kind WatchKind
	// Instance is the one that it happened to, with the number of the change as its revision; with WatchComplete nothing
	// of it is set but that.
	Instance Instance
}

// A Watch follows what is registered: first what is there, then every change, in order. Where a registry is away,
// nothing is told; when it, or another one, is there, what has changed. It ends with its client.
type Watch struct {
	h *handle
}

// Watch follows the instances of one name: every change from the return of this on is told. ErrUnsupported where the
// registry is of dividere 2.2.0, ErrLimit where it serves no more watches.
func (r *RegistryClient) Watch(ctx context.Context, name string) (*Watch, error) {
	return r.watch(ctx, name, 0)
}

// WatchPrefix follows the instances of all names that begin with prefix, which may be empty. Fails as Watch.
func (r *RegistryClient) WatchPrefix(ctx context.Context, prefix string) (*Watch, error) {
	return r.watch(ctx, prefix, 1)
}

func (r *RegistryClient) watch(ctx context.Context, name string, isPrefix C.int32_t) (*Watch, error) {
	made, err := ask(ctx, r, name, func(name *C.char, ms C.int64_t) (C.dividere_watch_t, error) {
		var made C.dividere_watch_t
		err := check(func() C.dividere_status_t {
			return C.dividere_registry_client_watch(r.native(), name, isPrefix, ms, &made)
		})
		return made, err
	}, func(made C.dividere_watch_t) {
		// Closed already where its client was.
		C.dividere_watch_close(made)
	})
	if err != nil {
		return nil, err
	}
	h := newHandle(made, func(made C.dividere_watch_t) C.dividere_status_t { return C.dividere_watch_close(made) })
	h.needs = r.h
	h.ready.watched = nil
	h.ready.descriptor = func(fd *C.int32_t) C.dividere_status_t { return C.dividere_watch_fd(made, fd) }
	return &Watch{h}, nil
}

// Close ends it: blocked calls return ErrClosed. Closing again does nothing.
func (w *Watch) Close() error { return w.h.close() }

// Recv takes the next event; it waits as long as ctx allows. ErrClosed where the watch or its client was closed; ErrLimit
// where another registry took over and serves no more watches: the watch is over then.
func (w *Watch) Recv(ctx context.Context) (WatchEvent, error) {
	if ctx.Err() != nil {
		return WatchEvent{}, contextError(ctx)
	}
	defer runtime.KeepAlive(w.h)
	var event WatchEvent
	var err error
	attempt := func() bool {
		var kind C.int32_t
		var told []Instance
		told, err = instancesFrom(func(into **C.dividere_instances_t) C.dividere_status_t {
			return C.dividere_watch_recv(C.dividere_watch_t(w.h.socket()), 0, &kind, into)
		})
		if err == nil {
			event = WatchEvent{WatchKind(kind), told[0]}
		}
		return !isWouldBlock(err)
	}
	if !attempt() {
		if given := w.h.await(ctx, wait{at: &w.h.ready, attempt: attempt}); given != nil {
			return WatchEvent{}, given
		}
	}
	return event, err
}

// All takes events for as long as the loop goes on. An error is the last; it ends without one when the watch is closed.
//
//	for event, err := range watch.All(ctx) {
func (w *Watch) All(ctx context.Context) iter.Seq2[WatchEvent, error] {
	return func(yield func(WatchEvent, error) bool) {
		for {
			event, err := w.Recv(ctx)
			if err != nil && statusOf(err) == StatusClosed {
				return
			}
			if !yield(event, err) || err != nil {
				return
			}
		}
	}
}

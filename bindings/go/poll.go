package dividere

// Waiting for several handles.

// #include "shim.h"
import "C"

import (
	"context"
	"runtime"
	"unsafe"
)

// Poll waits until at least one of the handles may be received from, and gives the places of those in the list. It is no
// promise: another goroutine may take the message first. ErrClosed where one of them is closed, before or meanwhile.
// (Where each is received from in turn, a goroutine for each handle is simpler, and costs as little.)
func Poll(ctx context.Context, handles ...Receiver) ([]int, error) {
	if len(handles) == 0 {
		return nil, errorf(StatusInvalidArgument, "nothing to wait for")
	}
	block := C.calloc(C.size_t(len(handles)), C.size_t(unsafe.Sizeof(C.dividere_poll_item_t{})))
	defer C.free(block)
	items := unsafe.Slice((*C.dividere_poll_item_t)(block), len(handles))
	for i, handle := range handles {
		items[i].socket = handle.receiver().socket()
	}
	defer runtime.KeepAlive(handles)
	for {
		if ctx.Err() != nil {
			return nil, contextError(ctx)
		}
		err := check(func() C.dividere_status_t {
			return C.dividere_poll(&items[0], C.size_t(len(items)), 0, nil)
		})
		if err == nil {
			var ready []int
			for i := range items {
				if items[i].ready != 0 {
					ready = append(ready, i)
				}
			}
			return ready, nil
		}
		if !isWouldBlock(err) {
			return nil, err
		}
		if err := waitForOne(ctx, handles); err != nil {
			return nil, err
		}
	}
}

// waitForOne waits until there may be something at one of them.
func waitForOne(ctx context.Context, handles []Receiver) error {
	either, cancel := context.WithCancel(ctx)
	ended := make(chan error, len(handles))
	for _, handle := range handles {
		go func() { ended <- receiving{handle.receiver()}.Wait(either) }()
	}
	first := <-ended
	cancel()
	for range len(handles) - 1 {
		<-ended
	}
	return first
}

package dividere

// What the tests look at inside.

// OpenHandles counts the handles that were neither closed nor collected.
func OpenHandles() int64 { return openHandles.Load() }

// Sleeping counts the goroutines that wait for a handle.
func Sleeping() int64 { return sleeping.Load() }

// CloseWorking closes all that work by themselves.
func CloseWorking() {
	working.Range(func(h, _ any) bool {
		_ = h.(*handle).close()
		return true
	})
}

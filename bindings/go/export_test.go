package dividere

// What the tests look at inside.

// OpenHandles counts the handles that were neither closed nor collected.
func OpenHandles() int64 { return open.Load() }

// Sleeping counts the goroutines that wait for a handle.
func Sleeping() int64 { return sleeping.Load() }

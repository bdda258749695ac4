package dividere

// What the tests look at inside.

import (
	"bytes"
	"encoding/json"
	"log/slog"
)

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

// LeastLine gives the level of the least important line that a logger of this level is handed.
func LeastLine(level slog.Level) (slog.Level, error) {
	var told bytes.Buffer
	handler := slog.NewJSONHandler(&told, &slog.HandlerOptions{Level: slog.Level(-100)})
	if err := logLine(slog.New(handler), int32(levelForC(level)), "target", "text"); err != nil {
		return 0, err
	}
	var line struct{ Level slog.Level }
	err := json.Unmarshal(told.Bytes(), &line)
	return line.Level, err
}

// Sources counts those that a reactor knows of.
func (r *Reactor) Sources() int {
	r.r.mu.Lock()
	defer r.r.mu.Unlock()
	return len(r.r.sources)
}

// WaitsForEvents tells whether a goroutine waits for the next event of the handle.
func (s Socket) WaitsForEvents() bool {
	bell, err := s.h.events()
	if err != nil {
		return false
	}
	bell.mu.Lock()
	defer bell.mu.Unlock()
	return bell.news != nil
}

// AllBlocked tells whether as many goroutines wait in the library as may at once.
func AllBlocked() bool { return len(blocked) == cap(blocked) }

package dividere

// The log of the library, for log/slog.

// #include "callbacks.h"
// #include "shim.h"
import "C"

import (
	"context"
	"log/slog"
	"runtime/cgo"
)

// LevelTrace is the level of what dividere says of everything, below slog.LevelDebug.
const LevelTrace = slog.LevelDebug - 4

// SetLogger hands each line of the library's log, of this level or a more important one, to a logger, in place of the one
// set before; nil ends it. The part of dividere that a line comes from is its attribute "target". The logger is called on
// threads of dividere, several at once. Without one, nothing is written (but see the environment variable DIVIDERE_LOG).
func SetLogger(logger *slog.Logger, level slog.Level) error {
	if logger == nil {
		return check(func() C.dividere_status_t { return C.dividere_go_log_set_callback(C.DIVIDERE_LOG_ERROR, 0) })
	}
	context := cgo.NewHandle(logger)
	return check(func() C.dividere_status_t {
		return C.dividere_go_log_set_callback(levelForC(level), C.uintptr_t(context))
	})
}

// levelForC gives the least important level of the library's that is as important as this one.
func levelForC(level slog.Level) C.int32_t {
	switch {
	case level > slog.LevelWarn:
		return C.DIVIDERE_LOG_ERROR
	case level > slog.LevelInfo:
		return C.DIVIDERE_LOG_WARNING
	case level > slog.LevelDebug:
		return C.DIVIDERE_LOG_INFO
	case level > LevelTrace:
		return C.DIVIDERE_LOG_DEBUG
	}
	return C.DIVIDERE_LOG_TRACE
}

func logLine(logger *slog.Logger, level int32, target, text string) error {
	levels := map[int32]slog.Level{
		C.DIVIDERE_LOG_ERROR: slog.LevelError, C.DIVIDERE_LOG_WARNING: slog.LevelWarn,
		C.DIVIDERE_LOG_INFO: slog.LevelInfo, C.DIVIDERE_LOG_DEBUG: slog.LevelDebug,
	}
	known, ok := levels[level]
	if !ok {
		known = LevelTrace
	}
	logger.Log(context.Background(), known, text, "target", target)
	return nil
}

//go:build dividere_static

package dividere

// The library becomes a part of the program.

// #cgo pkg-config: dividere-static
import "C"
